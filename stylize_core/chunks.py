"""Vectors as long as large pictures, in parts: what is made of them for a moment takes one part of memory.

The vector of a picture that is not large is one part, so its sums are added up in one order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from stylize_core.large_pictures import is_large

CHUNK = 2**20
"""So many numbers of a large picture are worked with at a time."""

Vector = Callable[[slice], Tensor]
"""Gives parts [B, d] of a vector [B, D], which may be made when they are asked for."""


def coarse(dtype: torch.dtype, size: int) -> torch.dtype:
    """The format of what need not be exact, in place of `dtype`."""
    return torch.bfloat16 if is_large(size) else dtype


def parts(size: int, *, of: int | None = None) -> list[slice]:
    """The parts of vectors of so many numbers, of which `of` count as their length where it is another one.

    >>> parts(5)
    [slice(0, 5, None)]
    >>> len(parts(2**25 + 1))
    33
    """
    step = CHUNK if is_large(of or size) else max(1, size)
    return [slice(first, min(first + step, size)) for first in range(0, size, step)]


def total(found: Sequence[Tensor]) -> Tensor:
    """The sum of what was found in all parts; of one or two without stacking them, which is a launch more."""
    return sum(found[1:], found[0]) if len(found) < 3 else torch.stack(list(found)).sum(0)


def dot(one: Tensor, other: Tensor) -> Tensor:
    """The rows' products of vectors [B, D], [B]."""
    return total([(one[:, part] * other[:, part]).sum(1) for part in parts(one.shape[1])])


def made_once(vector: Vector, size: int) -> Vector:
    """The same; a vector that is one part is made now, however often it is asked for."""
    if is_large(size):
        return vector
    whole = vector(slice(0, size))
    return lambda _: whole
