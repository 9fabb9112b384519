"""The last line of a run: how long it took, where everything is, and what to do next."""

from __future__ import annotations

import shlex

from flows.model.durations import in_words
from flows.model.shard import WHOLE, Shard
from flows.records.report import Report, page_name, report_name
from flows.text import safe_text


def closing_line(report: Report, manifest: str, *, page: bool) -> str:
    """Time, pairs per hour, folder, report and the next command, in one line.

    Args:
        manifest: as the command was given it.
        page: whether a run of the whole that makes something leaves a page, which is nicer to look at.
    """
    made = report.done > 0 and report.seconds > 0
    pace = f" ({report.done * 3600 / report.seconds:.0f} pairs per hour)" if made else ""
    shard = Shard.parse(report.shard)
    leaves_page = page and shard == WHOLE and report.planned > report.done_before
    name = page_name(shard) if leaves_page else report_name(shard)
    parts = [f"took {in_words(report.seconds)}{pace}", f"pictures in {report.output}", f"report {name} there"]
    if report.left:
        parts.append(f"next: stylize run {_given(manifest)}")
    elif report.failed:
        parts.append(f"next: stylize status {_given(manifest)}")
    return safe_text("; ".join(parts))


def _given(manifest: str) -> str:
    return shlex.quote(manifest)
