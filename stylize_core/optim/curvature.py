"""What L-BFGS remembers of the objective's curvature, row by row of a batch."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from stylize_core.device import finest
from stylize_core.optim.base import choose_rows, on_host, put, surely_none

CURVATURE = 1e-8  # a pair is kept if s·y exceeds this share of |s| |y|


# Why so many: the buffers of the compact form are one state.
@dataclass(init=False, eq=False)
class Pairs:
    """The curvature pairs (s, y) of every row, with the inner products that the directions need.

    Attributes:
        buffer: [B, 2m, D], s in the first half, y in the second.
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
        rows, size = like.shape
        self.buffer = like.new_zeros(rows, 2 * history, size)
        fine = finest(like.device)
        self.products = torch.zeros(rows, 2 * history, history, dtype=fine, device=like.device)
        self.filled = torch.zeros(rows, history, dtype=torch.bool, device=like.device)
        self.following = torch.zeros(rows, dtype=torch.int64, device=like.device)

    @property
    def some(self) -> Tensor:
        """[B] bool: rows with a pair at least."""
        return self.filled.any(1)

    def add(self, s: Tensor, y: Tensor, accept: Tensor) -> None:
        """Keep the pair in the rows that accepted a step of proper curvature, in place of the oldest."""
        bent = (s * y).sum(1) > CURVATURE * s.norm(dim=1) * y.norm(dim=1)
        keep = accept & bent
        if surely_none(keep):
            return
        rows, slot, half = self._rows, self.following, self.filled.shape[1]
        for place, vector in ((slot, s), (slot + half, y)):
            self._replace(keep, place, vector)
        column = torch.where(keep[:, None], self._inner(y), self.products[rows, :, slot])
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

    def direction(self, gradient: Tensor, scale: Tensor) -> Tensor:
        """Minus the inverse Hessian's estimate times the gradient, [B, D]."""
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
        return self._combined(-placed).sub_(scale[:, None] * gradient)

    @property
    def _rows(self) -> Tensor:
        return torch.arange(len(self.following), device=self.following.device)

    def _replace(self, rows: Tensor, place: Tensor, vector: Tensor) -> None:
        """Put the rows' vectors [B, D] at their places [B] in the buffer, and leave the other rows alone."""
        if len(vector) == 1 and on_host(rows):  # a copy instead of three
            self.buffer[0, int(place)] = vector[0]
            return
        kept = choose_rows(rows, vector, self.buffer[self._rows, place])
        self.buffer[self._rows, place] = kept

    def _inner(self, vector: Tensor) -> Tensor:
        """Products of the rows' vectors [B, D] with all their pairs, [B, 2m], as fine as the device can.

        On a CPU row by row, because a matrix-vector product runs at the memory's speed and a batched one far
        below it; on a GPU at once, because each row would be a launch.
        """
        if on_host(vector):
            rows = torch.stack([torch.mv(*one) for one in zip(self.buffer, vector, strict=True)])
        else:
            rows = torch.bmm(self.buffer, vector[:, :, None])[:, :, 0]
        return rows.to(self.products.dtype)

    def _combined(self, weights: Tensor) -> Tensor:
        """The sums of the rows' pairs with these weights [B, 2m], [B, D]; see `_inner`."""
        if not on_host(weights):
            return torch.bmm(weights[:, None], self.buffer)[:, 0]
        rows = [torch.mv(pairs.T, row) for pairs, row in zip(self.buffer, weights, strict=True)]
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
