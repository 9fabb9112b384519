from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from flows.planning.threads import in_threads


def test_results_come_in_the_order_of_the_items() -> None:
    assert list(in_threads(str, range(1000), threads=8)) == [str(n) for n in range(1000)]
    assert list(in_threads(str, [], threads=8)) == []


def test_several_items_are_worked_on_at_once() -> None:
    together = threading.Barrier(4, timeout=30)
    assert len(list(in_threads(lambda _: together.wait(), range(4 * 32), threads=4))) == 128


def test_the_first_failure_is_raised_and_the_rest_is_dropped() -> None:
    begun: list[int] = []

    def fail_at_five(number: int) -> int:
        begun.append(number)
        if number == 5:
            raise OSError("the disk is gone")
        return number

    with pytest.raises(OSError, match="the disk is gone"):
        list(in_threads(fail_at_five, range(100_000), threads=1))
    assert len(begun) < 100_000 - 32


def test_threads_end_when_nobody_wants_the_rest() -> None:
    before = threading.active_count()
    results: Iterator[int] = in_threads(abs, range(10_000), threads=4)
    assert next(results) == 0
    del results
    assert threading.active_count() == before
