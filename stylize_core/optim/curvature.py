"""What L-BFGS remembers of the objective's curvature, row by row of a batch."""

from __future__ import annotations

import torch
from torch import Tensor

from stylize_core.device import finest
from stylize_core.optim.base import choose_rows, keep_rows, surely_none

CURVATURE = 1e-8  # a pair is kept if s·y exceeds this share of |s| |y|


# Why so many: the buffers of the compact form are one state.
class Pairs:
    """The curvature pairs (s, y) of every row, with the inner products that the directions need.

    Those are of each y with every y and with each s that is not newer.
    """

    def __init__(self, like: Tensor, history: int) -> None:
        rows, size = like.shape
        self._history = history
        self._buffer = like.new_zeros(rows, 2 * history, size)  # s in the first half, y in the second
        self._fine = finest(like.device)
        self._products = torch.zeros(rows, 2 * history, history, dtype=self._fine, device=like.device)
        self._filled = torch.zeros(rows, history, dtype=torch.bool, device=like.device)
        self._next = torch.zeros(rows, dtype=torch.int64, device=like.device)
        self._rows = torch.arange(rows, device=like.device)

    @property
    def empty(self) -> Tensor:
        """[B] bool: rows without any pair."""
        return ~self._filled.any(1)

    def add(self, s: Tensor, y: Tensor, accept: Tensor) -> None:
        """Keep the pair in the rows that accepted a step of proper curvature, in place of the oldest."""
        bent = (s * y).sum(1) > CURVATURE * s.norm(dim=1) * y.norm(dim=1)
        keep = accept & bent
        if surely_none(keep):
            return
        rows, slot, half = self._rows, self._next, self._history
        for place, vector in ((slot, s), (slot + half, y)):
            self._replace(keep, place, vector)
        column = torch.where(keep[:, None], self._inner(y), self._products[rows, :, slot])
        self._products[rows, :, slot] = column
        self._products[rows, slot + half] = torch.where(
            keep[:, None], column[:, half:], self._products[rows, slot + half]
        )
        self._filled[rows, slot] |= keep
        self._next = torch.where(keep, (slot + 1) % half, slot)

    def _replace(self, rows: Tensor, place: Tensor, vector: Tensor) -> None:
        """Put the rows' vectors [B, D] at their places [B] in the buffer, and leave the other rows alone."""
        if len(vector) == 1 and rows.device.type == "cpu":  # a copy instead of three
            self._buffer[0, int(place)] = vector[0]
            return
        kept = choose_rows(rows, vector, self._buffer[self._rows, place])
        self._buffer[self._rows, place] = kept

    def keep(self, rows: Tensor) -> None:
        """Forget all but these rows, given by their numbers."""
        keep_rows(self, rows)
        self._rows = torch.arange(len(rows), device=rows.device)

    def clear(self, rows: Tensor) -> None:
        """Forget the pairs of the given rows."""
        self._filled = self._filled & ~rows[:, None]

    def scale(self, otherwise: Tensor) -> Tensor:
        """`s·y / y·y` of the newest pair, [B]: the usual first guess at the inverse Hessian."""
        newest = (self._next - 1) % self._history
        s_y = self._products[self._rows, newest, newest]
        y_y = self._products[self._rows, newest + self._history, newest]
        known = self._filled[self._rows, newest] & (y_y > 0) & (s_y > 0)
        return torch.where(known, (s_y / y_y).to(otherwise.dtype), otherwise)

    def direction(self, gradient: Tensor, scale: Tensor) -> Tensor:
        """Minus the inverse Hessian's estimate times the gradient, [B, D]."""
        order = (self._next[:, None] + torch.arange(self._history, device=self._next.device)) % self._history
        filled = self._filled.gather(1, order)
        both = torch.cat([order, order + self._history], 1)
        known = torch.cat([filled, filled], 1).to(self._fine)
        inner = self._products.gather(1, both[:, :, None].expand(-1, -1, order.shape[1]))
        inner = inner.gather(2, order[:, None, :].expand(-1, both.shape[1], -1))
        inner = inner * known[:, :, None] * filled[:, None, :]
        slopes = self._inner(gradient).gather(1, both) * known
        weights = _compact_coefficients(inner, slopes, scale.to(self._fine), filled)
        placed = torch.zeros_like(weights).scatter(1, both, weights).to(gradient.dtype)
        moved = [torch.mv(pairs.T, -row) for pairs, row in zip(self._buffer, placed, strict=True)]
        return _stacked(moved).sub_(scale[:, None] * gradient)

    def _inner(self, vector: Tensor) -> Tensor:
        """Products of the rows' vectors [B, D] with all their pairs, [B, 2m], as fine as the device can.

        Row by row, because a matrix-vector product runs at the memory's speed and a batched one far below it.
        """
        rows = [torch.mv(pairs, row) for pairs, row in zip(self._buffer, vector, strict=True)]
        return torch.stack(rows).to(self._fine)


def _stacked(rows: list[Tensor]) -> Tensor:
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
