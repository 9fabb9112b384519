from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from flows.cli.closing import closing_line
from flows.model.selection import EVERYTHING, Selection
from flows.records.report import Report, RunFacts, Tally, summed_up

FACTS = RunFacts(
    manifest="/m.yaml",
    output="/out",
    shard="0/1",
    planned=4,
    done_before=4,
    end="finished",
    reason="",
    devices=(),
    warnings=(),
    storage_retries=0,
    seconds=2.0,
    started_at=datetime(2026, 11, 28, tzinfo=UTC),
)
REPORT = summed_up(FACTS, Tally())


@pytest.mark.parametrize(("shard", "page", "before", "named"), [
    ("0/1", True, 3, "report.html"), ("0/1", False, 3, "report.json"), ("1/4", True, 3, "report-1-of-4.json"),
    ("0/1", True, 4, "report.json"),
])  # fmt: skip
def test_the_last_line_names_what_there_is_to_look_at(
    shard: str, page: bool, before: int, named: str
) -> None:
    line = said(replace(REPORT, shard=shard, done_before=before), page=page)
    assert line == f"took 2s; pictures in /out; report {named} there"


@pytest.mark.parametrize(("shard", "preview", "selection", "left", "failed", "following"), [
    ("0/1", False, EVERYTHING, 2, 1, "run m.yaml"),
    ("0/1", False, EVERYTHING, 0, 1, "status m.yaml"),
    ("0/1", True, EVERYTHING, 2, 0, "run m.yaml --preview"),
    ("0/1", True, EVERYTHING, 0, 1, "status m.yaml --preview"),
    ("1/4", False, EVERYTHING, 2, 0, "run m.yaml --shard 1/4"),
    ("0/1", False, Selection(("lion*", "sea"), 3, force=True), 2, 0,
     "run m.yaml --only 'lion*' --only sea --limit 3 --force"),
    ("0/1", True, Selection(("lion*",), failed=True), 0, 1, "status m.yaml --preview --only 'lion*'"),
])  # fmt: skip
def test_the_command_that_it_offers_is_about_the_same_pairs(
    shard: str, preview: bool, selection: Selection, left: int, failed: int, following: str
) -> None:
    report = replace(REPORT, shard=shard, left=left, failed=failed)
    line = said(report, preview=preview, selection=selection)
    assert line.endswith(f"; next: stylize {following}")
    assert "next" not in said(report, "-", preview=preview, selection=selection)


def said(
    report: Report,
    manifest: str = "m.yaml",
    *,
    page: bool = True,
    preview: bool = False,
    selection: Selection = EVERYTHING,
) -> str:
    return closing_line(report, manifest, page=page, preview=preview, selection=selection)
