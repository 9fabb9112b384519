from __future__ import annotations

import io
import json
import os
from pathlib import Path

import pytest
import worker_here as worker
from rich.console import Console
from small_batch import manifest, small_batch

from flows.cli.tables import ROWS_SHOWN, print_status
from flows.manifest.load import load_manifest
from flows.model.pair import Job
from flows.planning.plan import make_plan
from flows.records.store import read_record
from flows.running.status import Status, look
from flows.storage.lock import hold_output
from flows.storage.opening import open_storage


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A batch of which one painting is bad, all tried once."""
    path = small_batch(tmp_path)
    (tmp_path / "paintings/s1.png").write_bytes(b"no painting")
    do(path)
    return tmp_path


def do(path: Path) -> None:
    worker.start("cpu")
    plan = make_plan(load_manifest(path))
    for planned in plan.todo:
        worker.run_pair(Job(planned.pair, plan.output, planned.identity, planned.attempts))


def found(home: Path) -> Status:
    return look(load_manifest(manifest(home)))


def printed(status: Status, *, width: int = 100) -> str:
    text = io.StringIO()
    print_status(status, Console(file=text, width=width))
    return text.getvalue()


def test_the_records_alone_say_how_far_a_manifest_is(home: Path) -> None:
    facts = found(home).facts()
    assert facts["counts"] == {"planned": 4, "done": 2, "todo": 2, "failed": 2}
    assert [failure["kind"] for failure in facts["failed"]] == ["bad_image", "bad_image"]
    assert (facts["running"], facts["last_report"]) == ([], {})
    json.dumps(facts)


def test_a_failure_goes_by_the_name_of_the_pair_that_its_record_lies_beside(home: Path) -> None:
    record = home / "out/p0__s1.json"
    (home / "out/p1__s1.json").write_bytes(record.read_bytes())
    assert [failure["name"] for failure in found(home).facts()["failed"]] == ["p0__s1", "p1__s1"]


def test_a_person_reads_counts_and_failures(home: Path) -> None:
    text = printed(found(home), width=300)
    assert text.startswith("2 of 4 done, 2 failed, in ")
    assert "p0__s1" in text
    assert "bad_image" in text
    assert "s1.png: this is text" in text


def test_a_narrow_screen_cuts_nothing_off(home: Path) -> None:
    wide, narrow = (printed(found(home), width=width) for width in (300, 60))
    assert sorted("".join(narrow.split())) == sorted("".join(wide.split()))


def test_whoever_is_at_work_is_named(home: Path) -> None:
    with hold_output(open_storage(str(home / "out"))):
        status = found(home)
    assert status.facts()["running"][0]["pid"] == os.getpid()
    assert f"pid {os.getpid()}, since 20" in printed(status)


def test_looking_changes_nothing(home: Path) -> None:
    before = sorted(path.name for path in (home / "out").iterdir())
    found(home)
    assert sorted(path.name for path in (home / "out").iterdir()) == before


def test_the_last_report_is_repeated_and_a_broken_one_is_none(home: Path) -> None:
    (home / "out/report.json").write_text('{"done": 2}')
    assert found(home).last_report == {"done": 2}
    for broken in ('{"done"', "[1]", ""):
        (home / "out/report.json").write_text(broken)
        assert found(home).last_report == {}


def test_double_work_of_the_last_run_is_said(home: Path) -> None:
    report = home / "out/report.json"
    report.write_text('{"done": 4, "double_work": 3}')
    assert "another run meanwhile made 3 of the last run's pairs as well" in printed(found(home))
    for nothing in ('{"done": 4, "double_work": 0}', '{"done": 4}', '{"double_work": "many"}'):
        report.write_text(nothing)
        assert "another run" not in printed(found(home))


def test_more_failures_than_a_screen_holds_are_counted(tmp_path: Path) -> None:
    path = small_batch(tmp_path, photos=0, paintings=1)
    (tmp_path / "photos").mkdir()
    for number in range(ROWS_SHOWN + 3):
        (tmp_path / f"photos/p{number:02}.png").write_bytes(b"no photo")
    do(path)
    text = printed(found(tmp_path))
    assert "and 3 more; --json lists all" in text
    assert f"p{ROWS_SHOWN + 2}__s0" not in text


def test_hostile_messages_do_not_reach_the_terminal(tmp_path: Path) -> None:
    path = small_batch(tmp_path, photos=0, paintings=1)
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos/a[red]b[link=x].png").write_bytes(b"no photo")
    do(path)
    record = next((tmp_path / "out").glob("*.json"))
    facts = json.loads(record.read_text())
    facts["failure"]["message"] = "first\nsecond \x1b[31mred"
    facts["failure"]["kind"] = "[bold]bad\x1b[2J"
    record.write_text(json.dumps(facts) + "\n")
    text = printed(found(tmp_path), width=300)
    assert "a[red]b[link=x]__s0" in text
    assert "[bold]bad" in text
    assert "\x1b" not in text


def test_the_rest_is_estimated_by_what_the_records_tell(home: Path) -> None:
    (home / "photos/p2.png").write_bytes((home / "photos/p1.png").read_bytes())
    status = found(home)
    assert len(status.plan.todo) == 4
    made = [read_record(open_storage(str(home / "out")), f"p{number}__s0.json") for number in range(2)]
    took = [record.timings_s["optimise"] + record.timings_s["targets"] for record in made if record]
    assert status.prospect.device_s == pytest.approx(2 * sum(took)), "four pairs like these two"
    assert status.seconds_left == status.facts()["seconds_left"] == status.prospect.seconds
    assert "about 1s for the rest by the records of this output" in printed(status)


def test_a_report_is_no_pace_and_where_nothing_was_made_nothing_is_estimated(tmp_path: Path) -> None:
    small_batch(tmp_path)
    (tmp_path / "out").mkdir()
    (tmp_path / "out/report.json").write_text(json.dumps({"done": 4, "seconds": 60.0}))
    status = found(tmp_path)
    assert (status.seconds_left, status.prospect.unknown) == (None, 4)
    assert "for the rest" not in printed(status)


def test_a_run_that_ended_early_is_told_until_another_is_at_work(home: Path) -> None:
    told = "the last run ended early: SIGTERM"
    assert told not in printed(found(home))
    (home / "out/report.json").write_text(json.dumps({"end": "stopped", "reason": "SIGTERM"}))
    assert told in printed(found(home))
    with hold_output(open_storage(str(home / "out"))):
        assert told not in printed(found(home))
