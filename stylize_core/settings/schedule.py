"""From coarse to fine: at which sizes a picture is optimised, and with how many evaluations. Knows no torch.

What takes hundreds of steps at full size, large strokes and filled-in structure, a small picture has after a
few, each at a quarter of the next size's cost (Gatys et al. 2017, arXiv 1611.07865, 'High resolution').
"""

from __future__ import annotations

from dataclasses import dataclass

# A size with fewer evaluations than this is left out: it would end before it has begun.
FEWEST_STEPS = 10


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


def stages(sizes: int, steps: int) -> tuple[Stage, ...]:
    """So many sizes, each twice the one before; the last has half of the steps, the others share the rest.

    There are fewer sizes where their steps would be less than `FEWEST_STEPS`.

    >>> [(stage.share, stage.last) for stage in stages(3, 200)]
    [(0.25, 50), (0.5, 100), (1.0, 200)]
    """
    coarser = min(sizes - 1, steps // 2 // FEWEST_STEPS)
    ends = [steps // 2 * number // coarser for number in range(1, coarser + 1)] if coarser else []
    bounds = [0, *ends, steps]
    return tuple(
        Stage(0.5 ** (coarser - number), bounds[number], bounds[number + 1]) for number in range(coarser + 1)
    )
