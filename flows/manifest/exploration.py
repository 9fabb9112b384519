"""What `stylize explore` makes: one pair in many looks, around the settings that are given."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from flows.errors import BadArguments
from flows.manifest.model import Manifest
from flows.manifest.settings import build
from flows.manifest.single import single_pair
from flows.manifest.written import written
from flows.storage.location import absolute_path
from stylize_core.errors import SettingsError
from stylize_core.settings.style import StyleSettings

SUFFIX = ".png"
Look = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Ranges:
    """What is tried with an encoder, so that it takes a minute or two on two cores.

    Attributes:
        size: long edge, px, unless it is given.
        steps: of each picture, unless they are given.
        weights: the style's weights, as multiples of the one that the given settings have.
        scales: the style's scales.
    """

    size: int
    steps: int
    weights: tuple[float, ...]
    scales: tuple[float, ...]


SLIM = Ranges(256, 100, weights=(0.01, 0.1, 1.0, 10.0), scales=(0.5, 1.0, 2.0))
FULL = Ranges(160, 30, weights=(0.1, 1.0, 10.0), scales=(1.0, 2.0))
"""A full network takes about twenty times as long for a step."""

OTHERS: tuple[Look, ...] = (
    {"preset": "subtle"},
    {"preset": "bold"},
    {"preset": "texture-heavy"},
    {"colour": "luminance"},
)
"""The last row."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A place on the sheet.

    Attributes:
        label: such as `B2`: the second of the second row.
        look: what tells it from the others.
        settings: all that the picture is made with, as a manifest may have it.
    """

    label: str
    look: Look
    settings: Mapping[str, object]

    @property
    def caption(self) -> str:
        """The label, and what is special here, in a few words."""
        said = {key: value for key, value in self.look.items() if key != "range_weight"}
        return f"{self.label}: " + written(said)[1:-1]


@dataclass(frozen=True, slots=True)
class Exploration:
    """A sheet and what it shows.

    Attributes:
        sheet: the picture that is to be written.
        manifest: a pair for each cell, by its label; the output is the folder beside the sheet.
        rows: the cells, none of them empty.
    """

    sheet: Path
    manifest: Manifest
    rows: tuple[tuple[Cell, ...], ...]

    @property
    def cells(self) -> Iterator[Cell]:
        """All cells, row by row."""
        return (cell for row in self.rows for cell in row)

    @property
    def columns(self) -> int:
        """How many cells the longest row has."""
        return max(map(len, self.rows))


def exploration(content: str, style: str, *, sheet: Path, settings: Sequence[str]) -> Exploration:
    """What is to be made of one pair; paths start at the working folder.

    Args:
        sheet: the picture to make, a PNG; its cells lie in a folder of the same name without the suffix.
        settings: each `key=value`, the value as in a manifest: the same in all cells, and not explored.

    Raises:
        SettingsError: the sheet's suffix is another one, or a setting is not `key=value`.
        BadArguments: a setting is not accepted, or nothing is left to explore; the text has all problems.
    """
    if sheet.suffix.lower() != SUFFIX and sheet.parts[:1] != ("s3:",):
        raise SettingsError("output", str(sheet), f"its name must end in {SUFFIX}")
    manifest = single_pair(content, style, output=sheet, settings=settings)
    (pair,) = manifest.pairs
    given = {key: value for key, value in manifest.settings.items() if key != "format"}
    base = build(given).style
    if base.mode != "transfer":
        raise BadArguments(f"`mode: {base.mode}` has no looks to explore; leave `mode` out")
    if {"style_weight", "style_scale"} <= given.keys():
        raise BadArguments("what would be explored is set; leave out `style_weight` or `style_scale`")
    ranges = SLIM if base.encoder == "slim" else FULL
    common = _effort(ranges, given) | given
    rows = tuple(_labelled(number, row, common) for number, row in enumerate(_looks(base, given, ranges)))
    pairs = tuple(replace(pair, name=cell.label, settings=cell.look) for row in rows for cell in row)
    folder = absolute_path(str(sheet.with_suffix("")))
    manifest = replace(manifest, source="stylize explore", output=folder, replace_foreign=False, html=False)
    return Exploration(sheet, replace(manifest, settings=common, pairs=pairs), rows)


def _effort(ranges: Ranges, given: Container[str]) -> dict[str, Any]:
    sized = {} if "megapixels" in given else {"size": ranges.size}
    return {**sized, "steps": ranges.steps}


def _looks(base: StyleSettings, given: Container[str], ranges: Ranges) -> Iterator[Sequence[Look]]:
    """The rows of the sheet: the style's scale downwards, its weight across, and named looks below them."""
    weights = [_weighed(base, factor, given) for factor in ranges.weights]
    scales: list[Look] = [{"style_scale": scale} for scale in ranges.scales]
    others = [look for look in OTHERS[: len(weights)] if look.keys().isdisjoint(_spoken_for(given))]
    if "style_weight" in given:
        yield scales
    elif "style_scale" in given:
        yield weights
    else:
        yield from ([{**weight, **scale} for weight in weights] for scale in scales)
    if others:
        yield others


def _spoken_for(given: Container[str]) -> set[str]:
    """The keys of named looks that are not tried, as what is given would decide instead."""
    found = {key for key in ("preset", "colour") if key in given}
    return found | ({"preset"} if "style_weight" in given else set())


def _weighed(base: StyleSettings, factor: float, given: Container[str]) -> Look:
    """So much more or less style, with as much more to hold the pixels in their range against it."""
    weight = {"style_weight": float(f"{base.style_weight * factor:.6g}")}
    if factor <= 1 or not base.range_weight or "range_weight" in given:
        return weight
    return {**weight, "range_weight": float(f"{base.range_weight * factor:.6g}")}


def _labelled(number: int, row: Sequence[Look], common: Look) -> tuple[Cell, ...]:
    letter = chr(ord("A") + number)
    return tuple(Cell(f"{letter}{at}", look, {**look, **common}) for at, look in enumerate(row, start=1))
