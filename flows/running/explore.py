"""One pair in many looks: a run like any other, and a contact sheet beside its output."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from flows.engines.local import LocalEngine
from flows.errors import BadArguments, ForeignFile, ManifestError
from flows.manifest.exploration import Exploration
from flows.model.estimate import Prospect
from flows.model.events import Listener, PairProgress
from flows.model.pair import Outcome
from flows.model.sheet import Cell, Sheet, SheetJob
from flows.planning.inputs import stem
from flows.planning.plan import Plan, make_plan
from flows.planning.sheets import is_current
from flows.planning.sheets_due import cell_of
from flows.records.ownership import refuse_foreign_file
from flows.records.report import Report
from flows.running.listeners import Listeners
from flows.running.run import run_shard
from flows.storage.location import absolute_path
from flows.storage.opening import open_storage, stat_uri


def explore(asked: Exploration, *, replace_foreign: bool, device: str, listener: Listener) -> Report:
    """Make all cells that are not there yet, then the sheet; none if the run ended early or nothing was made.

    Args:
        replace_foreign: whether the sheet may replace a file that is not of this program.
        device: as for `run_shard`.

    Raises:
        BadArguments: the sheet would replace an input, or somebody else's file.
        AlreadyRunning: another run makes these cells.
        StorageError: something could not be read or written.
        StylizeError: the device or the weights are not there.
    """
    _check_inputs(asked)
    _check_place(asked.sheet, replace_foreign=replace_foreign)
    try:
        report = run_shard(asked.manifest, device=device, listener=_FailuresOnce(listener))
        plan = make_plan(asked.manifest)
    except ManifestError as error:  # who wrote no manifest is told the problems alone
        raise BadArguments("\n".join(dict.fromkeys(one.message for one in error.problems))) from error
    if report.end == "finished" and plan.counts["done"]:
        _draw(_sheet_job(asked, plan, replace_foreign=replace_foreign), listener)
    return report


def _check_inputs(asked: Exploration) -> None:
    """Say before anything is made that a picture is not there, or would be replaced by the sheet.

    Raises:
        BadArguments: naming it.
        StorageError: one cannot be looked for.
    """
    (pair, *_), sheet = asked.manifest.pairs, asked.sheet
    for picture in (pair.content, pair.style):
        if stat_uri(picture) is None:
            raise BadArguments(f"{picture} does not exist; correct the path")
    for picture in (pair.content, pair.style, str(asked.manifest.settings.get("init", ""))):
        if sheet.exists() and Path(picture).exists() and sheet.samefile(picture):
            raise BadArguments(f"{sheet} is an input and would be replaced; name another sheet with -o")


def _check_place(sheet: Path, *, replace_foreign: bool) -> None:
    """Say before anything is made that somebody else's file stands in the sheet's place.

    Raises:
        BadArguments: naming the file.
        StorageError: it cannot be read.
    """
    if replace_foreign:
        return
    place = Path(absolute_path(str(sheet)))
    try:
        refuse_foreign_file(open_storage(str(place.parent)), place.name)
    except ForeignFile:
        raise BadArguments(
            f"{sheet} is there, and stylize did not make it; move it away, or name the sheet with -o"
        ) from None


def _sheet_job(asked: Exploration, plan: Plan, *, replace_foreign: bool) -> SheetJob:
    place = Path(absolute_path(str(asked.sheet)))
    rows = [[*row, *[None] * (asked.columns - len(row))] for row in asked.rows]
    shown = [cell for row in rows for cell in row]
    (pair, *_), planned = asked.manifest.pairs, {one.pair.name: one for one in plan.pairs}
    sheet = Sheet(
        name=place.name,
        title=f"{stem(pair.content)} in the style of {stem(pair.style)}",
        columns=asked.columns,
        column_labels=(),
        row_labels=(),
        captions=tuple(cell.caption if cell else "" for cell in shown),
        pairs=tuple(cell.label if cell else "" for cell in shown),
    )
    folder, cells = place.with_suffix("").name, []
    for name in sheet.pairs:
        one = planned.get(name)
        if one is None or one.status != "done":
            cells.append(Cell(words="not made" if name else " "))
        else:
            cells.append(replace(cell_of(one), picture=f"{folder}/{one.pair.output_name}"))
    return SheetJob(str(place.parent), sheet, tuple(cells), replace_foreign)


def _draw(job: SheetJob, listener: Listener) -> None:
    if is_current(job, open_storage(job.output)):
        return
    engine = LocalEngine(on_progress=listener.pair_progress, note=listener.note)
    try:
        engine.make_sheet(job)
    finally:
        engine.close()


class _FailuresOnce:
    """A listener that hears of each failure in its words once: of a broken photograph not from every cell."""

    def __init__(self, listener: Listener) -> None:
        self._listener = Listeners(listener)
        self._told: set[str] = set()

    def expect(self, pairs: int) -> None:
        self._listener.expect(pairs)

    def pair_progress(self, progress: PairProgress) -> None:
        self._listener.pair_progress(progress)

    def pair_ended(self, outcome: Outcome) -> None:
        if outcome.status != "failed" or outcome.message not in self._told:
            self._listener.pair_ended(outcome)
        if outcome.status == "failed":
            self._told.add(outcome.message)

    def note(self, text: str) -> None:
        self._listener.note(text)

    def phase(self, text: str) -> None:
        self._listener.phase(text)

    def foresee(self, prospect: Prospect) -> None:
        self._listener.foresee(prospect)
