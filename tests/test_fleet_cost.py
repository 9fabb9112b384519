"""The benchmarks of fleets: their books, their bounds, and what a second worker adds."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.fleet.bounds import bounded, exceeded
from benchmarks.fleet.night import Night, fleet_night
from benchmarks.fleet.scaling import Speed, efficiency

REPORT = {"planned": 400, "done": 400, "done_before": 0, "failed": 0, "left": 0, "device_seconds": 400.0}
GOOD = Night(
    pairs=400,
    shards=20,
    database="PostgreSQL",
    report=REPORT,
    states={"COMPLETED": 20},
    peak_bytes=110 * 2**20,
    requests=90,
    database_bytes=2 * 2**20,
    plan_s=2.0,
    submit_s=17.0,
    close_s=8.0,
    wall_s=43.0,
    writing_s=1.0,
)


@pytest.mark.slow
@pytest.mark.timeout(900)  # a server on a new database, 20 submissions, two plans
def test_the_books_of_a_small_night_on_a_real_server_agree_and_its_cost_is_within_bounds() -> None:
    night = fleet_night(pairs=400, shards=20)
    assert night.unaccounted == ""
    assert (night.pairs, night.shards, night.database) == (400, 20, "PostgreSQL")
    assert night.requests >= 2 * night.shards, "nothing is submitted without asking"
    assert night.database_bytes > 0
    timeless = replace(night, wall_s=night.writing_s)  # how fast this machine is says nothing
    assert exceeded(timeless) == "", bounded(timeless)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"report": REPORT | {"done": 399, "left": 1}}, "done is 399, not 400; left is 1, not 0"),
        ({"report": REPORT | {"device_seconds": 380.0}}, "device_seconds is 380.0, not 400"),
        ({"states": {"COMPLETED": 19, "CRASHED": 1}}, "shards are {'COMPLETED': 19, 'CRASHED': 1}"),
        ({"states": {"COMPLETED": 21}}, "flow runs of shards are {'COMPLETED': 21}, not 20 COMPLETED"),
        ({"peak_bytes": 2**30}, "peak memory of the parent: 1,024 MB, more than "),
        ({"requests": 10_000}, "requests of the parent to the server: 10,000, more than "),
        ({"database_bytes": 2**30}, "growth of the database: 1,024 MB, more than "),
        ({"wall_s": 3600.0}, "wall time, but for writing the results: 3,599 s, more than "),
    ],
)  # fmt: skip
def test_a_night_that_loses_a_pair_or_costs_too_much_is_told_in_a_line(
    change: dict[str, object], words: str
) -> None:
    assert exceeded(GOOD) == ""
    trouble = exceeded(replace(GOOD, **change))  # type: ignore[arg-type]
    assert words in trouble
    assert "\n" not in trouble


def test_two_workers_that_take_half_the_time_have_an_efficiency_of_one() -> None:
    alone = [Speed(64, seconds, load=0.0) for seconds in (90.0, 100.0, 400.0)]
    assert efficiency({1: alone, 2: [Speed(64, 50.0, load=0.0)]}) == pytest.approx(1.0)
    assert efficiency({1: alone, 2: [Speed(64, 62.5, load=0.0)]}) == pytest.approx(0.8)
