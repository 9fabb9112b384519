"""A pair whose pictures have not been looked at yet, and the contact sheets of such."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

from flows.manifest.settings import BuiltSettings
from flows.model.blend import Blend
from flows.model.identity import algorithm_of, canonical_settings, weights_digest
from flows.model.regions import Regions, roles
from flows.model.sweep import Axes, Variant
from flows.text import safe_text
from stylize_core.settings.picture import PictureSettings
from stylize_core.settings.style import StyleSettings


@dataclass(frozen=True, slots=True, eq=False)
class ResolvedSettings:
    """Settings that many pairs share, with their share in the identity worked out once.

    Attributes:
        init: URI of the picture to start from, if there is one.
    """

    style: StyleSettings
    picture: PictureSettings
    init: str | None
    canonical: dict[str, Any]
    weights: str
    algorithm: int = 1


def resolved_settings(built: BuiltSettings) -> ResolvedSettings:
    """Settings with their share in every identity.

    Raises:
        BadWeights: the installation lacks the built-in weights.
    """
    canonical = canonical_settings(built.style, built.picture)
    return ResolvedSettings(*built, canonical, weights_digest(built.style), algorithm_of(built.style))


# Why so many: one value for all that is known of a pair before its pictures are looked at.
@dataclass(frozen=True, slots=True)
class Candidate:
    """A pair whose pictures have not been looked at yet.

    Attributes:
        content: URI; empty if there is none.
        style: URI of the picture whose style is taken, the first one of a blend; empty if there is none.
        lines: its places in the manifest.
        variant: which combination of a sweep it is, if its settings are swept.
        sheet: the name of the contact sheet that it has a cell of; empty if there is none.
        suffixes: of the files that it writes.
        blend: the pictures of a blend with their shares.
        regions: parts of the content with styles of their own.
        from_search: a pattern found one of the pictures, so that the name is not one that the user wrote.
    """

    name: str
    content: str
    style: str
    settings: ResolvedSettings
    lines: tuple[int, ...]
    variant: Variant | None = None
    sheet: str = ""
    is_sheet: bool = False
    blend: Blend[str] = ()
    regions: Regions[str] = ()
    from_search: bool = False

    @property
    def styles(self) -> tuple[str, ...]:
        """The pictures that its style is taken from."""
        return tuple(part.picture for part in self.blend) or tuple(filter(None, (self.style,)))

    @property
    def reads(self) -> tuple[str, ...]:
        """Every picture that it is made of."""
        regions = roles(self.regions).values()
        return tuple(filter(None, (self.content, *self.styles, self.settings.init, *regions)))

    @property
    def suffixes(self) -> tuple[str, ...]:
        """The endings of the files that it writes."""
        if self.is_sheet:
            return (".png",)
        film = self.settings.picture.animation
        own = (self.settings.picture.suffix, ".json")
        return own if film == "none" else (*own, f".{film}")

    @property
    def has_snapshots(self) -> bool:
        """Whether it writes numbered files."""
        return bool(self.settings.style.snapshot_every) and not self.is_sheet

    def __str__(self) -> str:
        plural = "s" if len(self.lines) > 1 else ""
        lines = " and ".join(str(line) for line in self.lines)
        what = "the contact sheet of " if self.is_sheet else ""
        where = f" (line{plural} {lines})" if any(self.lines) else ""
        return safe_text(f"{what}{self.title(str)}{where}")

    def title(self, called: Callable[[str], str]) -> str:
        """What is made of what, with the pictures as `called`."""
        styles = " and ".join(map(called, self.styles))
        if not self.content or not styles:
            return called(self.content) if self.content else f"the style of {styles}"
        return f"{called(self.content)} in the style of {styles}"


def sheet_candidates(candidates: Iterable[Candidate]) -> dict[Candidate, list[Candidate]]:
    """Each contact sheet that is to be drawn, as something that is written, with the variants on it."""
    found: dict[tuple[str, str, str, Axes], list[Candidate]] = {}
    for candidate in candidates:
        if candidate.variant and candidate.sheet:
            found.setdefault(
                (candidate.sheet, candidate.content, candidate.style, candidate.variant.axes), []
            ).append(candidate)
    return {replace(shown[0], name=shown[0].sheet, is_sheet=True): shown for shown in found.values()}
