"""What a page knows of a pair: little enough that ten thousand of them are no burden."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from flows.pages.wording import Settings, differing
from flows.records.record import Failure, Record, Source

State = Literal["done", "failed", "todo"]

UNREADABLE = "unreadable_record"
"""The kind of a pair whose record nobody can read; it may be done, but nobody knows."""

CURVE_POINTS = 40


@dataclass(frozen=True, slots=True)
class Shown:
    """A picture that a page may show.

    Attributes:
        uri: where it lies.
        sha256: of the bytes that were read or written; empty if nobody knows.
        within: the folder that a link in its place must not leave; empty for none.
        decoded: a worker has decoded it, so that it is known to be sound.
    """

    uri: str
    sha256: str = ""
    within: str = ""
    decoded: bool = False


# Why so many: a field for each fact that a page shows.
@dataclass(frozen=True, slots=True)
class Entry:
    """A pair on a page.

    Attributes:
        state: `todo` is what no run has made yet, or made of other ingredients.
        kind: of a failure; message: what went wrong, or why it is to do.
        styles: the style, or all of a blend.
        picture: the result; its name below the output is `picture_name`.
        settings: what was, or is to be, in force and is not the usual.
        curve: some of the losses, see `thinned`.
        timings_s: seconds by phase.
        batch: how many pairs were computed together.
    """

    name: str
    state: State
    kind: str = ""
    message: str = ""
    content: Shown | None = None
    styles: tuple[Shown, ...] = ()
    picture: Shown | None = None
    picture_name: str = ""
    record_name: str = ""
    size_px: tuple[int, int] | None = None
    settings: Settings = ()
    device: str = ""
    precision: str = ""
    memory_bytes: int | None = None
    evaluations: int = 0
    stop_reason: str = ""
    curve: tuple[float, ...] = ()
    timings_s: Mapping[str, float] = field(default_factory=dict)
    batch: int = 1
    decisions: tuple[str, ...] = ()
    finished: str = ""
    attempts: int = 0
    phase: str = ""
    identity: str = ""


def recorded_facts(record: Record, *, picture_uri: str) -> dict[str, Any]:
    """The fields of an entry that its record gives, whatever became of the pair."""
    done, ran = record.output, record.optimisation
    return {
        "picture": Shown(picture_uri, done.sha256, decoded=True) if done else None,
        "picture_name": done.name if done else "",
        "size_px": (done.width, done.height) if done else None,
        "settings": differing(record.settings),
        "device": record.device or "",
        "precision": record.precision or "",
        "memory_bytes": record.peak_memory_bytes,
        "evaluations": ran.evaluations if ran else 0,
        "stop_reason": ran.stop_reason if ran else "",
        "curve": thinned(ran.loss_curve) if ran else (),
        "timings_s": record.timings_s,
        "batch": record.batch,
        "decisions": _decisions(record),
        "finished": record.finished_at.isoformat(timespec="seconds"),
        "attempts": record.failure.attempts if record.failure else 0,
        "phase": (record.failure.phase or "") if record.failure else "",
        "identity": record.identity,
    }


def failed_facts(failure: Failure) -> dict[str, Any]:
    """The fields of an entry that its failure gives."""
    return {"state": "failed", "kind": failure.kind, "message": failure.message}


def source_shown(source: Source | None, *, within: str = "", uri: str = "") -> Shown | None:
    """A picture as a record speaks of it; None if it does not.

    Args:
        uri: where it lies now, if that is another place.
    """
    if source is None:
        return None
    return Shown(uri or source.uri, source.sha256, within, decoded=source.width is not None)


def styles_of(record: Record) -> tuple[Shown, ...]:
    """The style of a record, or all of its blend."""
    blend = [source for role, source in sorted(record.others.items()) if role.startswith("style[")]
    return tuple(filter(None, map(source_shown, (record.style, *blend))))


def thinned(values: Sequence[float], points: int = CURVE_POINTS) -> tuple[float, ...]:
    """The first value, the lowest of each of so many stretches, and the last.

    A solver tries steps that it does not take, and the heights that it sees there would hide the curve.

    >>> thinned([9.0, 8.0, 700.0, 6.0, 5.0, 5.5], 2)
    (9.0, 8.0, 5.0, 5.5)
    """
    if len(values) <= 2:
        return tuple(values)
    size = -(-len(values) // points)
    lowest = (min(values[at : at + size]) for at in range(0, len(values), size))
    return (values[0], *lowest, values[-1])


def significant(value: float, digits: int = 4) -> float:
    """The value with so many digits that count; it is for the eye.

    >>> significant(0.00123456), significant(123456.7)
    (0.001235, 123500.0)
    """
    if not value or not math.isfinite(value):
        return 0.0
    return round(value, digits - 1 - math.floor(math.log10(abs(value))))


def _decisions(record: Record) -> tuple[str, ...]:
    """What was decided for the user: about the pictures, by their role, and about the pair."""
    roles = {"content": record.content, "style": record.style, "init": record.init, **record.others}
    about = (f"{role}: {said}" for role, one in roles.items() if one for said in one.decisions)
    return (*about, *record.decisions)
