"""What operators read in Prefect, as text: names, tags, tables; and when a silent flow run counts as lost."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import httpx
import pytest
from prefect.client.schemas.objects import State
from prefect.exceptions import PrefectHTTPStatusError
from prefect.states import Cancelled, Cancelling, Completed, Crashed, Failed, Pending, Running
from rich.console import Console

from flows.errors import StorageFatal
from flows.fleet import locks as locks_module
from flows.fleet import submissions as submissions_module
from flows.fleet.artifacts import Progress, artifact_key, failure_row, markdown
from flows.fleet.flow_run_log import FAILURES_TOLD, FlowRunLog, outlive_console
from flows.fleet.locks import Locks
from flows.fleet.naming import run_name, tags
from flows.fleet.submissions import (
    ATTEMPTS,
    IN_VAIN,
    NEVER_STARTED_S,
    SILENT_AFTER_S,
    Submissions,
    _Attempt,
    _lost,
)
from flows.model.pair import Outcome
from flows.model.shard import Shard
from flows.records.report import Failed as FailedPair
from flows.records.report import Report
from flows.storage.lock import hold_output
from flows.storage.opening import open_storage


def a_report(**changes: Any) -> Report:
    facts: dict[str, Any] = {
        "manifest": "s3://bucket/m|x.yaml", "output": "s3://bucket/out", "shard": "1/4", "planned": 10,
        "done_before": 2, "done": 6, "failed": 1, "left": 1, "end": "finished", "reason": "",
        "failures": (FailedPair("a__b", "bad_image", "no <b>JPEG</b>"),),
        "failures_by_kind": {"bad_image": 1},
        "devices": ("cuda:0",), "warnings": (), "storage_retries": 0, "double_work": 0,
        "seconds": 1800.0, "device_seconds": 3600.0, "machine_seconds": 5400.0,
        "started_at": "2026-01-01T00:00:00", "finished_at": "2026-01-01T00:30:00",
    }  # fmt: skip
    return Report(**facts | changes)


def test_a_run_is_named_after_manifest_output_and_shard() -> None:
    assert run_name("/srv/m.yaml", "/data/out/", Shard(1, 4)) == "m.yaml to data/out 1/4"
    assert run_name("s3://b/nights/m.yaml", "s3://b/out") == "m.yaml to b/out"
    assert tags("m.yaml", "out", Shard(1, 4)) == ["manifest:m.yaml", "output:out", "shard:1/4"]
    assert run_name("a\x1b[31m.yaml", "out").isprintable()


@pytest.mark.parametrize("manifest", ["s3://bucket/Tonight_2.yaml", "-", "<stdin>", "/a/ß.yml"])
def test_every_manifest_has_a_key_that_prefect_takes(manifest: str) -> None:
    assert set(artifact_key(manifest)) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")


def test_a_report_shows_counts_speed_and_cost_and_no_markup_of_strangers() -> None:
    shown = markdown(a_report(), cost_per_hour=3.0)
    assert "| pairs per hour | 12.0 |" in shown
    assert "| cost | 4.50 |" in shown, "all machines together"
    assert "| device-seconds | 3600 |" in shown
    assert "| failed, left | 1, 1 |" in shown
    assert r"m\|x.yaml" in shown
    assert "cost" not in markdown(a_report(), cost_per_hour=None)
    assert "| double work | 3 |" in markdown(a_report(double_work=3), cost_per_hour=None)


def test_a_failure_leads_to_its_record() -> None:
    row = failure_row(a_report(), "a__b", "bad_image", "no JPEG")
    assert row == {
        "pair": "a__b", "kind": "bad_image", "why": "no JPEG", "record": "s3://bucket/out/a__b.json",
    }  # fmt: skip
    assert failure_row(a_report(output="/data/out"), "a", "k", "w")["record"] == "file:///data/out/a.json"


def test_the_log_tells_the_first_failures_and_counts_all(caplog: pytest.LogCaptureFixture) -> None:
    log = FlowRunLog(logging.getLogger("a flow run"), Unshown())
    with caplog.at_level(logging.INFO):
        log.expect(FAILURES_TOLD + 5)
        for number in range(FAILURES_TOLD + 5):
            log.pair_ended(Outcome(f"p{number}", "failed", "bad_image", "no JPEG"))
        log.count()
    lines = [record.getMessage() for record in caplog.records]
    assert sum(line.endswith("bad_image: no JPEG") for line in lines) == FAILURES_TOLD
    assert lines[-1] == "205 of 205 pairs have ended, 205 failed"


class Unshown(Progress):
    """A progress that no server is told of."""

    def __init__(self) -> None:
        super().__init__("x")

    def show(self, ended: int, expected: int) -> None:
        pass


def test_a_console_that_nobody_reads_ends_no_run(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        def write(self, text: str) -> None:
            raise BrokenPipeError

        def flush(self) -> None:
            pass

    handler = logging.Handler()
    console = Console(file=Broken())  # type: ignore[arg-type]
    monkeypatch.setattr(handler, "console", console, raising=False)
    logger = logging.getLogger("prefect.broken")
    logger.addHandler(handler)
    try:
        outlive_console()
        console.print("a line")
        console.print("and another one")
    finally:
        logger.removeHandler(handler)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time that fleets see; a test moves it."""
    now = [1000.0]
    for module in (submissions_module, locks_module):
        monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    return now


def submissions_over(output: Path) -> Submissions:
    locks = Locks(open_storage(str(output)))
    return Submissions("f/d", {}, fleet=str(uuid4()), name=str, locks=locks, note=lambda _: None)


def test_a_run_that_is_running_without_a_lock_for_long_is_lost(tmp_path: Path, clock: list[float]) -> None:
    fleet, attempt = submissions_over(tmp_path), _Attempt(Shard(1, 4), 1)
    assert fleet._why_silent(attempt, Running()) == ""
    clock[0] += SILENT_AFTER_S - 1
    assert fleet._why_silent(attempt, Running()) == ""
    clock[0] += 2
    assert "without a sign of life for 150 s" in fleet._why_silent(attempt, Running())


def test_a_run_whose_shard_or_another_division_is_locked_is_alive(tmp_path: Path, clock: list[float]) -> None:
    for held in (Shard(1, 4), Shard(0, 3)):
        fleet, attempt = submissions_over(tmp_path), _Attempt(Shard(1, 4), 1)
        with hold_output(open_storage(str(tmp_path)), held):
            for _ in range(10):
                clock[0] += 100
                assert fleet._why_silent(attempt, Running()) == ""


def test_the_lock_of_another_shard_is_no_sign_of_life(tmp_path: Path, clock: list[float]) -> None:
    fleet, attempt = submissions_over(tmp_path), _Attempt(Shard(1, 4), 1)
    with hold_output(open_storage(str(tmp_path)), Shard(2, 4)):
        fleet._why_silent(attempt, Running())
        clock[0] += SILENT_AFTER_S + 1
        assert fleet._why_silent(attempt, Running())


def losses_until_given_up(went_on: Callable[[int], bool]) -> int:
    """How often a shard is lost before no further attempt is made at it."""
    attempt: _Attempt | None = _Attempt(Shard(1, 4), 1)
    losses = 0
    while attempt:
        losses += 1
        assert attempt.number == losses
        attempt = attempt.after_loss(went_on=went_on(losses))
    return losses


@pytest.mark.parametrize(
    ("went_on", "losses"),
    [
        (lambda loss: False, IN_VAIN),
        (lambda loss: loss <= 5, 5 + IN_VAIN),
        (lambda loss: loss % IN_VAIN > 0, ATTEMPTS),
        (lambda loss: True, ATTEMPTS),
    ],
    ids=["never came to anything", "went on five times", "now and then", "every time"],
)
def test_only_losses_in_a_row_that_came_to_nothing_give_a_shard_up(
    went_on: Callable[[int], bool], losses: int
) -> None:
    assert losses_until_given_up(went_on) == losses


@pytest.mark.parametrize(
    ("state", "lost"),
    [
        (Crashed(message="its worker was stopped"), True),
        (Failed(message="Flow run encountered an exception: FileNotFoundError"), True),
        (Failed(name="PartialFailure"), False),
        (Failed(name="NothingStarted"), False),
        (Completed(), False),
        (Cancelled(), False),
        (None, False),
    ],
    ids=str,
)
def test_a_run_that_did_not_come_to_its_own_end_is_lost(state: State[Any] | None, lost: bool) -> None:
    assert _lost(state) == lost


@pytest.mark.parametrize(("percent", "in_vain"), [(0.5, 0), (0.0, 1)])
def test_a_lost_shard_is_tried_again_and_what_its_run_had_shown_counts(
    percent: float, in_vain: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(submissions_module, "percent_shown", lambda client, run: percent)
    again = submissions_over(tmp_path)._again(NOBODY, uuid4(), LOST, _Attempt(Shard(1, 4), 2))
    assert again is not None
    assert (again.shard, again.number, again.in_vain) == (Shard(1, 4), 3, in_vain)


def test_a_server_that_shows_nobody_its_artifacts_ends_no_fleet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbidden(client: object, run: object) -> float:
        answer = httpx.Response(403, request=httpx.Request("POST", "http://127.0.0.1/api/artifacts/filter"))
        raise PrefectHTTPStatusError.from_httpx_error(
            httpx.HTTPStatusError("Forbidden", request=answer.request, response=answer)
        )

    monkeypatch.setattr(submissions_module, "percent_shown", forbidden)
    again = submissions_over(tmp_path)._again(NOBODY, uuid4(), LOST, _Attempt(Shard(1, 4), 1))
    assert again is not None
    assert again.in_vain == 1


NOBODY: Any = None
"""A client that is asked nothing."""


LOST: State[Any] = Crashed(message="its machine was lost")


class Server:
    """A client whose server answers with what it knows of each flow run; None: it does not know it."""

    def __init__(self, *answers: State[Any] | None) -> None:
        self.answers, self.was_set = list(answers), list[State[Any]]()

    def read_flow_runs(self, *, flow_run_filter: Any, limit: int) -> list[Any]:
        state = self.answers.pop(0)
        return [SimpleNamespace(id=run, state=state) for run in flow_run_filter.id.any_ if state]

    def set_flow_run_state(self, run: object, state: State[Any]) -> None:
        self.was_set.append(state)


def looked_at(fleet: Submissions, server: Any, attempt: _Attempt) -> list[str]:
    """The types of the states in which its flow run was found to have ended, by one look."""
    fleet._at_work = {uuid4(): attempt} if not fleet._at_work else fleet._at_work
    return [state.type.value for _, state in fleet._over(server)]


def test_a_flow_run_that_was_deleted_is_lost_and_one_that_is_missed_once_is_not(tmp_path: Path) -> None:
    fleet, attempt = submissions_over(tmp_path), _Attempt(Shard(1, 4), 1)
    server = Server(None, Pending(), None, None)
    assert [looked_at(fleet, server, attempt) for _ in range(4)] == [[], [], [], ["CRASHED"]]
    assert server.was_set == []


def test_a_flow_run_that_is_being_cancelled_on_a_machine_that_is_gone_is_cancelled(
    tmp_path: Path, clock: list[float]
) -> None:
    fleet, attempt = submissions_over(tmp_path), _Attempt(Shard(1, 4), 1)
    server = Server(Cancelling(), Cancelling(), Cancelled())
    assert looked_at(fleet, server, attempt) == []
    assert server.was_set == []
    clock[0] += SILENT_AFTER_S + 1
    assert looked_at(fleet, server, attempt) == []
    assert [state.type.value for state in server.was_set] == ["CANCELLED"]
    assert looked_at(fleet, server, attempt) == ["CANCELLED"]


def test_a_run_that_waits_for_its_image_has_half_an_hour(tmp_path: Path, clock: list[float]) -> None:
    fleet, attempt = submissions_over(tmp_path), _Attempt(Shard(1, 4), 1)
    fleet._why_silent(attempt, Pending())
    clock[0] += NEVER_STARTED_S - 1
    assert fleet._why_silent(attempt, Pending()) == ""
    clock[0] += 2
    assert fleet._why_silent(attempt, Pending())


def test_a_run_that_waited_long_for_its_image_is_not_lost_before_it_takes_its_lock(
    tmp_path: Path, clock: list[float]
) -> None:
    fleet, attempt = submissions_over(tmp_path), _Attempt(Shard(1, 4), 1)
    fleet._why_silent(attempt, Pending())
    clock[0] += NEVER_STARTED_S - 1
    assert fleet._why_silent(attempt, Running()) == ""
    clock[0] += SILENT_AFTER_S - 1
    assert fleet._why_silent(attempt, Running()) == ""
    clock[0] += 2
    assert fleet._why_silent(attempt, Running())


def test_a_storage_that_does_not_answer_is_no_sign_of_death(
    tmp_path: Path, clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(storage: object) -> None:
        raise StorageFatal("away")

    monkeypatch.setattr(locks_module, "current_holders", away)
    fleet, attempt = submissions_over(tmp_path), _Attempt(Shard(1, 4), 1)
    for _ in range(10):
        clock[0] += 100
        assert fleet._why_silent(attempt, Running()) == ""
