from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.model.estimate import Expected, Knowledge, Prospect, interpolated, kind_of
from flows.model.observed import Kind, Observed
from flows.model.pair import Input, Pair
from stylize_core.demand.operations import work_of
from stylize_core.settings.picture import PictureSettings
from stylize_core.settings.style import StyleSettings

CPU = Kind("cpu", "slim", "auto", "lbfgs", small=False)
POINTS = st.lists(
    st.tuples(st.integers(1, 10**9), st.floats(1e-9, 1e9, allow_nan=False)), min_size=1, max_size=12
)


def observed(*, pixels: int, pace: float, kind: Kind = CPU, work: float = 1e9) -> Observed:
    return Observed(kind, pixels, work, pace * work, 1e-6 * pixels, "png 8", 2 * pixels)


def expected(seconds: float | None, *, beside: float = 0.0, name: str = "a", memory: int = 100) -> Expected:
    settings, picture = StyleSettings(), Input("/in.png")
    whole = None if seconds is None else seconds + beside
    work = work_of(settings, width=512, height=512)
    pair = Pair(name, picture, picture, settings, PictureSettings())
    return Expected(pair, CPU, 512, 512, work, whole, seconds, memory, 10)


@given(POINTS, st.integers(1, 10**9))
def test_a_value_between_points_lies_between_their_values(points: list[tuple[int, float]], at: int) -> None:
    found = interpolated(points, at)
    values = [value for _, value in points]
    assert found is not None
    assert min(values) * (1 - 1e-9) <= found <= max(values) * (1 + 1e-9)


@given(POINTS)
def test_the_order_of_the_points_does_not_matter(points: list[tuple[int, float]]) -> None:
    assert interpolated(points, 1000) == interpolated(points[::-1], 1000)


def test_an_outlier_among_points_of_one_size_does_not_count() -> None:
    assert interpolated([(100, 1.0), (101, 1.0), (102, 50.0)], 100) == 1.0


def test_what_was_measured_comes_out_again_and_twice_the_work_takes_twice_as_long() -> None:
    known = Knowledge((observed(pixels=10_000, pace=2e-9), observed(pixels=1_000_000, pace=1e-9)))
    assert known.seconds(CPU, pixels=10_000, work=1e9) == pytest.approx(2.0)
    assert known.seconds(CPU, pixels=1_000_000, work=2e9) == pytest.approx(2.0)
    assert known.seconds(CPU, pixels=100_000, work=1e9) == pytest.approx(math.sqrt(2.0))
    assert known.output_bytes("png 8", pixels=500) == 1000


def test_of_other_kinds_nothing_is_known() -> None:
    known = Knowledge((observed(pixels=10_000, pace=2e-9),))
    for settings, device in (
        (StyleSettings(encoder="vgg19"), "cpu"),
        (StyleSettings(size=128), "cpu"),
        (StyleSettings(precision="fp32"), "cpu"),
        (StyleSettings(mode="dream"), "cpu"),
        (StyleSettings(optimizer="adam"), "cpu"),
        (StyleSettings(), "cuda (NVIDIA H200)"),
    ):
        assert known.seconds(kind_of(settings, device), pixels=10_000, work=1e9) is None
    assert known.output_bytes("jpeg 8 92", pixels=500) is None


def test_where_one_pair_is_unknown_the_whole_is() -> None:
    prospect = Prospect((expected(5.0), expected(None, name="b")))
    assert (prospect.unknown, prospect.seconds, prospect.cost(1.0)) == (1, None, None)
    assert prospect.seconds_per_pair == 5.0


def test_the_whole_is_shared_by_the_workers_and_no_shorter_than_its_longest_pair() -> None:
    pairs = tuple(expected(10.0, name=str(number)) for number in range(6))
    assert Prospect(pairs, workers=1).seconds == 60
    assert Prospect(pairs, workers=2, start_s=4.0).seconds == 34
    assert Prospect(pairs, workers=100).seconds == 10
    assert Prospect(pairs, workers=2).memory_bytes == 200
    assert Prospect(pairs).cost(3.6) == pytest.approx(0.06)


def test_what_goes_on_beside_the_device_counts_once_unless_it_takes_longest() -> None:
    quick = tuple(expected(10.0, beside=1.0, name=str(number)) for number in range(3))
    assert Prospect(quick).seconds == 31
    slow = tuple(expected(1.0, beside=10.0, name=str(number)) for number in range(3))
    assert Prospect(slow).seconds == 25


def test_nothing_to_do_takes_no_time() -> None:
    assert Prospect(()).seconds == 0.0
    assert Prospect(()).memory_bytes == 0
