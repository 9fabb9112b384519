"""The part of a plan that was asked for; what was not is counted, and left as it is."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from flows.errors import (
    BadArguments,
    Denied,
    NotFound,
    StorageError,
    StorageTransient,
    TimedOut,
    WorkerCrashed,
    WorkerWedged,
)
from flows.model.selection import EVERYTHING, Selection, nearest
from flows.model.shard import Shard
from flows.model.sheet import Sheet
from flows.records.report import Failed
from flows.text import safe_text

if TYPE_CHECKING:
    from flows.planning.plan import Plan, PlannedPair

FORCED = "to be made again, as asked"
"""Why a pair that is done is to do."""

_PASSING = (WorkerCrashed, WorkerWedged, TimedOut, StorageError, StorageTransient, NotFound, Denied)
MAY_PASS = frozenset({"unfinished", *(error.kind for error in _PASSING)})
"""Kinds of failures that say nothing about the pair's inputs and settings."""


def count_of(shard: Shard, names: Collection[str], selection: Selection, *, source: str) -> int:
    """How many pairs a shard would have without the selection; 0 if that is everything, and nobody asks.

    A pattern that fits no pair is refused: such a slip would look like a run with nothing to do.

    Args:
        names: of all pairs of the manifest.
        source: what the manifest is called.

    Raises:
        BadArguments: naming the pattern and the nearest names.
    """
    for pattern in selection.only:
        one = Selection((pattern,))
        if not any(map(one.names, names)):
            near = ", ".join(safe_text(name, 100) for name in nearest(pattern, names))
            offered = f"the nearest are {near}" if near else f"it has {len(names)}"
            raise BadArguments(
                f"--only: no pair of {source} is called {safe_text(pattern, 100)!r}; {offered}; "
                "`stylize plan --json` lists those that are to do"
            )
    return 0 if selection == EVERYTHING else sum(map(shard.holds, names))


def narrowed(plan: Plan, selection: Selection, *, of: int) -> Plan:
    """The plan with what is asked for; a pair that is done is to do where it is to be made again.

    Args:
        plan: of the pairs whose names are asked for.
        of: how many pairs there would be without the selection.
    """
    if selection == EVERYTHING:
        return plan
    pairs = plan.pairs
    if selection.failed:
        pairs = tuple(one for one in pairs if one.failure is not None)
    if selection.force:
        pairs = _all_again(pairs)
    if selection.limit is not None:
        todo = [one.pair.name for one in pairs if one.status == "todo"]
        first = set(todo[: selection.limit])
        pairs = tuple(one for one in pairs if one.status == "done" or one.pair.name in first)
    refused = () if selection.failed else tuple(one for one in plan.refused if selection.names(one.name))
    asked = replace(plan, pairs=pairs, refused=refused, selection=selection)
    asked = replace(asked, not_asked=of - asked.counts["planned"])
    sheets, later = _whole_sheets(asked)
    return replace(asked, sheets=sheets, warnings=(*asked.warnings, *later))


def without_failed(plan: Plan) -> Plan:
    """The plan without the pairs that failed before and would fail again: they are refused, not tried."""
    hopeless = {
        one.pair.name: Failed(one.pair.name, one.failure.kind, one.failure.message)
        for one in plan.todo
        if one.failure and one.alike and one.failure.kind not in MAY_PASS
    }
    kept = tuple(one for one in plan.pairs if one.pair.name not in hopeless)
    return replace(plan, pairs=kept, refused=(*plan.refused, *hopeless.values()))


def _all_again(pairs: Sequence[PlannedPair]) -> tuple[PlannedPair, ...]:
    """What is to do anyway, then what is done, beginning with what was made longest ago.

    A run that ends early, and is started again, begins with what it had not come to.
    """
    done = [one for one in pairs if one.status == "done"]
    again = (replace(one, status="todo", reason=FORCED, forced=True) for one in sorted(done, key=_made_at))
    return (*(one for one in pairs if one.status != "done"), *again)


def _made_at(one: PlannedPair) -> float:
    return one.finished_at.timestamp() if one.finished_at else 0.0


def _whole_sheets(plan: Plan) -> tuple[tuple[Sheet, ...], tuple[str, ...]]:
    """The contact sheets of which every pair is asked for; a sheet with gaps would say what is not so."""
    asked = {one.pair.name for one in plan.pairs} | {one.name for one in plan.refused}
    whole = tuple(sheet for sheet in plan.sheets if asked.issuperset(filter(None, sheet.pairs)))
    left = len(plan.sheets) - len(whole)
    sheets = "a contact sheet" if left == 1 else f"{left} contact sheets"
    said = f"{sheets} with pairs that are not asked for: a run for all of them draws it"
    return whole, (said,) if left else ()
