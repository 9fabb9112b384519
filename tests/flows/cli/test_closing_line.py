from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from flows.cli.closing import closing_line
from flows.records.report import RunFacts, Tally, summed_up

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
    line = closing_line(replace(REPORT, shard=shard, done_before=before), "m.yaml", page=page)
    assert line == f"took 2s; pictures in /out; report {named} there"
