"""The last run over an output: one report, or those of its shards as one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from flows.records.last_report import last_report
from flows.storage.base import Storage
from flows.storage.opening import open_storage

PLAIN: dict[str, Any] = {
    "end": "finished", "reason": "", "planned": 10, "done_before": 2, "done": 7, "failed": 1, "left": 0,
    "seconds": 5.0, "failures": [{"name": "a"}], "failures_by_kind": {"bad_image": 1}, "devices": ["cpu"],
    "warnings": ["w"], "storage_retries": 1, "device_seconds": 10.0, "machine_seconds": 5.0, "exit_code": 3,
    "started_at": "2026-01-01T00:00:00+00:00", "finished_at": "2026-01-01T00:00:05+00:00",
}  # fmt: skip


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return open_storage(str(tmp_path))


def report(storage: Storage, name: str, **changes: Any) -> None:
    storage.write(name, json.dumps(PLAIN | changes).encode())


def test_the_reports_of_shards_add_up_and_the_worst_end_counts(storage: Storage) -> None:
    report(storage, "report-0-of-3.json")
    late = {"finished_at": "2026-01-01T00:09:00+00:00", "seconds": 9.0, "device_seconds": 18.0}
    stopped = {"end": "stopped", "reason": "SIGTERM", "left": 4, "done": 3, "exit_code": 4}
    report(
        storage, "report-2-of-3.json", devices=["cuda:0"], failures_by_kind={"timeout": 2}, **stopped, **late
    )
    found = last_report(storage)
    assert (found["planned"], found["done"], found["left"]) == (20, 10, 4)
    assert (found["end"], found["reason"], found["exit_code"]) == ("stopped", "SIGTERM", 4)
    assert (found["seconds"], found["finished_at"]) == (9.0, late["finished_at"])
    assert (found["device_seconds"], found["machine_seconds"]) == (28.0, 10.0)
    assert found["failures_by_kind"] == {"timeout": 2, "bad_image": 1}
    assert (found["devices"], found["warnings"]) == (["cpu", "cuda:0"], ["w"])
    assert found["shard"] == "2 of 3 shards"


def test_double_work_adds_up_with_reports_that_do_not_know_it_yet(storage: Storage) -> None:
    report(storage, "report-0-of-3.json")
    report(storage, "report-1-of-3.json", double_work=2)
    report(storage, "report-2-of-3.json", double_work=3)
    assert last_report(storage)["double_work"] == 5


@pytest.mark.parametrize(("whole", "shards", "planned"), [("05", "04", 10), ("04", "05", 20)])
def test_the_division_that_ended_last_is_the_last_run(
    storage: Storage, whole: str, shards: str, planned: int
) -> None:
    report(storage, "report.json", finished_at=f"2026-{whole}")
    for index in range(2):
        report(storage, f"report-{index}-of-2.json", finished_at=f"2026-{shards}")
    report(storage, "report-0-of-9.json", finished_at="2026-01")
    assert last_report(storage)["planned"] == planned


@pytest.mark.parametrize(
    "text",
    ["", "[]", "no", "[" * 100_000, '{"planned": "x", "failures_by_kind": 3, "failures": {}, "end": 1}'],
)
def test_what_is_no_report_counts_nothing(storage: Storage, text: str) -> None:
    storage.write("report-1-of-2.json", text.encode())
    storage.write("report-7-of-2.json", b"{}")
    storage.write("reporter.json", b"{}")
    report(storage, "report-0-of-2.json")
    assert last_report(storage)["planned"] == 10
