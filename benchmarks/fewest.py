"""The fewest evaluations that reach a goal, found in few tries."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence


def fewest(counts: Sequence[int], reached: Callable[[int], bool]) -> int | None:
    """The first of ascending numbers of evaluations that reaches a goal; None if the last one does not.

    More evaluations are taken to come no less far, so halves are tried.

    >>> fewest(range(5, 101, 5), lambda evaluations: evaluations >= 37)
    40
    """
    at = bisect_left(counts, True, key=reached)
    return counts[at] if at < len(counts) else None
