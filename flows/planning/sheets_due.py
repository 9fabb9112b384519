"""Which contact sheets the next run will draw. Reads, never writes, and knows no torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flows.errors import StorageError
from flows.model.sheet import Cell, Sheet, SheetJob
from flows.planning.left_out import EXAMPLES
from flows.planning.plan import Plan, PlannedPair
from flows.planning.sheets import is_current
from flows.storage.base import Storage
from flows.storage.opening import open_storage


def sheets_due(plan: Plan) -> tuple[Sheet, ...]:
    """The sheets that are not there, or do not show what the plan has, or whose pictures are to be made.

    Raises:
        StorageError: the output cannot be read at all.
    """
    storage = open_storage(plan.output)
    planned = {one.pair.name: one for one in plan.pairs}
    return tuple(sheet for sheet in plan.sheets if _is_due(sheet, plan.output, planned, storage))


def _is_due(sheet: Sheet, output: str, planned: Mapping[str, PlannedPair], storage: Storage) -> bool:
    shown = [planned.get(name) for name in sheet.pairs]
    if any(one is not None and one.status == "todo" for one in shown):
        return True
    try:
        return not is_current(SheetJob(output, sheet, tuple(map(cell_of, shown))), storage)
    except StorageError as error:  # something else stands there; drawing will tell
        if error.fatal:
            raise
        return True


def cell_of(planned: PlannedPair | None) -> Cell:
    """The cell of a pair that is done, or of a variant that the manifest leaves out."""
    return Cell(planned.identity, planned.pair.output_name) if planned else Cell(words="left out")


def sheet_facts(plan: Plan) -> dict[str, Any]:
    """How many sheets there are to be, and the names of those that the next run will draw."""
    return {"planned": len(plan.sheets), "todo": [sheet.name for sheet in sheets_due(plan)]}


def sheet_line(plan: Plan) -> str:
    """How many sheets there are to be, how many are done, and which the next run will draw, in words."""
    planned, due = len(plan.sheets), sheets_due(plan)
    line = f"{planned} contact sheet{'s' * (planned > 1)}, {planned - len(due)} done, {len(due)} to do"
    named = ", ".join(sheet.name for sheet in due[:EXAMPLES])
    more = f" and {len(due) - EXAMPLES} more" if len(due) > EXAMPLES else ""
    return f"{line}: {named}{more}" if due else line
