"""How large a batch gets, in numbers as a device could give them."""

from __future__ import annotations

from collections.abc import Callable

from flows.worker.fitting.batch_sizer import BatchSizer

MUCH = 1 << 40


def batches(
    sizer: BatchSizer, speed: Callable[[int], float], *, each_bytes: int = 1, memory: int = MUCH
) -> list[int]:
    """The sizes of eight batches on a device with that speed for each size, and that memory."""
    sizes = []
    for _ in range(8):
        rows = sizer.limit("kind")
        if rows * each_bytes > memory:
            sizer.too_many("kind", rows)
            continue
        sizes.append(rows)
        sizer.learn("kind", rows, speed=speed(rows), used_bytes=rows * each_bytes, free_bytes=memory)
    return sizes


def test_a_batch_doubles_as_long_as_that_makes_each_pair_cheaper() -> None:
    assert batches(BatchSizer(None), lambda rows: min(rows, 4)) == [1, 2, 4, 8, 4, 4, 4, 4]


def test_a_batch_that_gains_nothing_stays_alone() -> None:
    assert batches(BatchSizer(None), lambda _: 1.0) == [1, 2, 1, 1, 1, 1, 1, 1]


def test_a_batch_leaves_a_fifth_of_the_memory_free() -> None:
    assert batches(BatchSizer(None), float, each_bytes=10, memory=100) == [1, 2, 4, 8, 8, 8, 8, 8]
    assert batches(BatchSizer(None), float, each_bytes=10, memory=99)[-1] == 4


def test_a_batch_that_did_not_fit_is_halved_for_good() -> None:
    sizer = BatchSizer(6)
    assert batches(sizer, float, each_bytes=10, memory=40) == [3] * 7
    assert sizer.limit("another kind") == 6


def test_a_number_that_was_asked_for_is_kept() -> None:
    assert batches(BatchSizer(5), lambda _: 1.0) == [5] * 8


def test_the_last_small_batch_of_many_teaches_nothing() -> None:
    sizer = BatchSizer(None)
    batches(sizer, lambda rows: min(rows, 4))
    sizer.learn("kind", 1, speed=100.0, used_bytes=1, free_bytes=MUCH)
    assert sizer.limit("kind") == 4
