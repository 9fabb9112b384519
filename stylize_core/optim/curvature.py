"""What L-BFGS remembers of the objective's curvature, row by row of a batch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from stylize_core.chunks import Vector, coarse, made_once, parts, total
from stylize_core.device import finest, wide
from stylize_core.optim.base import choose_rows, on_host, put, surely_none

CURVATURE = 1e-8  # a pair is kept if s·y exceeds this share of |s| |y|

# Rows begin at multiples of 64 bytes, lest a processor's library adds up the rows of a batch in another order
# than one alone.
_ALIGNED = 16


# Why so many: the buffers of the compact form are one state.
@dataclass(init=False, eq=False)
class Pairs:
    """The curvature pairs (s, y) of every row, with the inner products that the directions need.

    Attributes:
        buffer: [B, 2m, D'], s in the first half, y in the second; D' is D rounded up, the rest zeros. Coarse
            for large pictures, for half of the memory.
        products: [B, 2m, m], of each y with every y and with each s that is not newer, as fine as the device
            can.
        filled: [B, m] bool, the places that hold a pair.
        following: [B] int, the place of the next pair, and of the oldest one where all are filled.
    """

    buffer: Tensor
    products: Tensor
    filled: Tensor
    following: Tensor

    def __init__(self, like: Tensor, history: int) -> None:
        rows, self._size = like.shape
        long, dtype = self._size + -self._size % _ALIGNED, coarse(like.dtype, self._size)
        self.buffer = like.new_zeros(rows, 2 * history, long, dtype=dtype)
        fine = finest(like.device)
        self.products = torch.zeros(rows, 2 * history, history, dtype=fine, device=like.device)
        self.filled = torch.zeros(rows, history, dtype=torch.bool, device=like.device)
        self.following = torch.zeros(rows, dtype=torch.int64, device=like.device)
        self._numbers = torch.arange(rows, device=like.device)

    @property
    def some(self) -> Tensor:
        """[B] bool: rows with a pair at least."""
        return self.filled.any(1)

    def add(self, s: Vector, y: Vector, accept: Tensor) -> None:
        """Keep the pair in the rows that accepted a step of proper curvature, in place of the oldest."""
        s, y = made_once(s, self._size), made_once(y, self._size)
        keep = accept & self._is_bent(s, y)
        if surely_none(keep):
            return
        rows, slot, half = self._rows, self.following, self.filled.shape[1]
        for place, vector in ((slot, s), (slot + half, y)):
            self._replace(keep, place, vector)
        column = torch.where(keep[:, None], self._inner_of(slot + half), self.products[rows, :, slot])
        self.products[rows, :, slot] = column
        self.products[rows, slot + half] = torch.where(
            keep[:, None], column[:, half:], self.products[rows, slot + half]
        )
        self.filled[rows, slot] |= keep
        put(keep, (slot + 1) % half, into=self.following)

    def clear(self, rows: Tensor) -> None:
        """Forget the pairs of the given rows."""
        self.filled.masked_fill_(rows[:, None], value=False)

    def scale(self, otherwise: Tensor) -> Tensor:
        """`s·y / y·y` of the newest pair, [B]: the usual first guess at the inverse Hessian."""
        rows, half = self._rows, self.filled.shape[1]
        newest = (self.following - 1) % half
        s_y = self.products[rows, newest, newest]
        y_y = self.products[rows, newest + half, newest]
        known = self.filled[rows, newest] & (y_y > 0) & (s_y > 0)
        return torch.where(known, (s_y / y_y).to(otherwise.dtype), otherwise)

    def turn(self, rows: Tensor, gradient: Tensor, scale: Tensor, *, into: Tensor) -> None:
        """Let directions, [B, D], of the rows be minus the inverse Hessian's estimate times the gradient."""
        half, fine = self.filled.shape[1], self.products.dtype
        order = (self.following[:, None] + torch.arange(half, device=gradient.device)) % half
        filled = self.filled.gather(1, order)
        both = torch.cat([order, order + half], 1)
        known = torch.cat([filled, filled], 1).to(fine)
        inner = self.products.gather(1, both[:, :, None].expand(-1, -1, half))
        inner = inner.gather(2, order[:, None, :].expand(-1, both.shape[1], -1))
        inner = inner * known[:, :, None] * filled[:, None, :]
        slopes = self._inner(gradient).gather(1, both) * known
        weights = _compact_coefficients(inner, slopes, scale.to(fine), filled)
        placed = torch.zeros_like(weights).scatter_(1, both, weights).to(gradient.dtype)
        for part, pairs in self._parts():
            made = _summed(-placed, pairs)[:, : self._size - part.start]
            given = gradient[:, part]
            put(rows, made.sub_(scale[:, None] * given), into=into[:, part])

    @property
    def _rows(self) -> Tensor:
        """[B], the rows' numbers; anew after some have left."""
        if len(self._numbers) != len(self.following):
            self._numbers = torch.arange(len(self.following), device=self.following.device)
        return self._numbers

    def _is_bent(self, s: Vector, y: Vector) -> Tensor:
        """Which rows, [B], have proper curvature along a pair, rounded as it would be kept."""
        found = []
        for part in parts(self._size):
            a, b = (wide(vector(part).to(self.buffer.dtype)) for vector in (s, y))
            found.append(torch.stack([(a * b).sum(1), a.square().sum(1), b.square().sum(1)]))
        s_y, s_s, y_y = total(found)
        return torch.gt(s_y, CURVATURE * s_s.sqrt() * y_y.sqrt())

    def _replace(self, rows: Tensor, place: Tensor, vector: Vector) -> None:
        """Put the rows' vectors at their places [B] in the buffer, and leave the other rows alone."""
        for part in parts(self._size):
            into = self.buffer[..., part]
            if len(rows) == 1 and on_host(rows):  # a copy instead of three
                into[0, int(place)] = vector(part)[0]
            else:
                kept = choose_rows(rows, vector(part).to(into.dtype), into[self._rows, place])
                into[self._rows, place] = kept

    def _inner(self, vector: Tensor) -> Tensor:
        """Products of the rows' vectors [B, D] with all their pairs, [B, 2m], as fine as the device can.

        On a CPU row by row, because a matrix-vector product runs at the memory's speed and a batched one far
        below it; on a GPU at once, because each row would be a launch.
        """
        found = []
        for part, pairs in self._parts():
            given = vector[:, part]
            if lacking := pairs.shape[2] - given.shape[1]:
                given = functional.pad(given, (0, lacking))
            found.append(_times(pairs, given).to(self.products.dtype))
        return total(found)

    def _inner_of(self, place: Tensor) -> Tensor:
        """The same of the vectors at places [B] of the buffer."""
        found = [_times(pairs, pairs[self._rows, place]) for _, pairs in self._parts()]
        return total([one.to(self.products.dtype) for one in found])

    def _parts(self) -> Iterator[tuple[slice, Tensor]]:
        """The buffer part by part, [B, 2m, d], in the number format of pictures."""
        for part in parts(self.buffer.shape[2], of=self._size):
            yield part, wide(self.buffer[..., part])


def _times(pairs_bmd: Tensor, vector_bd: Tensor) -> Tensor:
    if on_host(vector_bd):
        return torch.stack([torch.mv(*one) for one in zip(pairs_bmd, vector_bd, strict=True)])
    return torch.bmm(pairs_bmd, vector_bd[:, :, None])[:, :, 0]


def _summed(weights_bm: Tensor, pairs_bmd: Tensor) -> Tensor:
    if not on_host(weights_bm):
        return torch.bmm(weights_bm[:, None], pairs_bmd)[:, 0]
    rows = [torch.mv(pairs.T, row) for pairs, row in zip(pairs_bmd, weights_bm, strict=True)]
    return rows[0][None] if len(rows) == 1 else torch.stack(rows)


def _compact_coefficients(inner: Tensor, slopes: Tensor, scale: Tensor, filled: Tensor) -> Tensor:
    """Coefficients of the pairs in `H g - scale g`, oldest pair first.

    With R the upper triangle of SᵀY and D its diagonal: p = R⁻¹ Sᵀg weighs -scale Y, and
    R⁻ᵀ ((D + scale YᵀY) p - scale Yᵀg) weighs S.

    Args:
        inner: [B, 2m, m], inner products of s (first m) and of y with y; those of empty places are 0.
        slopes: [B, 2m], their products with the gradient.
        scale: [B].
        filled: [B, m].
    """
    m = filled.shape[1]
    s_y, y_y = inner[:, :m], inner[:, m:]
    diagonal = torch.diagonal(s_y, dim1=1, dim2=2)
    triangle = torch.triu(s_y) + torch.diag_embed((~filled).to(s_y))
    p = torch.linalg.solve_triangular(triangle, slopes[:, :m, None], upper=True)
    scaled = scale[:, None, None]
    right = diagonal[:, :, None] * p + scaled * (y_y @ p - slopes[:, m:, None])
    w = torch.linalg.solve_triangular(triangle.transpose(1, 2), right, upper=False)
    return torch.cat([w, -scaled * p], 1)[:, :, 0]
