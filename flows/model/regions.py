"""Regions of a content with styles of their own; what stands for a picture depends, as in `blend`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from flows.model.blend import Blend, converted, spelled

T = TypeVar("T")
U = TypeVar("U")


@dataclass(frozen=True, slots=True)
class Region(Generic[T]):
    """A part of the content.

    Attributes:
        mask: white where it lies, in the content's frame.
        styles: its style, one picture or the parts of a blend; empty where the content stays as it is.
        style_mask: white where the style is taken from, in the style's frame; None for all of it.
        weight: of its style loss, beside its share of the picture.
    """

    mask: T
    styles: Blend[T] = ()
    style_mask: T | None = None
    weight: float = 1.0

    def roles(self) -> Iterator[tuple[str, T]]:
        """Its pictures with what they are for."""
        yield "mask", self.mask
        for at, part in enumerate(self.styles):
            yield f"style[{at}]" if at else "style", part.picture
        if self.style_mask is not None:
            yield "style_mask", self.style_mask


Regions = tuple[Region[T], ...]


def roles(regions: Regions[T]) -> dict[str, T]:
    """Every picture of the regions by its role, such as `regions[0].mask`."""
    return {
        f"regions[{at}].{role}": picture
        for at, region in enumerate(regions)
        for role, picture in region.roles()
    }


def converted_regions(regions: Regions[T], convert: Callable[[T], U]) -> Regions[U]:
    """Regions with what `convert` makes of their pictures; shares and weights stay."""
    return tuple(
        Region(
            convert(region.mask),
            converted(region.styles, convert),
            None if region.style_mask is None else convert(region.style_mask),
            region.weight,
        )
        for region in regions
    )


def spelled_regions(regions: Regions[T], digests: Mapping[str, str]) -> str:
    """One text for what regions are made of, given the digests by role; empty while one of them is unknown.

    >>> spelled_regions((Region("a.png", weight=2.0),), {"regions[0].mask": "abc"})
    'mask abc weight 2.0'
    """
    if not all(digests.get(role) for role in roles(regions)):
        return ""
    return "; ".join(_spelled(region, f"regions[{at}].", digests) for at, region in enumerate(regions))


def _spelled(region: Region[T], prefix: str, digests: Mapping[str, str]) -> str:
    found = {role: digests[prefix + role] for role, _ in region.roles()}
    words = ["mask", found["mask"]]
    if region.styles:
        styles = [digest for role, digest in found.items() if role not in ("mask", "style_mask")]
        words += ["style", spelled(region.styles if len(styles) > 1 else (), styles)]
    if region.style_mask is not None:
        words += ["style_mask", found["style_mask"]]
    return " ".join([*words, "weight", repr(region.weight)])
