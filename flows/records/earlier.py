"""What results of earlier versions and settings are worth: those that would come out the same stay done."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from flows.model.identity import Ingredients, algorithm_of, identity
from flows.model.pair import Pair
from flows.records.record import Record, Source
from stylize_core.settings.picture_size import PictureSize


def identity_today(record: Record, pair: Pair) -> str:
    """The identity of the record's picture as this version spells it; see `ingredients_today`."""
    made = ingredients_today(record, pair)
    return record.identity if made is None or made == record.ingredients else identity(made)


def ingredients_today(record: Record, pair: Pair) -> Ingredients | None:
    """What the record's picture is made of as this version spells it; None if the record does not tell.

    It is what the record says, unless an earlier algorithm made the picture and this one would make the same,
    or settings of reading have changed that change nothing in how its inputs are read.

    Args:
        pair: the one that the record is asked about.
    """
    settings, made = pair.style_settings, _read_as_today(record, pair)
    output = record.output
    long_edge = max(output.width, output.height) if output else None
    same = algorithm_of(settings, enlarges=False, long_edge=long_edge)
    if made is None or made.algorithm != same or _enlarges(record, pair):
        return made
    return replace(made, algorithm=algorithm_of(settings))


def _reading(pair: Pair) -> dict[str, Any]:
    """The settings that say which inputs are refused, as identities spell them."""
    return {
        "frames": pair.picture_settings.frames,
        "max_megapixels": float(pair.picture_settings.max_megapixels),
    }


def _read_as_today(record: Record, pair: Pair) -> Ingredients | None:
    """The record's ingredients, with today's settings of reading if every input is read alike under them.

    `frames` only decides whether a picture is refused. So does `max_megapixels` for all that it lets be
    decoded at once; what is larger is read in parts, which rounds otherwise.
    """
    made, today = record.ingredients, _reading(pair)
    if made is None or today.items() <= made.settings.items():
        return made
    before, now = made.settings.get("max_megapixels"), today["max_megapixels"]
    largest_px = _largest_input_px(record)
    at_once = isinstance(before, float) and largest_px <= 1e6 * min(before, now)
    alike = at_once or (before == now and largest_px < math.inf)
    return replace(made, settings=made.settings | today) if alike else made


def _largest_input_px(record: Record) -> float:
    """How many pixels the largest input has; no end of them if one was not read."""
    inputs = filter(None, (record.content, record.style, record.init, *record.others.values()))
    return max(((one.width or math.inf) * (one.height or math.inf) for one in inputs), default=math.inf)


def _enlarges(record: Record, pair: Pair) -> bool:
    """Whether one of the styles is enlarged to be measured, as far as the record tells; else it may be."""
    settings, output, styles = pair.style_settings, record.output, tuple(_styles(record))
    if output is None or not styles:
        return True
    left, top, right, bottom = settings.style_crop
    meant_px = PictureSize(max(output.width, output.height)).style_px(settings.style_scale)
    used = (
        max(int((style.width or 0) * (right - left)), int((style.height or 0) * (bottom - top)))
        for style in styles
    )
    return any(px < meant_px for px in used)


def _styles(record: Record) -> Iterator[Source]:
    if record.style is not None:
        yield record.style
    for role, source in record.others.items():
        if role.rpartition(".")[2].startswith("style") and not role.endswith("mask"):
            yield source
