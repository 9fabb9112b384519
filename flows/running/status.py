"""How far a manifest is, read from the records and from nothing else."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Console
from rich.table import Column, Table

from flows.errors import BatchError, NotFound
from flows.manifest.load import Manifest
from flows.model.durations import LONGEST_S, in_words
from flows.planning.plan import Plan, make_plan
from flows.planning.sheets_due import sheet_facts, sheet_line
from flows.records.record import Record, UnreadableRecord
from flows.records.report import REPORT_NAME, Failed
from flows.storage.base import Storage, open_storage
from flows.storage.lock import Holder, current_holder
from flows.text import safe_text

ROWS_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Status:
    """What there is of a plan.

    Attributes:
        failed: pairs whose last try left a record saying why.
        holder: the run that holds the output now.
        last_report: what the last run wrote about itself; empty if there is none.
    """

    plan: Plan
    failed: tuple[Failed, ...]
    holder: Holder | None
    last_report: dict[str, Any]

    @property
    def seconds_left(self) -> float | None:
        """The time for the rest at the pace of the last run; None if it made nothing or nothing is left."""
        done, took_s = self.last_report.get("done"), self.last_report.get("seconds")
        if not isinstance(done, int) or not isinstance(took_s, int | float):
            return None
        if not (1 <= done <= sys.maxsize and 0 <= took_s <= LONGEST_S):  # nothing that a run has written
            return None
        return took_s / done * len(self.plan.todo) if self.plan.todo else None

    def facts(self) -> dict[str, Any]:
        """Everything as JSON has it."""
        counts = self.plan.counts | {"failed": len(self.failed)}
        running = None
        if self.holder:
            running = {
                "host": self.holder.host,
                "pid": self.holder.pid,
                "since": self.holder.started.isoformat(),
            }
        return {
            "output": self.plan.output,
            "counts": counts,
            "sheets": sheet_facts(self.plan),
            "failed": [asdict(failure) for failure in self.failed],
            "running": running,
            "last_report": self.last_report,
            "seconds_left": self.seconds_left,
        }


def look(manifest: Manifest) -> Status:
    """Read the records of everything that the manifest asks for; changes nothing.

    Raises:
        ManifestError: the manifest cannot be expanded.
        StorageError: the output cannot be read.
    """
    plan = make_plan(manifest)
    storage = open_storage(manifest.output)
    failed = tuple(
        failure
        for planned in plan.todo
        if planned.reason.startswith("failed before")
        and (failure := _failure(storage, planned.pair.record_name))
    )
    return Status(plan, failed, current_holder(storage), _last_report(storage))


def print_status(found: Status, console: Console) -> None:
    """The status for people: counts, who is at work, and the failures."""
    counts = found.facts()["counts"]
    line = f"{counts['done']} of {counts['planned']} done, {counts['failed']} failed, in {found.plan.output}"
    console.print(safe_text(line), markup=False, highlight=False, soft_wrap=True)
    if found.plan.sheets:
        console.print(safe_text(sheet_line(found.plan)), markup=False, highlight=False, soft_wrap=True)
    if found.seconds_left is not None:
        pace = f"about {in_words(found.seconds_left)} for the rest at the pace of the last run"
        console.print(pace, markup=False, highlight=False)
    if found.holder:
        holder = found.holder
        console.print(
            f"running on {holder.host}, pid {holder.pid}, since {holder.started:%Y-%m-%d %H:%M:%S %Z}"
        )
    elif found.plan.todo and found.last_report.get("end") in ("stopped", "interrupted"):
        last = f"the last run ended early: {found.last_report.get('reason')}"
        console.print(safe_text(last), markup=False, highlight=False, soft_wrap=True)
    if found.failed:
        headers = [Column(header, overflow="fold") for header in ("failed pair", "kind", "message")]
        table = Table(*headers, box=None, pad_edge=False)
        for failure in found.failed[:ROWS_SHOWN]:
            table.add_row(*map(safe_text, (failure.name, failure.kind, failure.message)))
        console.print(table, markup=False, highlight=False)
    if (left := len(found.failed) - ROWS_SHOWN) > 0:
        console.print(f"and {left} more; --json lists all", highlight=False)


def _failure(storage: Storage, name: str) -> Failed | None:
    try:
        record = Record.parse(storage.read(name))
    except (UnreadableRecord, NotFound):
        return None
    return Failed(record.name, record.failure.kind, record.failure.message) if record.failure else None


def _last_report(storage: Storage) -> dict[str, Any]:
    try:
        report = json.loads(storage.read(REPORT_NAME))
    except (BatchError, ValueError):
        return {}
    return report if isinstance(report, dict) else {}
