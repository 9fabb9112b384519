from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from small_batch import Audience, manifest, report, small_batch, stylize, stylize_here, tree

from flows.engines.base import WorkerSpec
from flows.engines.local import LocalEngine
from flows.errors import BadArguments
from flows.manifest.load import load_manifest
from flows.model.pair import Job, Outcome
from flows.model.shard import WHOLE
from flows.planning.plan import Plan, make_plan
from flows.records.report import Report
from flows.running import budget
from flows.running import run as run_module
from flows.running.budget import UNLIMITED, Budget, budget_of, sooner, watched
from flows.running.run import Beginning, Run, run_shard
from stylize_core.settings.style import StyleSettings


def given(**options: str | float) -> Budget:
    """The budget of a command line with these options and no others."""
    nothing = {"max_time": None, "until": None, "max_cost": None, "cost_per_hour": None}
    return budget_of(**nothing | options)  # type: ignore[arg-type]


# ---- what a budget is


def test_without_options_there_is_no_limit() -> None:
    assert given() == UNLIMITED


def test_a_budget_of_money_is_time_at_a_price() -> None:
    limit = given(max_cost=12.5, cost_per_hour=2.5)
    assert limit.limit_s == 5 * 3600
    assert limit.spent == "the cost budget of 12.5, which is 5h at 2.5 per hour, is used up"


@pytest.mark.parametrize(("max_time", "first"), [("1h", "time budget of 1h"), ("9h", "cost budget of 10")])
def test_of_two_budgets_the_one_that_is_used_up_first_counts(max_time: str, first: str) -> None:
    assert first in given(max_time=max_time, max_cost=10.0, cost_per_hour=2.0).spent


def test_a_moment_is_the_time_until_then_in_any_zone_and_one_that_is_past_is_over() -> None:
    later = datetime.now(UTC) + timedelta(hours=2)
    for zone in (UTC, timezone(timedelta(hours=5, minutes=30)), None):
        limit = given(until=later.astimezone(zone).replace(tzinfo=zone).isoformat())
        assert limit.limit_s == pytest.approx(7200, abs=60)
    assert given(until="2001-01-01T00:00Z").limit_s == 0
    assert given(until="2001-01-01").spent.startswith("it is 200")
    assert "time budget" in given(max_time="1h", until=later.isoformat()).spent


def test_a_budget_for_runs_that_begin_later_is_a_moment() -> None:
    assert sooner(None, None) is None
    in_an_hour = sooner("2999-01-01T00:00Z", "1h")
    assert in_an_hour is not None
    assert given(until=in_an_hour).limit_s == pytest.approx(3600, abs=60)
    assert sooner("2001-01-01T00:00Z", "1h") is not None
    with pytest.raises(BadArguments, match="--until: 'tomorrow' is not accepted; it must be a moment"):
        sooner("tomorrow", None)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"until": "6 o'clock"}, '--until: "6 o\'clock" is not accepted; it must be a moment such as'),
        ({"max_time": "soon"}, "--max-time: 'soon' is not accepted; it must be a length of time"),
        ({"max_time": "0"}, "--max-time: '0' is not accepted"),
        ({"max_cost": 5.0}, "--max-cost and --cost-per-hour belong together"),
        ({"cost_per_hour": 5.0}, "--max-cost and --cost-per-hour belong together"),
        ({"max_cost": 0.0, "cost_per_hour": 1.0}, "--max-cost: 0 is not accepted; it must be above 0"),
        ({"max_cost": 1.0, "cost_per_hour": -1.0}, "--cost-per-hour: -1 is not accepted"),
        ({"max_cost": float("nan"), "cost_per_hour": 1.0}, "--max-cost: nan is not accepted"),
        ({"max_cost": 1e308, "cost_per_hour": 1e-5}, "--max-cost: 1e+308 pays for more than a year"),
        ({"max_cost": 1.0, "cost_per_hour": 10000.0}, "--max-cost: 1 pays for less than a second"),
    ],
)
def test_a_budget_that_makes_no_sense_is_refused(options: dict[str, str | float], words: str) -> None:
    with pytest.raises(BadArguments) as refused:
        given(**options)
    assert words in str(refused.value)


# ---- what is done when it is used up


def test_a_used_up_budget_winds_down_first_and_stops_what_does_not_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(budget, "GRACE_S", 0.2)
    told: list[tuple[str, str]] = []
    stopped = threading.Event()

    def stop(words: str) -> None:
        told.append(("stop", words))
        stopped.set()

    with watched(Budget(5.0, "gone"), spent_s=5.0, wind_down=lambda w: told.append(("end", w)), stop=stop):
        assert stopped.wait(30)
    assert told == [("end", "gone"), ("stop", "gone")]


@pytest.mark.parametrize("limit_s", [1000.0, float("inf")])
def test_a_run_within_its_budget_hears_nothing_of_it(limit_s: float) -> None:
    told: list[str] = []
    with watched(Budget(limit_s, "gone"), spent_s=0.0, wind_down=told.append, stop=told.append):
        pass
    assert told == []
    assert not [thread for thread in threading.enumerate() if thread.name == "budget"]


def wound_down_at_the_first_step(path: Path) -> tuple[Audience, Report]:
    """A run that is told to wind down while its first pair is in flight."""
    loaded, told = load_manifest(path), list[object]()

    def enough(progress: object) -> None:
        if not told:
            told.append(progress)
            run.wind_down("the purse is empty")

    audience = Audience(enough)
    engine = LocalEngine(on_progress=audience.pair_progress, note=audience.note)
    run = Run(make_plan(loaded), engine, audience)
    try:
        run.make_pairs(loaded, device="cpu", workers=1)
    finally:
        engine.close()
    return audience, run.report(loaded, WHOLE, Beginning())


@pytest.mark.slow
def test_a_run_that_winds_down_ends_the_pair_in_flight_and_begins_no_other(tmp_path: Path) -> None:
    small_batch(tmp_path)
    audience, ended = wound_down_at_the_first_step(manifest(tmp_path))
    assert (ended.done, ended.failed, ended.left, ended.end, ended.exit_code) == (1, 0, 3, "stopped", 4)
    assert ended.reason == "the purse is empty"
    assert "3 left: run the same command again" in ended.sentence()
    assert audience.statuses()["p0__s0"] == "done"
    assert "the purse is empty; no further pair begins" in audience.notes
    assert sorted(tree(tmp_path / "out")) == ["p0__s0.json", "p0__s0.png"]


@pytest.mark.slow
def test_a_budget_that_is_used_up_by_the_last_pair_stops_nothing(tmp_path: Path) -> None:
    small_batch(tmp_path, photos=1, paintings=1)
    _, ended = wound_down_at_the_first_step(manifest(tmp_path))
    assert (ended.done, ended.left, ended.end, ended.exit_code) == (1, 0, "finished", 0)


class Clock:
    """The clock of a run that a test moves."""

    now = 0.0

    def monotonic(self) -> float:
        return self.now


class IdleEngine(LocalEngine):
    """Waits to be told that there is enough before it would begin its first pair."""

    enough = threading.Event()

    def start(self, spec: WorkerSpec) -> tuple[str, ...]:
        return spec.slots

    def check_weights(self, settings: StyleSettings) -> str:
        return ""

    def wind_down(self) -> None:
        self.enough.set()

    def outcomes(self, jobs: Iterable[Job]) -> Iterator[Outcome]:
        if not self.enough.wait(10):
            yield from (Outcome(job.pair.name, "done") for job in jobs)


def test_the_time_that_planning_takes_is_part_of_the_budget(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, loaded = Clock(), load_manifest(small_batch(tmp_path))

    def long_plan(*given: Any, **options: Any) -> Plan:
        clock.now += 7200
        return make_plan(*given, **options)

    monkeypatch.setattr(run_module, "time", clock)
    monkeypatch.setattr(run_module, "make_plan", long_plan)
    audience = Audience()
    engine = IdleEngine(on_progress=audience.pair_progress, note=audience.note)
    ended = run_shard(
        loaded, device="cpu", budget=Budget(3600.0, "an hour is over"), listener=audience, engine=engine
    )
    assert (ended.done, ended.left, ended.reason) == (0, 4, "an hour is over")


@pytest.mark.slow
def test_the_command_stops_for_its_budget_and_the_next_one_goes_on(tmp_path: Path) -> None:
    path = small_batch(tmp_path, photos=1)
    first = stylize("run", path, "--device", "cpu", "--max-cost", "0.01", "--cost-per-hour", "36")
    assert first.returncode == 4, first.stderr
    assert "the cost budget of 0.01, which is 1s at 36 per hour, is used up" in first.stdout
    assert report(tmp_path)["left"] == 2, "a worker alone takes longer to start"
    second = stylize_here("run", path, "--device", "cpu", "--max-time", "1h")
    assert second.returncode == 0, second.stderr
    assert "2 of 2 done" in second.stdout
