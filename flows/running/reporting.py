"""The report of a run, put beside its pictures."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from flows.errors import BatchError, NotFound
from flows.model.events import PairProgress
from flows.model.pair import Outcome
from flows.model.shard import Shard
from flows.records.ownership import may_replace_report
from flows.records.report import Report
from flows.records.trace import TraceWriter, is_trace, trace_name
from flows.storage.base import Storage


def write_report(
    report: Report, name: str, storage: Storage, note: Callable[[str], None], *, replace_foreign: bool
) -> bool:
    """Write the report beside the pictures; one that cannot be written is said.

    A run that had nothing to do leaves the report of the last one that had.

    Args:
        name: where it belongs, below the output.
        replace_foreign: whether it may replace a file that is no report of stylize.

    Returns:
        Whether storage does what it is asked; if not, nothing further need be tried.
    """
    try:
        if not may_replace_report(storage, name) and not replace_foreign:
            note(f"{storage.uri(name)} is no report of stylize, so none is written")
        elif report.planned > report.done_before or storage.stat(name) is None:
            storage.write(name, report.to_bytes(), content_type="application/json")
    except BatchError as error:
        known = error.fatal and report.end != "finished"
        note(f"the report could not be written{' either' if known else f': {error}'}")
        return False
    return True


class Tracing:
    """A listener that notes how each pair ended, for the trace of the run; no run fails by it."""

    def __init__(self) -> None:
        self._rows: TraceWriter | None = None
        self._lost = ""

    def expect(self, pairs: int) -> None:
        """Of no use here."""

    def pair_progress(self, progress: PairProgress) -> None:
        """Of no use here."""

    def note(self, text: str) -> None:
        """Of no use here."""

    def pair_ended(self, outcome: Outcome) -> None:
        """Add a row.

        Raises:
            OSError: the disk of temporary files is full, and there will be no trace.
        """
        try:
            self._rows = self._rows or TraceWriter()
            self._rows.add(outcome)
        except OSError as error:
            self._lost = error.strerror or str(error)
            raise

    def close(self) -> None:
        """Nothing is noted any more; a full disk may have kept rows in memory, and takes them now no more."""
        if self._rows is not None:
            with suppress(OSError):
                self._rows.close()

    def write(
        self, shard: Shard, storage: Storage, note: Callable[[str], None], *, replace_foreign: bool
    ) -> None:
        """Put the trace beside the report; a run in which no pair ended leaves that of the last one."""
        name = trace_name(shard)
        try:
            if self._lost:
                note(f"the trace could not be written: {self._lost}")
            elif self._rows is None:
                return
            elif not replace_foreign and not _may_replace_trace(storage, name):
                note(f"{storage.uri(name)} is no trace of stylize, so none is written")
            else:
                storage.write(name, self._rows.to_bytes(), content_type="text/csv; charset=utf-8")
        except (BatchError, OSError) as error:
            note(f"the trace could not be written: {error}")


def _may_replace_trace(storage: Storage, name: str) -> bool:
    try:
        return is_trace(storage.read(name))
    except NotFound:
        return True
