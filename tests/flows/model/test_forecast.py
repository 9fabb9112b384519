"""Time left: runs that go as expected, slower, or otherwise, told by a clock of the test's own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import pytest

from flows.model.estimate import Expected, Prospect
from flows.model.events import PairProgress
from flows.model.forecast import Forecast
from flows.model.observed import Kind
from flows.model.pair import Input, Outcome, Pair
from stylize_core.demand.operations import work_of
from stylize_core.settings.picture import PictureSettings
from stylize_core.settings.style import StyleSettings

SLIM = Kind("cpu", "slim", "auto", "lbfgs", small=False)
VGG = replace(SLIM, encoder="vgg19")
STEPS = 100


@dataclass
class Clock:
    now: float = 100.0

    def __call__(self) -> float:
        return self.now


def pair(name: str, seconds: float | None, kind: Kind = SLIM, *, size: int = 512) -> Expected:
    settings, picture = StyleSettings(size=size, steps=STEPS), Input("/in.png")
    one = Pair(name, picture, picture, settings, PictureSettings())
    return Expected(
        one, kind, size, size, work_of(settings, width=size, height=size), seconds, seconds, 1, None
    )


@dataclass
class Run:
    """A run of one worker, at a pace of its own."""

    forecast: Forecast
    clock: Clock

    def make(self, one: Expected, *, seconds: float, until: int = STEPS, worker: int = 0) -> None:
        """Make a pair, or a part of it, in reports ten steps apart."""
        before = 0.0
        for step in range(10, until + 1, 10):
            share = one.work.after(step) / one.work.total
            self.clock.now += seconds * (share - before)
            before = share
            self.forecast.progress(PairProgress(one.pair.name, step, 0.5, worker))
        if until == STEPS:
            self.forecast.ended(Outcome(one.pair.name, "done"))

    @property
    def left(self) -> float:
        found = self.forecast.seconds_left
        assert found is not None
        return found


def run_of(pairs: Sequence[Expected], workers: int = 1) -> Run:
    clock = Clock()
    forecast = Forecast(Prospect(tuple(pairs), workers), clock)
    forecast.begin()
    return Run(forecast, clock)


@pytest.mark.parametrize("slower", [0.3, 1.0, 4.0])
def test_after_a_tenth_of_the_work_the_time_left_is_right_whatever_was_estimated(
    slower: float,
) -> None:
    pairs = [pair(str(number), 20.0) for number in range(10)]
    run = run_of(pairs)
    run.make(pairs[0], seconds=20.0 * slower)
    assert run.forecast.share == pytest.approx(0.1, abs=0.01)
    assert run.left == pytest.approx(180.0 * slower, rel=0.2)


def test_where_nothing_was_known_the_time_is_unknown_until_something_was_measured() -> None:
    pairs = [pair(str(number), None) for number in range(10)]
    run = run_of(pairs)
    assert run.forecast.seconds_left is None
    run.make(pairs[0], seconds=30.0)
    assert run.left == pytest.approx(270.0, rel=0.05)


def test_the_time_is_that_of_the_work_and_not_of_the_pairs() -> None:
    small, large = pair("small", None, size=256), pair("large", None, size=1024)
    run = run_of([small, large])
    run.make(small, seconds=10.0)
    assert run.left == pytest.approx(10.0 * large.work.total / small.work.total, rel=0.1)
    assert run.forecast.share < 0.1


def test_each_kind_is_corrected_by_its_own_pairs() -> None:
    slim, vgg = [pair(f"s{n}", 10.0) for n in range(2)], [pair(f"v{n}", 100.0, VGG) for n in range(2)]
    run = run_of([*slim, *vgg])
    run.make(slim[0], seconds=40.0)
    assert run.left == pytest.approx(4 * 10.0 + 200.0, rel=0.1), "slim says nothing of vgg"


def test_two_workers_share_what_is_left_but_not_one_pair() -> None:
    pairs = [pair(str(number), 10.0) for number in range(4)]
    run = run_of(pairs, workers=2)
    assert run.left == pytest.approx(20.0)
    alone = run_of(pairs[:1], workers=2)
    alone.make(pairs[0], seconds=10.0, until=10)
    assert alone.left == pytest.approx(10.0 * (1 - pairs[0].work.after(10) / pairs[0].work.total), rel=0.05)


def test_pairs_that_fail_or_are_done_already_are_no_work_any_more() -> None:
    pairs = [pair(str(number), 10.0) for number in range(4)]
    run = run_of(pairs)
    run.forecast.ended(Outcome("0", "failed", "bad_image", ""))
    run.forecast.ended(Outcome("1", "skipped"))
    assert run.forecast.share == 0.0
    assert run.left == pytest.approx(20.0)
    run.make(pairs[2], seconds=10.0)
    assert run.forecast.share == pytest.approx(0.5)


def test_a_pair_that_is_begun_anew_is_work_once_more() -> None:
    one = pair("a", 10.0)
    run = run_of([one])
    run.make(one, seconds=10.0, until=90)
    late = run.left
    run.forecast.progress(PairProgress("a", 10, 0.5))
    assert run.left > 2 * late
    run.make(one, seconds=10.0)
    assert [run.left, run.forecast.share] == pytest.approx([0.0, 1.0])


def test_what_a_worker_has_at_hand_is_shown_with_its_size_and_time() -> None:
    one = pair("a", 10.0)
    run = run_of([one, pair("b", 10.0)], workers=2)
    run.make(one, seconds=10.0, until=10, worker=1)
    (shown,) = run.forecast.in_flight().items()
    number, row = shown
    assert (number, row.name, row.step, row.steps, row.loss) == (1, "a", 10, STEPS, 0.5)
    assert row.width < 100, "the first sizes are small"
    assert row.left_s == pytest.approx(10.0, rel=0.05)
    run.make(one, seconds=10.0, worker=1)
    assert run.forecast.in_flight() == {}


def test_pairs_of_one_batch_end_together() -> None:
    pairs = [pair(str(number), 10.0) for number in range(2)]
    run = run_of(pairs)
    share = pairs[0].work.after(50) / pairs[0].work.total
    run.clock.now += 20.0 * share
    for one in pairs:
        run.forecast.progress(PairProgress(one.pair.name, 50, 0.5))
    (row,) = run.forecast.in_flight().values()
    assert row.left_s == pytest.approx(20.0 * (1 - share), rel=0.01)
    assert run.left == pytest.approx(20.0 * (1 - share), rel=0.01)


@pytest.mark.parametrize(
    ("slower", "least", "most"), [(1.3, 1.0, 1.25), (1.0, 0.99, 1.01), (0.2, 0.19, 0.3), (4.0, 3.5, 4.1)]
)
def test_an_estimate_counts_as_long_as_it_is_about_right(slower: float, least: float, most: float) -> None:
    one = pair("a", 100.0)
    run = run_of([one])
    run.make(one, seconds=100.0 * slower, until=40)
    expected_s = 100.0 * (1 - run.forecast.share)
    assert least <= run.left / expected_s <= most


class Counted(tuple[Expected, ...]):
    """Counts how often somebody goes through it."""

    walks = 0

    def __iter__(self) -> Iterator[Expected]:
        self.walks += 1
        return super().__iter__()


@pytest.mark.parametrize("seconds", [None, 2.0])
def test_what_is_foreseen_of_many_pairs_is_not_gone_through_for_each_of_them(seconds: float | None) -> None:
    """A hundred thousand pairs of which nothing was measured held up a run for minutes."""
    few, many = (Counted(pair(str(n), seconds) for n in range(count)) for count in (3, 300))
    for pairs in (few, many):
        Forecast(Prospect(pairs), Clock())
    assert many.walks == few.walks
