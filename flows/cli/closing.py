"""The last line of a run: how long it took, where everything is, and what to do next."""

from __future__ import annotations

import shlex

from flows.manifest.load import STDIN
from flows.model.durations import in_words
from flows.model.selection import Selection
from flows.model.shard import WHOLE, Shard
from flows.records.report import Report, page_name, report_name
from flows.text import safe_text


def closing_line(report: Report, manifest: str, *, page: bool, preview: bool, selection: Selection) -> str:
    """Time, pairs per hour, folder, report and the next command, in one line.

    Args:
        manifest: as the command was given it.
        page: whether a run of the whole that makes something leaves a page, which is nicer to look at.
        preview: whether it was a run of the preview.
        selection: which pairs were asked for.
    """
    made = report.done > 0 and report.seconds > 0
    pace = f" ({report.done * 3600 / report.seconds:.0f} pairs per hour)" if made else ""
    shard = Shard.parse(report.shard)
    leaves_page = page and shard == WHOLE and report.planned > report.done_before
    name = page_name(shard) if leaves_page else report_name(shard)
    parts = [f"took {in_words(report.seconds)}{pace}", f"pictures in {report.output}", f"report {name} there"]
    if words := _next(report, manifest, preview=preview, selection=selection):
        parts.append(f"next: {shlex.join(('stylize', *words))}")
    return safe_text("; ".join(parts))


def _next(report: Report, manifest: str, *, preview: bool, selection: Selection) -> list[str]:
    """The words of the command that goes on, over the same pairs; none where nothing is to do.

    None either where the manifest came through a pipe: it has been read.
    """
    small = ["--preview"] if preview else []
    if manifest == STDIN or not (report.left or report.failed):
        return []
    if not report.left:
        return ["status", manifest, *small, *Selection(selection.only).options()]
    part = [] if report.shard == str(WHOLE) else ["--shard", report.shard]
    return ["run", manifest, *small, *part, *selection.options()]
