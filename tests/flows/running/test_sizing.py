"""Into how many shards a manifest is divided."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.errors import BadArguments
from flows.model.shard import Shard
from flows.running.sizing import (
    GIVEN,
    MOST_SHARDS,
    NOTHING,
    Sizing,
    choose_shards,
    pilot_shard,
    seconds_per_pair_of,
)

PAIRS = st.integers(0, 10**9)
SLOTS = st.integers(1, 100_000)
SECONDS = st.floats(1e-6, 1e6)


@given(PAIRS, SLOTS, SECONDS, st.integers(1, 16))
def test_a_division_keeps_all_its_bounds(pairs: int, slots: int, seconds: float, devices: int) -> None:
    found = choose_shards(pairs, slots=slots, seconds_per_pair=seconds, devices=devices)
    assert 1 <= found.shards <= MOST_SHARDS
    assert found.shards <= max(1, pairs)
    assert found.shards >= min(slots, MOST_SHARDS, max(1, pairs))
    if pairs * seconds / devices / slots >= 8 * 120:
        assert found.shards >= min(8 * slots, MOST_SHARDS, max(1, pairs))
    assert found == choose_shards(pairs, slots=slots, seconds_per_pair=seconds, devices=devices)


@given(PAIRS, SLOTS, SECONDS)
def test_no_shard_is_shorter_than_two_minutes_but_the_only_one_of_its_slot(
    pairs: int, slots: int, seconds: float
) -> None:
    found = choose_shards(pairs, slots=slots, seconds_per_pair=seconds)
    if found.shards > slots:
        assert (found.minutes_per_shard or 0) >= 2 * (1 - 1e-9)


@given(SLOTS, st.floats(0.1, 100), PAIRS, PAIRS)
def test_more_pairs_never_mean_fewer_shards(slots: int, seconds: float, one: int, other: int) -> None:
    few, many = (
        choose_shards(pairs, slots=slots, seconds_per_pair=seconds) for pairs in sorted((one, other))
    )
    assert few.shards <= many.shards


@given(st.integers(4, MOST_SHARDS), st.floats(15.1, 19.9), st.integers(1, 10_000))
def test_where_nothing_else_bounds_it_a_shard_takes_15_to_20_minutes(
    shards: int, minutes: float, pairs_each: int
) -> None:
    pairs, one_slot = shards * pairs_each, 1
    found = choose_shards(pairs, slots=one_slot, seconds_per_pair=minutes * 60 / pairs_each)
    if 8 < found.shards < min(MOST_SHARDS, pairs):
        assert 15 <= (found.minutes_per_shard or 0) <= 20


@pytest.mark.parametrize(
    ("pairs", "slots", "seconds", "shards", "minutes"),
    [
        (100_000, 10, 3.15, 300, 17.5),  # 5,250 minutes of work in pieces of 17.5
        (50_000, 64, 3.15, 512, 2625 / 512),  # 8 for each slot, although they are short
        (10_000, 64, 3.15, 256, 525 / 256),  # 4 for each slot, as 5 would take less than 2 minutes
        (1000, 64, 3.15, 64, 52.5 / 64),  # one for each slot, although they are very short
        (1_000_000, 64, 3.15, 2000, 26.25),  # no more than 2,000, although they are long
        (5, 64, 600, 5, 10),  # no more than pairs
        (0, 1, 1, 1, 0),
    ],
)
def test_a_division_worked_out_by_hand(
    pairs: int, slots: int, seconds: float, shards: int, minutes: float
) -> None:
    found = choose_shards(pairs, slots=slots, seconds_per_pair=seconds)
    assert found.shards == shards
    assert found.minutes_per_shard == pytest.approx(minutes)
    assert (found.pairs, found.slots) == (pairs, slots)
    assert (found.seconds_per_pair, found.measured_by) == (seconds, GIVEN)


def test_a_slot_of_four_devices_is_done_in_a_quarter_of_the_time() -> None:
    one, four = (choose_shards(10**6, slots=8, seconds_per_pair=1.0, devices=n) for n in (1, 4))
    assert (one.shards, four.shards) == (952, 238)
    assert one.minutes_per_shard == four.minutes_per_shard == pytest.approx(17.5, abs=0.01)


def test_the_last_round_of_shards_takes_as_long_as_a_full_one_and_idle_slots_cost_nothing() -> None:
    found = choose_shards(90, slots=10, seconds_per_pair=120.0)
    assert (found.shards, found.minutes_per_shard) == (80, 2.25)
    assert found.wall_s == 8 * 2.25 * 60
    few = choose_shards(3, slots=10, seconds_per_pair=3600.0)
    assert (few.shards, few.wall_s, few.cost(2.0)) == (3, 3600.0, 6.0)


def test_where_nothing_was_measured_there_are_8_for_each_slot_and_no_promises() -> None:
    found = choose_shards(10_000, slots=4, seconds_per_pair=None, measured_by="whatever")
    assert found == Sizing(10_000, 4, 32, None, NOTHING, None)
    assert (found.wall_s, found.cost(1.0)) == (None, None)


@pytest.mark.parametrize("pairs", [0, 1, 39, 40, 10_000, 10**6, 10**9])
def test_a_pilot_is_a_shard_of_about_twenty_pairs_as_far_as_shards_go(pairs: int) -> None:
    pilot = pilot_shard(pairs)
    assert Shard.parse(str(pilot)) == pilot, "the command takes it"
    if 40 <= pairs <= 10**6:
        assert 20 <= pairs / pilot.count <= 40
    assert pilot.index == 0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"slots": 0}, "--slots: 0 is not accepted; it must be from 1 to 100000"),
        ({"devices": 0}, "--devices-per-slot: 0 is not accepted"),
        ({"seconds_per_pair": 0.0}, "--seconds-per-pair: 0 is not accepted; it must be above 0"),
        ({"seconds_per_pair": math.nan}, "--seconds-per-pair: nan is not accepted"),
        ({"seconds_per_pair": math.inf}, "--seconds-per-pair: inf is not accepted"),
    ],
)
def test_a_division_of_nonsense_is_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(BadArguments) as refused:
        choose_shards(10, **({"slots": 1, "seconds_per_pair": 1.0} | options))
    assert words in str(refused.value)


@pytest.mark.parametrize("price", [0.0, -1.0, math.nan, math.inf])
def test_a_price_is_above_nothing(price: float) -> None:
    with pytest.raises(BadArguments, match=r"--cost-per-hour: .* is not accepted"):
        choose_shards(10, slots=1, seconds_per_pair=1.0).cost(price)


def test_a_pair_took_the_seconds_of_every_device_over_the_pairs_that_were_made() -> None:
    assert seconds_per_pair_of({"done": 8, "failed": 5, "device_seconds": 20.0}) == 2.5


@pytest.mark.parametrize(
    "report",
    [
        {},
        {"done": 0, "device_seconds": 5.0},
        {"done": 3},
        {"done": 3, "device_seconds": 0},
        {"done": 3, "device_seconds": math.nan},
        {"done": 3, "device_seconds": 10**400},
        {"done": 10**400, "device_seconds": 3.0},
        {"done": 1, "device_seconds": 1e12},
        {"done": "3", "device_seconds": [1]},
    ],
)
def test_a_report_that_tells_of_no_time_tells_nothing(report: dict[str, Any]) -> None:
    assert seconds_per_pair_of(report) is None
