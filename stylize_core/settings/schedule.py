"""From coarse to fine: at which sizes a picture is optimised, and with how many evaluations. Knows no torch.

What takes hundreds of steps at full size, large strokes and filled-in structure, a small picture has after a
few, each at a quarter of the next size's cost (Gatys et al. 2017, arXiv 1611.07865, 'High resolution').
"""

from __future__ import annotations

import math
from dataclasses import dataclass

# A size with fewer evaluations than this is left out: it would end before it has begun.
FEWEST_STEPS = 10
# So many sizes before the last share half of the steps; where there are more, each keeps as many as one of
# these has. With fewer, what only small pictures can learn, large forms, is not there when they end.
SHARING_HALF = 5


@dataclass(frozen=True, slots=True)
class Stage:
    """One size on the way.

    Attributes:
        share: the long edge's, of that of the result.
        first: how many evaluations were planned before it.
        last: how many are planned until its end.
    """

    share: float
    first: int
    last: int


def automatic_sizes(size: int, *, coarsest: int) -> int:
    """How many sizes `scales: 0` means for a long edge of `size` px that is at least `coarsest` at each.

    >>> [automatic_sizes(size, coarsest=32) for size in (32, 63, 64, 256, 512, 1024, 4096)]
    [1, 1, 2, 4, 5, 6, 8]
    """
    return max(1, (size // coarsest).bit_length())


def automatic_stages(long_edge: int, steps: int, *, coarsest: int, own: int) -> tuple[Stage, ...]:
    """What `scales: 0` means for a long edge, px: sizes of at least `coarsest` px, each twice the one before.

    With `coarsest` 0 the smallest has `own` px exactly, and each is about twice the one before. Whatever
    their size, pictures of one pair then begin with the same small one, whose large forms all others keep.

    >>> [round(768 * stage.share) for stage in automatic_stages(768, 200, coarsest=0, own=32)]
    [32, 60, 114, 215, 407, 768]
    >>> [round(768 * stage.share) for stage in automatic_stages(768, 200, coarsest=32, own=32)]
    [48, 96, 192, 384, 768]
    """
    if coarsest:
        return stages(automatic_sizes(long_edge, coarsest=coarsest), steps)
    doublings = math.log2(max(long_edge, own)) - math.log2(own)
    coarser = round(doublings)
    return stages(1 + coarser, steps, ratio=2 ** (doublings / coarser) if coarser else 2.0)


def stages(sizes: int, steps: int, *, ratio: float = 2.0) -> tuple[Stage, ...]:
    """So many sizes, each twice the one before, or `ratio` times; the last has half of the steps.

    The others share the rest. More than `SHARING_HALF` take of the last one's, but leave it as many as one of
    them has. There are fewer where their steps would be less than `FEWEST_STEPS`.

    >>> [(stage.share, stage.last) for stage in stages(3, 200)]
    [(0.25, 50), (0.5, 100), (1.0, 200)]
    >>> [stage.last for stage in stages(9, 200)]
    [20, 40, 60, 80, 100, 120, 140, 160, 200]
    """
    coarser = min(sizes - 1, steps // 2 // FEWEST_STEPS)
    even = coarser * steps // max(2 * SHARING_HALF, coarser + 1)
    before = max(steps // 2, even)
    ends = [before * number // coarser for number in range(1, coarser + 1)] if coarser else []
    bounds = [0, *ends, steps]
    return tuple(
        Stage(ratio ** (number - coarser), bounds[number], bounds[number + 1])
        for number in range(coarser + 1)
    )
