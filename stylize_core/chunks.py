"""Vectors as long as large pictures, in parts: what is made of them for a moment takes one part of memory.

A vector of fewer than `COARSE_FROM` numbers is one part, so its sums are added up in one order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

COARSE_FROM = 2**25
"""Numbers of a picture, 11 megapixels, from which on what need not be exact is kept in bfloat16."""

CHUNK = 2**20
"""So many numbers of such a picture are worked with at a time."""

Vector = Callable[[slice], Tensor]
"""Gives parts [B, d] of a vector [B, D], which may be made when they are asked for."""


def is_large(size: int) -> bool:
    """Whether vectors of so many numbers are worked with in parts."""
    return size >= COARSE_FROM


def coarse(dtype: torch.dtype, size: int) -> torch.dtype:
    """The format of what need not be exact, in place of `dtype`."""
    return torch.bfloat16 if is_large(size) else dtype


def parts(size: int, *, of: int | None = None) -> list[slice]:
    """The parts of vectors of so many numbers, of which `of` count as their length where it is another one.

    >>> parts(5)
    [slice(0, 5, None)]
    >>> len(parts(COARSE_FROM + 1))
    33
    """
    step = CHUNK if is_large(of or size) else max(1, size)
    return [slice(first, min(first + step, size)) for first in range(0, size, step)]


def total(found: Sequence[Tensor]) -> Tensor:
    """The sum of what was found in all parts."""
    return found[0] if len(found) == 1 else torch.stack(list(found)).sum(0)


def dot(one: Tensor, other: Tensor) -> Tensor:
    """The rows' products of vectors [B, D], [B]."""
    return total([(one[:, part] * other[:, part]).sum(1) for part in parts(one.shape[1])])


def made_once(vector: Vector, size: int) -> Vector:
    """The same; a vector that is one part is made now, however often it is asked for."""
    if is_large(size):
        return vector
    whole = vector(slice(0, size))
    return lambda _: whole
