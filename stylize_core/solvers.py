"""L-BFGS and Adam for a batch whose rows know nothing of one another.

Both solvers are asked for points and told what was found there:

    while ...:
        solver.tell(*objective(solver.trial))

They take every decision by tensor arithmetic on [B] masks, so a GPU never waits for the host, and a batch
takes the same steps as its rows alone. Gradients are expected to be of order 1 (root mean square) at the
start: `minimise` scales the objective so, which makes every threshold here free of units.
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

SUFFICIENT_DECREASE = 1e-4  # Armijo's c1, Nocedal and Wright 2006, equation 3.4
CURVATURE = 1e-8  # a pair is kept if s·y exceeds this share of |s| |y|
FIRST_MOVE = 0.01  # root mean square of the first step, in units of the 0..1 pixel range
LINE_SEARCH_TRIALS = 10
NONFINITE_TRIALS = 6


class Solver(Protocol):
    """Something that turns losses and gradients into better points.

    Attributes:
        trial: [B, D], where to evaluate next.
        best: [B, D], the best accepted point so far, or what stands for it.
        best_loss: [B], the loss there.
        accepted: [B] int, how many steps were accepted.
        stalled: [B] bool, no smaller loss can be found at this precision.
        broken: [B] bool, given up after too many values in a row that were not finite.

    A row that is stalled or broken keeps its state whatever it is told, so that it may stay in its batch.
    """

    trial: Tensor
    best: Tensor
    best_loss: Tensor
    accepted: Tensor
    stalled: Tensor
    broken: Tensor

    def tell(self, loss: Tensor, gradient: Tensor) -> None:
        """Take in the loss [B] and gradient [B, D] at `trial`, and choose the next `trial`."""
        ...


class LBFGS:
    """Limited-memory BFGS with a backtracking line search.

    The inverse Hessian is kept in the compact form of Byrd, Nocedal and Schnabel 1994 (Mathematical
    Programming 63, section 3.1): one product with the flat buffer of all pairs gives every inner product,
    small triangular solves in float64 give the coefficients, and a second product gives the direction.

    A trial counts only if it decreases the loss sufficiently, so `best` is the last accepted point. A
    non-finite trial clears the history and shortens the step tenfold.

    Args:
        start: [B, D].
        history: how many curvature pairs are remembered.
    """

    def __init__(self, start: Tensor, *, history: int = 10) -> None:
        rows = start.shape[0]
        self.trial = self.best = start
        self.best_loss = start.new_full((rows,), torch.inf)
        self.accepted = torch.zeros(rows, dtype=torch.int64, device=start.device)
        self.stalled = torch.zeros(rows, dtype=torch.bool, device=start.device)
        self.broken = torch.zeros_like(self.stalled)
        self._gradient = torch.zeros_like(start)
        self._direction = torch.zeros_like(start)
        self._slope = start.new_zeros(rows)
        self._step = start.new_ones(rows)
        self._scale = start.new_full((rows,), FIRST_MOVE)
        self._trials = torch.zeros_like(self.accepted)
        self._nonfinite = torch.zeros_like(self.accepted)
        self._pairs = _Pairs(start, history)
        self._started = False

    def tell(self, loss: Tensor, gradient: Tensor) -> None:
        """Accept or refuse the trial, row by row, and choose the next."""
        finite = torch.isfinite(loss) & torch.isfinite(gradient).all(1)
        if not self._started:
            self._begin(loss, gradient, finite)
            return
        bound = self.best_loss + SUFFICIENT_DECREASE * self._step * self._slope
        accept = finite & (loss <= bound) & (loss < self.best_loss) & ~self.stalled & ~self.broken
        fallback = self._refuse(loss, finite, ~accept)
        self._accept(loss, gradient, accept)
        self._turn(accept, fallback)
        self._aim()

    def _begin(self, loss: Tensor, gradient: Tensor, finite: Tensor) -> None:
        self._started = True
        self.broken = ~finite
        self.best_loss = torch.where(finite, loss, self.best_loss)
        self._gradient = _where(finite, gradient, self._gradient)
        self._descend(torch.ones_like(finite))
        self._aim()

    def _refuse(self, loss: Tensor, finite: Tensor, refused: Tensor) -> Tensor:
        """Shorten refused steps by quadratic interpolation; the rows returned must start anew downhill."""
        self._trials = torch.where(refused, self._trials + 1, 0)
        self._nonfinite = torch.where(finite, self._nonfinite, self._nonfinite + 1)
        self.broken = self.broken | ((self._nonfinite >= NONFINITE_TRIALS) & ~self.stalled)
        self._scale = torch.where(finite, self._scale, self._scale / 10)
        excess = loss - self.best_loss - self._slope * self._step
        ratio = (-self._slope * self._step / (2 * excess)).nan_to_num(0.5).clamp(0.1, 0.5)
        self._step = torch.where(refused, self._step * ratio, 1.0)
        exhausted = refused & (self._trials >= LINE_SEARCH_TRIALS)
        self.stalled = self.stalled | (exhausted & self._pairs.empty)
        return (exhausted & ~self.stalled) | (refused & ~finite)

    def _accept(self, loss: Tensor, gradient: Tensor, accept: Tensor) -> None:
        self._pairs.add(self.trial - self.best, gradient - self._gradient, accept)
        self.best = _where(accept, self.trial, self.best)
        self.best_loss = torch.where(accept, loss, self.best_loss)
        self._gradient = _where(accept, gradient, self._gradient)
        self.accepted = self.accepted + accept
        self._nonfinite = torch.where(accept, 0, self._nonfinite)

    def _turn(self, accept: Tensor, fallback: Tensor) -> None:
        """New directions for rows that moved or start anew; the others keep theirs."""
        self._pairs.clear(fallback)
        self._scale = torch.where(accept, self._pairs.scale(self._scale), self._scale)
        direction = self._pairs.direction(self._gradient, self._scale)
        self._direction = _where(accept, direction, self._direction)
        self._slope = (self._gradient * self._direction).sum(1)
        uphill = accept & ~(self._slope < 0)
        self._pairs.clear(uphill)
        self._descend(fallback | uphill)

    def _descend(self, rows: Tensor) -> None:
        """Point straight downhill in the given rows."""
        self._direction = _where(rows, -self._scale[:, None] * self._gradient, self._direction)
        self._slope = (self._gradient * self._direction).sum(1)
        self._step = torch.where(rows, 1.0, self._step)
        self._trials = torch.where(rows, 0, self._trials)
        # A flat place offers no way down at all.
        self.stalled = self.stalled | (rows & ~(self._slope < 0) & ~self.broken)

    def _aim(self) -> None:
        self.trial = self.best + self._step[:, None] * self._direction


class _Pairs:
    """The curvature pairs (s, y) of every row, with all their inner products."""

    def __init__(self, like: Tensor, history: int) -> None:
        rows, size = like.shape
        self._history = history
        self._buffer = like.new_zeros(rows, 2 * history, size)  # s in the first half, y in the second
        self._products = torch.zeros(rows, 2 * history, 2 * history, dtype=torch.float64, device=like.device)
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
        slot, half = self._next, self._history
        for offset, vector in ((0, s), (half, y)):
            self._buffer[self._rows, slot + offset] = _where(
                keep, vector, self._buffer[self._rows, slot + offset]
            )
        for offset in (0, half):
            column = self._inner(self._buffer[self._rows, slot + offset])
            self._products[self._rows, slot + offset] = column
            self._products[self._rows, :, slot + offset] = column
        self._filled[self._rows, slot] |= keep
        self._next = torch.where(keep, (slot + 1) % half, slot)

    def clear(self, rows: Tensor) -> None:
        """Forget the pairs of the given rows."""
        self._filled = self._filled & ~rows[:, None]

    def scale(self, otherwise: Tensor) -> Tensor:
        """`s·y / y·y` of the newest pair, [B]: the usual first guess at the inverse Hessian."""
        newest = (self._next - 1) % self._history
        s_y = self._products[self._rows, newest, newest + self._history]
        y_y = self._products[self._rows, newest + self._history, newest + self._history]
        known = self._filled[self._rows, newest] & (y_y > 0) & (s_y > 0)
        return torch.where(known, (s_y / y_y).to(otherwise.dtype), otherwise)

    def direction(self, gradient: Tensor, scale: Tensor) -> Tensor:
        """Minus the inverse Hessian's estimate times the gradient, [B, D]."""
        order = (self._next[:, None] + torch.arange(self._history, device=self._next.device)) % self._history
        filled = self._filled.gather(1, order)
        both = torch.cat([order, order + self._history], 1)
        known = torch.cat([filled, filled], 1).double()
        inner = self._products.gather(1, both[:, :, None].expand(-1, -1, both.shape[1]))
        inner = inner.gather(2, both[:, None, :].expand(-1, both.shape[1], -1))
        inner = inner * known[:, :, None] * known[:, None, :]
        slopes = self._inner(gradient).gather(1, both) * known
        weights = _compact_coefficients(inner, slopes, scale.double(), filled)
        placed = torch.zeros_like(weights).scatter(1, both, weights).to(gradient.dtype)
        moved = [torch.mv(pairs.T, row) for pairs, row in zip(self._buffer, placed, strict=True)]
        return -(scale[:, None] * gradient + torch.stack(moved))

    def _inner(self, vector: Tensor) -> Tensor:
        """Products of the rows' vectors [B, D] with all their pairs, [B, 2m] float64.

        Row by row, because a matrix-vector product runs at the memory's speed and a batched one far below it.
        """
        rows = [torch.mv(pairs, row) for pairs, row in zip(self._buffer, vector, strict=True)]
        return torch.stack(rows).double()


def _compact_coefficients(inner: Tensor, slopes: Tensor, scale: Tensor, filled: Tensor) -> Tensor:
    """Coefficients of the pairs in `H g - scale g`, oldest pair first.

    With R the upper triangle of SᵀY and D its diagonal: p = R⁻¹ Sᵀg weighs -scale Y, and
    R⁻ᵀ ((D + scale YᵀY) p - scale Yᵀg) weighs S.

    Args:
        inner: [B, 2m, 2m], inner products of s (first m) and y; rows of empty places are 0.
        slopes: [B, 2m], their products with the gradient.
        scale: [B].
        filled: [B, m].
    """
    m = filled.shape[1]
    s_y, y_y = inner[:, :m, m:], inner[:, m:, m:]
    diagonal = torch.diagonal(s_y, dim1=1, dim2=2)
    triangle = torch.triu(s_y) + torch.diag_embed((~filled).double())
    p = torch.linalg.solve_triangular(triangle, slopes[:, :m, None], upper=True)
    scaled = scale[:, None, None]
    right = diagonal[:, :, None] * p + scaled * (y_y @ p - slopes[:, m:, None])
    w = torch.linalg.solve_triangular(triangle.transpose(1, 2), right, upper=False)
    return torch.cat([w, -scaled * p], 1)[:, :, 0]


class Adam:
    """Adam (Kingma and Ba 2014, arXiv 1412.6980, algorithm 1), which keeps the best point it has seen.

    A non-finite trial goes back to the best point, forgets the moments and halves the rate of its row.

    Args:
        start: [B, D].
        learning_rate: step in units of the 0..1 pixel range.
    """

    BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-8

    def __init__(self, start: Tensor, *, learning_rate: float) -> None:
        rows = start.shape[0]
        self.trial = self.best = start
        self.best_loss = start.new_full((rows,), torch.inf)
        self.accepted = torch.zeros(rows, dtype=torch.int64, device=start.device)
        self.stalled = torch.zeros(rows, dtype=torch.bool, device=start.device)
        self.broken = torch.zeros_like(self.stalled)
        self._rate = start.new_full((rows,), learning_rate)
        self._first = torch.zeros_like(start)
        self._second = torch.zeros_like(start)
        self._age = torch.zeros_like(self.accepted)
        self._nonfinite = torch.zeros_like(self.accepted)

    def tell(self, loss: Tensor, gradient: Tensor) -> None:
        """Take in the trial and step on, or back to the best point where it was not finite."""
        finite = torch.isfinite(loss) & torch.isfinite(gradient).all(1) & ~self.broken
        better = finite & (loss < self.best_loss)
        self.best = _where(better, self.trial, self.best)
        self.best_loss = torch.where(better, loss, self.best_loss)
        self.accepted = self.accepted + finite
        self._nonfinite = torch.where(finite, 0, self._nonfinite + 1)
        self.broken = self.broken | (self._nonfinite >= NONFINITE_TRIALS)
        self._rate = torch.where(finite, self._rate, self._rate / 2)
        self._age = torch.where(finite, self._age + 1, 0)
        self._first = _where(
            finite, torch.lerp(gradient, self._first, self.BETA_1), torch.zeros_like(gradient)
        )
        self._second = _where(
            finite, torch.lerp(gradient.square(), self._second, self.BETA_2), torch.zeros_like(gradient)
        )
        self.trial = _where(finite, self._stepped(), self.best)

    def _stepped(self) -> Tensor:
        age = self._age[:, None].to(self._first.dtype)
        mean = self._first / (1 - self.BETA_1**age)
        spread = (self._second / (1 - self.BETA_2**age)).sqrt()
        return self.trial - self._rate[:, None] * mean / (spread + self.EPSILON)


def _where(rows: Tensor, yes: Tensor, no: Tensor) -> Tensor:
    """Choose whole rows: [B] bool, [B, D], [B, D] to [B, D]."""
    return torch.where(rows[:, None], yes, no)
