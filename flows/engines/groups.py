"""Pairs on their way to workers, in groups that a worker may compute in one batch."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from flows.model.pair import Job

# Where a worker finds out itself how many pairs to compute together, it is given so many at a time, and of
# large pictures only so many pixels: three such groups are in memory at once.
GROUP_PAIRS = 16
GROUP_PIXELS = 16 * 512**2
WINDOW_GROUPS = 8

Group = Sequence[Job]
"""Pairs that go to a worker in one call."""


def in_groups(jobs: Iterable[Job], device: str, batch: int | None) -> Iterator[Group]:
    """The jobs in groups of equal settings; each group begins with the first job that is left.

    Jobs that are alike need not be neighbours: a sweep alternates. The first that is left is looked at
    together with `WINDOW_GROUPS` groups' worth of those after it, so that no job waits for more than so many
    groups of others, and no more jobs are asked for ahead. Where groups have one job the order is the jobs'.

    Args:
        batch: how many at most; None for one on a CPU, and elsewhere for as many as are usually of use.
    """
    coming = iter(jobs)
    window: list[Job] = []
    while True:
        if not window:
            window += islice(coming, 1)
        if not window:
            return
        most = _most(window[0], device, batch)
        window += islice(coming, max(0, (most - 1) * WINDOW_GROUPS + 1 - len(window)))
        alike = [place for place, job in enumerate(window) if _alike(window[0], job)][:most]
        yield [window[place] for place in alike]
        window = [job for place, job in enumerate(window) if place not in alike]


def _most(job: Job, device: str, batch: int | None) -> int:
    of_use = max(1, min(GROUP_PAIRS, GROUP_PIXELS // job.pair.style_settings.picture_size.expected_px**2))
    return batch or (1 if device == "cpu" else of_use)


def _alike(one: Job, other: Job) -> bool:
    return one.pair.style_settings == other.pair.style_settings


class SharedGroups:
    """Groups that several threads take from, each group once."""

    def __init__(self, groups: Iterator[Group]) -> None:
        self._groups, self._one_at_a_time = groups, threading.Lock()

    def take(self) -> Group:
        """The next group; an empty one when there are no more."""
        with self._one_at_a_time:
            return next(self._groups, ())
