"""Contact sheets, brought up to date once all pairs of a run have ended."""

from __future__ import annotations

import logging
from collections.abc import Callable

from flows.engines.base import Engine
from flows.errors import WorkerStopped
from flows.model.sheet import Cell, SheetJob
from flows.planning.plan import Plan, PlannedPair
from flows.planning.sheets import is_current
from flows.planning.sheets_due import cell_of
from flows.records.earlier import identity_today
from flows.records.report import Tally
from flows.records.store import read_record
from flows.storage.base import Storage
from flows.text import safe_text

log = logging.getLogger("stylize.run")


def make_sheets(
    plan: Plan, tally: Tally, engine: Engine, storage: Storage, note: Callable[[str], None]
) -> None:
    """Draw every sheet that does not show what there is now; one that fails is a note."""
    planned = {one.pair.name: one for one in plan.pairs}
    for sheet in plan.sheets:
        try:
            cells = tuple(_cell(name, planned.get(name), tally, storage) for name in sheet.pairs)
            job = SheetJob(plan.output, sheet, cells, plan.replace_foreign, plan.source)
            if _drawn(job, engine, storage):
                note(f"contact sheet {safe_text(sheet.name)}")
        except WorkerStopped:
            return
        except Exception as error:  # a sheet is an extra: whatever became of it, the pictures are there
            log.info("sheet=%s", safe_text(sheet.name), exc_info=error)
            note(safe_text(f"the contact sheet {sheet.name} was not made: {error}"))


def _drawn(job: SheetJob, engine: Engine, storage: Storage) -> bool:
    return not is_current(job, storage) and engine.make_sheet(job)


def _cell(name: str, planned: PlannedPair | None, tally: Tally, storage: Storage) -> Cell:
    """What a sheet shows of a pair."""
    if kind := tally.kinds.get(name):
        return Cell(words=f"failed: {kind}")
    if planned is None or planned.status == "done":
        return cell_of(planned)
    pair = planned.pair
    record = read_record(storage, pair.record_name)
    if record is None or record.output is None:
        return Cell(words="not made")
    return Cell(identity_today(record, pair), pair.output_name)
