"""What results of earlier versions are worth: those that would come out the same today stay done."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

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

    It is what the record says, unless an earlier algorithm made the picture and this one would make the same.

    Args:
        pair: the one that the record is asked about.
    """
    settings, made = pair.style_settings, record.ingredients
    output = record.output
    long_edge = max(output.width, output.height) if output else None
    same = algorithm_of(settings, enlarges=False, long_edge=long_edge)
    if made is None or made.algorithm != same or _enlarges(record, pair):
        return made
    return replace(made, algorithm=algorithm_of(settings))


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
