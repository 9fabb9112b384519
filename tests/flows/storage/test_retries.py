"""How long a failing store is asked again, by a clock that the program's waits alone move."""

from __future__ import annotations

import logging
import random
import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor
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


def test_many_requests_in_trouble_are_one_line_for_each_step_and_one_for_all(
    object_store: ObjectStore, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each waits until all have failed as often, so all are in the same trouble."""
    names = [f"n{number}" for number in range(12)]
    for name in names:
        object_store.put(name, name.encode())
        object_store.fail("GET", name, "slow_down", times=2)
    together = threading.Barrier(len(names), timeout=60)
    monkeypatch.setattr(time, "sleep", lambda _: together.wait())
    caplog.set_level(logging.INFO, logger="flows")
    with ThreadPoolExecutor(len(names)) as pool:
        read = pool.map(open_storage(object_store.root, patience=OURS).read, names)
        assert list(read) == [name.encode() for name in names]
    lines = [record.getMessage() for record in caplog.records if record.name.startswith("flows")]
    assert [re.sub("s3:.*", "", line) for line in lines] == [
        "attempt 1 of GetObject failed: HTTP 503",
        "round 1 of 4 failed: ",
        "round 2 of 4 failed: ",
        "12 of 12 storage requests worked when asked again",
    ]


def test_a_trouble_after_the_last_one_is_told_again(
    object_store: ObjectStore, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    object_store.put("a", b"x")
    for _ in range(2):
        object_store.fail("GET", "a", "slow_down", times=1)
        assert open_storage(object_store.root, patience=OURS).read("a") == b"x"
    assert caplog.text.count("round 1 of 4 failed") == 2
