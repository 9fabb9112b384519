"""L-BFGS for a batch; see `solvers.Solver` for what it promises."""

from __future__ import annotations

import torch
from torch import Tensor

from stylize_core.optim.base import NONFINITE_TRIALS, Rows, choose_rows, surely_none
from stylize_core.optim.curvature import Pairs

SUFFICIENT_DECREASE = 1e-4  # Armijo's c1, Nocedal and Wright 2006, equation 3.4
FIRST_MOVE = 0.01  # root mean square of the first step, in units of the 0..1 pixel range
LINE_SEARCH_TRIALS = 10


# Why so many: the state of a solver is one; each buffer is named.
class LBFGS(Rows):
    """Limited-memory BFGS with a backtracking line search.

    The inverse Hessian is kept in the compact form of Byrd, Nocedal and Schnabel 1994 (Mathematical
    Programming 63, section 3.1): one product with the flat buffer of all pairs gives every inner product,
    small triangular solves in float64 (in float32 on devices without it) give the coefficients, and a second
    product gives the direction.

    A trial counts only if it decreases the loss sufficiently, so `best` is the last accepted point. A
    non-finite trial clears the history and shortens the step tenfold.

    Args:
        start: [B, D].
        history: how many curvature pairs are remembered.
    """

    def __init__(self, start: Tensor, *, history: int = 10) -> None:
        super().__init__(start)
        self._gradient = torch.zeros_like(start)
        self._direction = torch.zeros_like(start)
        self._slope = torch.zeros_like(self.best_loss)
        self._step = torch.ones_like(self.best_loss)
        self._scale = torch.full_like(self.best_loss, FIRST_MOVE)
        self._trials = torch.zeros_like(self.accepted)
        self._pairs = Pairs(start, history)
        self._started = self._asked_anew = False

    def tell(self, loss: Tensor, gradient: Tensor) -> None:
        """Accept or refuse the trial, row by row, and choose the next."""
        finite = torch.isfinite(loss) & torch.isfinite(gradient.sum(1))
        if not self._started:
            self._begin(loss, gradient, finite)
            return
        if self._asked_anew:
            self._go_on(loss, gradient, finite)
            return
        bound = self.best_loss + SUFFICIENT_DECREASE * self._step * self._slope
        accept = finite & (loss <= bound) & (loss < self.best_loss) & ~self.stalled & ~self.broken
        fallback = self._refuse(loss, finite, ~accept)
        self._accept(loss, gradient, accept)
        self._turn(accept, fallback)
        self._aim()

    def keep(self, rows: Tensor) -> None:
        """Forget all but these rows."""
        super().keep(rows)
        self._pairs.keep(rows)

    def revalue(self) -> None:
        """Ask for the best points again: from now on they are told of by another, similar objective.

        What is known of the curvature stays; losses of before are no bound any more.
        """
        self.trial, self._asked_anew = self.best, True

    def _go_on(self, loss: Tensor, gradient: Tensor, finite: Tensor) -> None:
        self._asked_anew = False
        self.broken = self.broken | ~finite
        self.best_loss = torch.where(finite, loss, self.best_loss)
        self._gradient = choose_rows(finite, gradient, self._gradient)
        self.stalled = torch.zeros_like(self.stalled)
        self._step, self._trials = torch.ones_like(self._step), torch.zeros_like(self._trials)
        self._turn(finite, torch.zeros_like(finite))
        self._aim()

    def _begin(self, loss: Tensor, gradient: Tensor, finite: Tensor) -> None:
        self._started = True
        self.broken = ~finite
        self.best_loss = torch.where(finite, loss, self.best_loss)
        self._gradient = choose_rows(finite, gradient, self._gradient)
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
        if surely_none(accept):
            return
        self._pairs.add(self.trial - self.best, gradient - self._gradient, accept)
        self.best = choose_rows(accept, self.trial, self.best)
        self.best_loss = torch.where(accept, loss, self.best_loss)
        self._gradient = choose_rows(accept, gradient, self._gradient)
        self.accepted = self.accepted + accept
        self._nonfinite = torch.where(accept, 0, self._nonfinite)

    def _turn(self, accept: Tensor, fallback: Tensor) -> None:
        """New directions for rows that moved or start anew; the others keep theirs."""
        self._pairs.clear(fallback)
        if not surely_none(accept):
            self._scale = torch.where(accept, self._pairs.scale(self._scale), self._scale)
            direction = self._pairs.direction(self._gradient, self._scale)
            self._direction = choose_rows(accept, direction, self._direction)
            self._slope = (self._gradient * self._direction).sum(1)
        uphill = accept & ~(self._slope < 0)
        self._pairs.clear(uphill)
        self._descend(fallback | uphill)

    def _descend(self, rows: Tensor) -> None:
        """Point straight downhill in the given rows."""
        if surely_none(rows):
            return
        self._direction = choose_rows(rows, -self._scale[:, None] * self._gradient, self._direction)
        self._slope = (self._gradient * self._direction).sum(1)
        self._step = torch.where(rows, 1.0, self._step)
        self._trials = torch.where(rows, 0, self._trials)
        # A flat place offers no way down at all.
        self.stalled = self.stalled | (rows & ~(self._slope < 0) & ~self.broken)

    def _aim(self) -> None:
        self.trial = self.best + self._step[:, None] * self._direction
