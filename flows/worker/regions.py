"""The regions of a pair inside a worker: masks and styles read, then measured for the optimisation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flows.model.blend import Part
from flows.model.pair import Input, Pair
from flows.model.regions import Region
from flows.records.record import Source
from flows.worker.device_cache import DeviceCache
from flows.worker.read import LoadedMask, LoadedPicture, Reading
from stylize_core.loss.regions import StyledRegion
from stylize_core.loss.targets import Targets, mean_targets
from stylize_core.pyramid.level import AS_IT_IS, ViewSpec
from stylize_core.settings.fields import WHOLE, Crop


@dataclass(frozen=True, slots=True)
class LoadedRegion:
    """A region whose pictures are read.

    Attributes:
        mask: in the content's frame.
        styles: as many as the region's blend has parts.
        style_mask: in the style's frame.
    """

    region: Region[Input]
    mask: LoadedMask
    styles: tuple[LoadedPicture, ...]
    style_mask: LoadedMask | None

    @property
    def sources(self) -> Region[Source]:
        """The region as records name it."""
        parts = zip(self.styles, self.region.styles, strict=True)
        return Region(
            self.mask.source,
            tuple(Part(loaded.source, part.share) for loaded, part in parts),
            self.style_mask.source if self.style_mask else None,
            self.region.weight,
        )


def load_regions(pair: Pair, content: LoadedPicture, cache: DeviceCache) -> tuple[LoadedRegion, ...]:
    """Read every region of the pair.

    Raises:
        BadImage: a mask or a style is not what it should be; the message names it.
        StorageError: one could not be read.
    """
    return tuple(_load(region, pair, content, cache) for region in pair.regions)


def styled_regions(
    loaded: Sequence[LoadedRegion],
    pair: Pair,
    content: LoadedPicture,
    cache: DeviceCache,
    *,
    view: ViewSpec = AS_IT_IS,
) -> tuple[StyledRegion, ...]:
    """The regions as the optimisation wants them; the styles' statistics for that view."""
    return tuple(
        StyledRegion(one.mask.mask[None], _targets(one, pair, content, cache, view), one.region.weight)
        for one in loaded
    )


def _load(region: Region[Input], pair: Pair, content: LoadedPicture, cache: DeviceCache) -> LoadedRegion:
    mask = _mask(region.mask, pair, cache, like=content)
    styles = tuple(cache.style_picture(part.picture, pair) for part in region.styles)
    if region.style_mask is None:
        return LoadedRegion(region, mask, styles, None)
    part = pair.style_settings.style_crop
    return LoadedRegion(
        region, mask, styles, _mask(region.style_mask, pair, cache, like=styles[0], part=part)
    )


def _mask(
    given: Input, pair: Pair, cache: DeviceCache, *, like: LoadedPicture, part: Crop = WHOLE
) -> LoadedMask:
    """The mask, cut to the same part as the picture that it belongs to and brought to its size."""
    height, width = like.picture.rgb.shape[-2:]
    return cache.mask(Reading(given, pair.picture_settings, part), height=height, width=width)


def _targets(
    loaded: LoadedRegion, pair: Pair, content: LoadedPicture, cache: DeviceCache, view: ViewSpec
) -> Targets:
    mask = loaded.style_mask
    parts = [cache.style(pair, style, content, mask=mask, view=view) for style in loaded.styles]
    return mean_targets(parts, [part.share for part in loaded.region.styles])
