"""A contact sheet of everything, `report.png`: contents down, styles across."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing

from flows.engines.local import LocalEngine
from flows.errors import BadArguments
from flows.model.shard import Shard
from flows.model.sheet import Cell, Sheet, SheetJob
from flows.pages.entries import Entry
from flows.pages.grid import Grid, grid_of
from flows.pages.targets import Target
from flows.planning.sheets import is_current
from flows.records.report import REPORT

MOST_CELLS = 1000


def draw_product_sheet(target: Target, shard: Shard, *, note: Callable[[str], None]) -> str:
    """Draw the sheet beside the pictures unless one that shows just this is there; where it lies.

    Args:
        shard: whose pairs the target has.

    Raises:
        BadArguments: it would have no cell, or more than `MOST_CELLS`.
        ForeignFile: somebody else's file stands there.
        StorageError: a picture cannot be read, or the sheet not written.
        BadImage: what stands in a picture's place is none.
    """
    storage, grid = target.storage, grid_of(target.gathered.entries)
    cells = len(grid.rows) * len(grid.columns)
    if not 1 <= cells <= MOST_CELLS:
        raise BadArguments(
            f"--sheet: {len(grid.rows)} contents by {len(grid.columns)} styles are {cells} cells, and "
            f"a sheet has from 1 to {MOST_CELLS}; without --sheet the page has all"
        )
    foreign = target.plan is not None and target.plan.replace_foreign
    job = _job(target, grid, name=f"{REPORT}{shard.suffix}.png", replace_foreign=foreign)
    if not is_current(job, storage):
        with closing(LocalEngine(on_progress=lambda _: None, note=note)) as engine:
            engine.make_sheet(job)
    return storage.uri(job.sheet.name)


def _job(target: Target, grid: Grid, *, name: str, replace_foreign: bool) -> SheetJob:
    entries = dict(zip(grid.places, target.gathered.entries, strict=True))
    places = [(row, column) for row in range(len(grid.rows)) for column in range(len(grid.columns))]
    shown = [entries.get(place) for place in places]
    sheet = Sheet(
        name,
        target.title,
        len(grid.columns),
        tuple("\n".join(filter(None, (one.name, one.variant))) for one in grid.columns),
        tuple(one.name for one in grid.rows),
        (),
        tuple(entry.name if entry else "" for entry in shown),
    )
    return SheetJob(target.storage.root, sheet, tuple(map(_cell, shown)), replace_foreign)


def _cell(entry: Entry | None) -> Cell:
    """The picture; words where there is none, and nothing where the manifest has no such pair."""
    if entry is None:
        return Cell(words=" ")
    if entry.state == "done" and entry.picture_name:
        return Cell(entry.identity, entry.picture_name)
    return Cell(words=f"failed: {entry.kind}" if entry.state == "failed" else "to do")
