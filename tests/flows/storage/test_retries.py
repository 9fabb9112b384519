"""How long a failing store is asked again, by a clock that the program's waits alone move."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, field, replace

import pytest
from object_store import ObjectStore

from flows.errors import StorageTransient
from flows.storage.base import PATIENCE, Patience
from flows.storage.opening import open_storage

OURS = replace(PATIENCE, attempts=1)


@dataclass
class Clock:
    """Tells the sum of all waits, none of which takes any time."""

    waits: list[float] = field(default_factory=list)

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)

    def monotonic(self) -> float:
        return sum(self.waits)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock of this process, and waits that are the longest that chance allows."""
    clock = Clock()
    monkeypatch.setattr(time, "sleep", clock.sleep)
    monkeypatch.setattr(time, "monotonic", clock.monotonic)
    monkeypatch.setattr(random, "uniform", lambda _, longest: longest)
    monkeypatch.setattr(random, "random", lambda: 1.0)
    return clock


def read_from_a_store_that_throttles_for_ever(store: ObjectStore, patience: Patience) -> None:
    store.fail("*", "*", "slow_down")
    with pytest.raises(StorageTransient, match="SlowDown again and again"):
        open_storage(store.root, patience=patience).read("a")


def test_row_10_a_store_that_throttles_for_ever_is_given_up_within_three_minutes(
    object_store: ObjectStore, clock: Clock
) -> None:
    read_from_a_store_that_throttles_for_ever(object_store, PATIENCE)
    assert object_store.count("GET", "a") == PATIENCE.attempts * PATIENCE.rounds
    assert 0 < clock.monotonic() < 180


def test_no_round_starts_after_the_limit_however_many_rounds_there_may_be(
    object_store: ObjectStore, clock: Clock
) -> None:
    read_from_a_store_that_throttles_for_ever(object_store, replace(OURS, rounds=1000))
    assert OURS.limit_s - OURS.longest_wait_s <= clock.monotonic() < OURS.limit_s == 180


def test_waits_double_up_to_the_longest(object_store: ObjectStore, clock: Clock) -> None:
    read_from_a_store_that_throttles_for_ever(object_store, replace(OURS, rounds=8))
    assert clock.waits == [1, 2, 4, 8, 16, 20, 20]


def test_waits_are_drawn_by_chance_so_that_machines_do_not_come_back_together(
    object_store: ObjectStore, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(random, "uniform", lambda shortest, longest: (shortest + longest) / 4)
    read_from_a_store_that_throttles_for_ever(object_store, replace(OURS, rounds=4))
    assert clock.waits == [0.25, 0.5, 1]
