"""Many small waits at once, in order and without a future for each."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from threading import Event
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

LOCAL_THREADS = min(8, os.cpu_count() or 1)
REMOTE_THREADS = 32
_BATCH = 32


def in_threads(
    function: Callable[[Item], Result], items: Iterable[Item], *, threads: int
) -> Iterator[Result]:
    """`function` of each item, in the items' order; an exception ends it and drops what has not begun."""
    ended = Event()

    def work(batch: Sequence[Item]) -> list[Result]:
        return [function(item) for item in batch if not ended.is_set()]

    pool = ThreadPoolExecutor(threads)
    try:
        for results in pool.map(work, _batches(items)):
            yield from results
    finally:
        ended.set()
        pool.shutdown(cancel_futures=True)


def _batches(items: Iterable[Item]) -> Iterator[list[Item]]:
    rest = iter(items)
    while batch := list(islice(rest, _BATCH)):
        yield batch
