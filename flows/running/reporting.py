"""The report of a run, put beside its pictures."""

from __future__ import annotations

from collections.abc import Callable

from flows.errors import BatchError
from flows.records.ownership import may_replace_report
from flows.records.report import Report
from flows.storage.base import Storage


def write_report(
    report: Report, name: str, storage: Storage, note: Callable[[str], None], *, replace_foreign: bool
) -> Report:
    """Write the report beside the pictures, and return it; one that cannot be written is said.

    A run that had nothing to do leaves the report of the last one that had.

    Args:
        name: where it belongs, below the output.
        replace_foreign: whether it may replace a file that is no report of stylize.
    """
    try:
        if not may_replace_report(storage, name) and not replace_foreign:
            note(f"{storage.uri(name)} is no report of stylize, so none is written")
        elif report.planned > report.done_before or storage.stat(name) is None:
            storage.write(name, report.to_bytes(), content_type="application/json")
    except BatchError as error:
        known = error.fatal and report.end != "finished"
        note(f"the report could not be written{' either' if known else f': {error}'}")
    return report
