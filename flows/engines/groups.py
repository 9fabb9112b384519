"""Pairs on their way to workers, in groups that a worker may compute in one batch."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence

from flows.model.pair import Job

# Where a worker finds out itself how many pairs to compute together, it is given so many at a time, and of
# large pictures only so many pixels: three such groups are in memory at once.
GROUP_PAIRS = 16
GROUP_PIXELS = 16 * 512**2

Group = Sequence[Job]
"""Pairs that go to a worker in one call."""


def in_groups(jobs: Iterable[Job], device: str, batch: int | None) -> Iterator[Group]:
    """The jobs in their order, neighbours together that have equal settings.

    Args:
        batch: how many at most; None for one on a CPU, and elsewhere for as many as are usually of use.
    """
    group: list[Job] = []
    for job in jobs:
        if group and (len(group) == _most(group[0], device, batch) or not _alike(group[0], job)):
            yield group
            group = []
        group.append(job)
    if group:
        yield group


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
