from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from flows.model.pair import Outcome
from flows.records.report import FAILURES_LISTED, Report, RunFacts, Tally, summed_up


def report_of(outcomes: list[Outcome], **changes: Any) -> Report:
    tally = Tally()
    for outcome in outcomes:
        tally.add(outcome)
    facts: dict[str, Any] = {
        "manifest": "m.yaml",
        "output": "/out",
        "shard": "0/1",
        "planned": len(outcomes),
        "done_before": 0,
        "end": "finished",
        "reason": "",
        "devices": ("cpu",),
        "warnings": (),
        "storage_retries": 0,
        "seconds": 1.23456,
        "started_at": datetime(2026, 1, 2, tzinfo=UTC),
    }
    return summed_up(RunFacts(**(facts | changes)), tally)


DONE = Outcome("a", "done")
SKIPPED = Outcome("b", "skipped")
DOUBLED = Outcome("d", "skipped", double_work=True)
BAD = Outcome("c", "failed", "bad_image", "c.png is no picture")


@pytest.mark.parametrize(
    ("report", "code"),
    [
        (report_of([DONE, SKIPPED]), 0),
        (report_of([DONE, DOUBLED]), 0),
        (report_of([]), 0),
        (report_of([DONE, BAD]), 3),
        (report_of([DONE, BAD], planned=3), 4),
        (report_of([DONE], planned=3, end="stopped", reason="disk full"), 4),
        (report_of([DONE], planned=3, end="interrupted", reason="interrupted"), 130),
    ],
)
def test_the_exit_code_follows_from_what_became_of_the_pairs(report: Report, code: int) -> None:
    assert report.exit_code == code
    assert json.loads(report.to_bytes())["exit_code"] == code


def test_every_planned_pair_is_counted_once() -> None:
    report = report_of([DONE, SKIPPED, BAD], planned=9, done_before=4)
    assert (report.done, report.failed, report.left) == (2, 1, 2)
    assert report.done_before + report.done + report.failed + report.left == report.planned


def test_what_another_run_made_as_well_is_done_and_told_as_double_work() -> None:
    report = report_of([DONE, SKIPPED, DOUBLED], planned=4, done_before=1)
    assert (report.done, report.double_work, report.left) == (3, 1, 0)
    assert json.loads(report.to_bytes())["double_work"] == 1
    assert report.sentence() == "4 of 4 done (3 now, 1 before); another run meanwhile made 1 of them as well"
    assert "another run" not in report_of([DONE, SKIPPED]).sentence()


def test_failures_are_listed_with_kind_and_message_and_counted_by_kind() -> None:
    bad = [Outcome(f"n{n}", "failed", "bad_image" if n else "crashed", "why") for n in range(3)]
    facts = json.loads(report_of(bad).to_bytes())
    assert facts["failures"][0] == {"name": "n0", "kind": "crashed", "message": "why"}
    assert facts["failures_by_kind"] == {"bad_image": 2, "crashed": 1}


def test_a_million_failures_do_not_make_a_huge_report() -> None:
    bad = [Outcome(f"n{n}", "failed", "bad_image", "why") for n in range(FAILURES_LISTED + 5)]
    report = report_of(bad)
    assert (len(report.failures), report.failed) == (FAILURES_LISTED, FAILURES_LISTED + 5)


def test_the_sentence_says_what_a_person_wants_to_know() -> None:
    assert report_of([DONE]).sentence() == "1 of 1 done (1 now, 0 before)"
    stopped = report_of([DONE, BAD], planned=5, end="stopped", reason="/out: no space left")
    assert stopped.sentence() == (
        "1 of 5 done (1 now, 0 before); 1 failed (bad_image 1); stopped: /out: no space left; "
        "3 left: run the same command again to go on"
    )
    again = replace(stopped, selection="--only lion* --force")
    assert again.sentence().endswith(
        "3 left: run the same command again, which begins with what was made longest ago"
    )
    interrupted = report_of([], planned=2, end="interrupted", reason="interrupted")
    assert "; interrupted; 2 left" in interrupted.sentence()


def test_hostile_names_stay_json() -> None:
    hostile = Outcome('a"\n\x1b[31m[red]', "failed", "bad_image", 'x"\n}')
    data = report_of([hostile]).to_bytes()
    assert data.isascii()
    assert b"\x1b" not in data
    assert json.loads(data)["failures"][0]["name"] == hostile.name


@pytest.mark.parametrize(
    ("data", "ours"),
    [
        (b"", True),
        (b'{\n "dev', True),
        (b'{"done": 1', True),
        (b'{"report_version": 1}', True),
        (b'{"label": "cat"}', False),
        (b'{"label": "ca', False),
        (b"a report of mine", False),
        (b"[1, 2]", False),
    ],
)
def test_a_report_is_told_from_somebody_elses_file_of_that_name(data: bytes, ours: bool) -> None:
    assert Report.is_report(data) == ours


def test_every_worker_counts_the_seconds_of_the_run() -> None:
    report = report_of([DONE], devices=("cuda:0", "cuda:1", "cuda:1"))
    assert (report.seconds, report.device_seconds) == (1.235, 3.704)
