"""What the script of a page is given: pairs as compact JSON, with what many of them share said once."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from flows.pages.entries import Entry, Shown, significant
from flows.pages.grid import Grid, Place
from flows.pages.previews import Previews
from flows.pages.wording import Settings, length_of_time

T = TypeVar("T", bound=Hashable)
STATES = ("done", "failed", "todo")
PHASES = ("read", "targets", "optimise", "encode", "write")


@dataclass(slots=True)
class Shared(Generic[T]):
    """Values that are said once and meant by their number."""

    values: list[T] = field(default_factory=list)
    _numbers: dict[T, int] = field(default_factory=dict)

    def number(self, value: T) -> int:
        """The number of that value, a new one if it is new."""
        if value not in self._numbers:
            self._numbers[value] = len(self.values)
            self.values.append(value)
        return self._numbers[value]


@dataclass(frozen=True, slots=True)
class Links:
    """Where a reader of the page finds the files of the output.

    Attributes:
        base: what stands before a name below the output; empty where the page lies there itself.
        usable: whether a browser can follow them.
    """

    base: str = ""
    usable: bool = True


def report_payload(entries: Sequence[Entry], grid: Grid, previews: Previews, links: Links) -> dict[str, Any]:
    """The data of a report."""
    settings: Shared[Settings] = Shared()
    texts: Shared[str] = Shared()
    pairs = [
        _pair(entry, place, previews, settings, texts)
        for entry, place in zip(entries, grid.places, strict=True)
    ]
    return {
        "kind": "report",
        "rows": [_heading(one.name, "", one.picture, previews) for one in grid.rows],
        "columns": [_heading(one.name, one.variant, one.picture, previews) for one in grid.columns],
        "full": grid.full,
        "pairs": pairs,
        "settings": [dict(one) for one in settings.values],
        "texts": texts.values,
        "base": links.base if links.usable else None,
    }


def _heading(name: str, variant: str, picture: Shown | None, previews: Previews) -> dict[str, Any]:
    return _without_empty({"name": name, "variant": variant, "picture": previews.of(picture)})


def _pair(
    entry: Entry,
    place: Place,
    previews: Previews,
    settings: Shared[Settings],
    texts: Shared[str],
) -> dict[str, Any]:
    row, column = place
    facts = pair_facts(entry, texts)
    return _without_empty(
        {
            "name": entry.name,
            "state": STATES.index(entry.state),
            "row": row,
            "column": column,
            "settings": settings.number(entry.settings),
            "picture": previews.of(entry.picture),
            "file": entry.picture_name,
            "record": entry.record_name,
            "message": entry.message,
            **facts,
        }
    )


def pair_facts(entry: Entry, texts: Shared[str]) -> dict[str, Any]:
    """What a page says of how a pair was made; empty where nobody knows."""
    said = {
        "kind": entry.kind,
        "device": entry.device,
        "stop": entry.stop_reason,
        "precision": entry.precision,
    }
    return {
        **{key: texts.number(text) for key, text in said.items() if text},
        "decisions": [texts.number(text) for text in entry.decisions],
        "curve": [significant(value) for value in entry.curve],
        "timings": {phase: length_of_time(entry.timings_s[phase]) for phase in _phases(entry)},
        "memory": entry.memory_bytes,
        "evaluations": entry.evaluations,
        "size": list(entry.size_px or ()),
        "batch": entry.batch if entry.batch > 1 else 0,
        "attempts": entry.attempts,
        "phase": entry.phase,
        "finished": entry.finished if entry.state == "done" or entry.kind else "",
    }


def _phases(entry: Entry) -> list[str]:
    """The phases of a pair in the order in which they come."""
    return sorted(entry.timings_s, key=lambda name: PHASES.index(name) if name in PHASES else len(PHASES))


def _without_empty(facts: Mapping[str, Any]) -> dict[str, Any]:
    """The facts that say something; the numbers that are a place or a state always do."""
    always = ("row", "column", "state", "settings", *_NUMBERED)
    return {key: value for key, value in facts.items() if key in always or value not in ("", None, 0, [], {})}


_NUMBERED = ("kind", "device", "stop", "precision")
