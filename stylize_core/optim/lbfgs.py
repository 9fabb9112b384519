"""L-BFGS for a batch; see `base.Solver` for what it promises."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from stylize_core.chunks import coarse, dot, parts
from stylize_core.optim.base import NONFINITE_TRIALS, Rows, are_finite, put, surely_none
from stylize_core.optim.curvature import Pairs

SUFFICIENT_DECREASE = 1e-4  # Armijo's c1, Nocedal and Wright 2006, equation 3.4
FIRST_MOVE = 0.01  # root mean square of the first step, in units of the 0..1 pixel range
LINE_SEARCH_TRIALS = 10
TINY = 1e-30  # mean square of a gradient that counts as none


# Why so many: the state of a solver is one; each buffer is named.
@dataclass(init=False, eq=False)
class LBFGS(Rows):
    """Limited-memory BFGS with a backtracking line search.

    The inverse Hessian is kept in the compact form of Byrd, Nocedal and Schnabel 1994 (Mathematical
    Programming 63, section 3.1): one product with the flat buffer of all pairs gives every inner product,
    small triangular solves in float64 (in float32 on devices without it) give the coefficients, and a second
    product gives the direction.

    A trial counts only if it decreases the loss sufficiently, so `best` is the last accepted point. A
    non-finite trial clears the history and shortens the step tenfold.

    Attributes:
        gradient: [B, D], at the best point.
        direction: [B, D], in which the trial lies from it; coarse for large pictures.
        slope: [B], their product.
        step: [B], the share of the direction that the trial is away.
        scale: [B], the first guess at the inverse Hessian.
        trials: [B] int, how many were refused since the last accepted one.
        pairs: what is known of the curvature.
        started: whether the start was evaluated.
        asked_anew: whether the trial is the best point, for another objective.

    Args:
        start: [B, D].
        history: how many curvature pairs are remembered.
    """

    gradient: Tensor
    direction: Tensor
    slope: Tensor
    step: Tensor
    scale: Tensor
    trials: Tensor
    pairs: Pairs
    started: bool
    asked_anew: bool

    def __init__(self, start: Tensor, *, history: int = 10) -> None:
        super().__init__(start)
        self.gradient = torch.zeros_like(start)
        self.direction = torch.zeros_like(start, dtype=coarse(start.dtype, start.shape[1]))
        self.slope = torch.zeros_like(self.best_loss)
        self.step = torch.ones_like(self.best_loss)
        self.scale = torch.full_like(self.best_loss, FIRST_MOVE)
        self.trials = torch.zeros_like(self.accepted)
        self.pairs = Pairs(start, history)
        self.started = self.asked_anew = False

    def tell(self, loss: Tensor, gradient: Tensor) -> None:
        """Accept or refuse the trial, row by row, and choose the next."""
        finite = are_finite(loss, gradient.sum(1))
        if not self.started:
            self._begin(loss, gradient, finite)
            return
        if self.asked_anew:
            self._go_on(loss, gradient, finite)
            return
        expected = self.slope * self.step
        bound = torch.add(self.best_loss, expected, alpha=SUFFICIENT_DECREASE)
        accept = finite & (loss <= bound) & (loss < self.best_loss) & ~(self.stalled | self.broken)
        fallback = self._refuse(loss, expected, ~(finite | self.stalled), accept)
        self._accept(loss, gradient, accept)
        self._turn(accept, fallback)
        self._aim()

    def revalue(self) -> None:
        """Ask for the best points again: from now on they are told of by another, similar objective.

        What is known of the curvature stays; losses of before are no bound any more.
        """
        self.trial.copy_(self.best)
        self.asked_anew = True

    def _go_on(self, loss: Tensor, gradient: Tensor, finite: Tensor) -> None:
        self.asked_anew = False
        self.broken |= ~finite
        put(finite, loss, into=self.best_loss)
        put(finite, gradient, into=self.gradient)
        self.stalled.zero_()
        self.step.fill_(1)
        self.trials.zero_()
        self._guess_anew(~self.pairs.some)
        self._turn(finite, torch.zeros_like(finite))
        self._aim()

    def _begin(self, loss: Tensor, gradient: Tensor, finite: Tensor) -> None:
        self.started = True
        torch.logical_not(finite, out=self.broken)
        put(finite, loss, into=self.best_loss)
        put(finite, gradient, into=self.gradient)
        self._descend(torch.ones_like(finite))
        self._aim()

    def _refuse(self, loss: Tensor, expected: Tensor, lost: Tensor, accept: Tensor) -> Tensor:
        """Shorten refused steps by quadratic interpolation; the rows returned must start anew downhill.

        Args:
            expected: [B], how much the loss would have changed had the slope stayed.
            lost: [B] bool, whose trial was not finite.
        """
        self.trials.add_(1).masked_fill_(accept, 0)
        self.nonfinite.add_(lost).masked_fill_(accept, 0)
        self.broken |= (self.nonfinite >= NONFINITE_TRIALS) & ~self.stalled
        put(lost, self.scale / 10, into=self.scale)
        ratio = expected / (loss - self.best_loss).sub_(expected).mul_(-2)
        self.step.mul_(ratio.nan_to_num_(0.5).clamp_(0.1, 0.5)).masked_fill_(accept, 1)
        exhausted = self.trials >= LINE_SEARCH_TRIALS
        self.stalled |= exhausted & ~self.pairs.some
        misled = exhausted & ~self.stalled
        self._guess_anew(misled & ~lost)
        return misled | lost

    def _guess_anew(self, rows: Tensor) -> None:
        """Let the first guess at the inverse Hessian be that of a start, a move of `FIRST_MOVE`.

        The last one is of pairs that led nowhere. Where noise made them, as in bf16, it is so small that no
        step which begins with it changes the loss.
        """
        if surely_none(rows):
            return
        mean_square = dot(self.gradient, self.gradient) / self.gradient.shape[1]
        put(rows, FIRST_MOVE * mean_square.clamp_min(TINY).rsqrt(), into=self.scale)

    def _accept(self, loss: Tensor, gradient: Tensor, accept: Tensor) -> None:
        if surely_none(accept):
            return
        self.pairs.add(self._moved, lambda part: gradient[:, part] - self.gradient[:, part], accept)
        put(accept, self.trial, into=self.best)
        put(accept, loss, into=self.best_loss)
        put(accept, gradient, into=self.gradient)
        self.accepted += accept

    def _moved(self, part: slice) -> Tensor:
        """How far the trial is from the best point."""
        return self.trial[:, part] - self.best[:, part]

    def _turn(self, accept: Tensor, fallback: Tensor) -> None:
        """New directions for rows that moved or start anew; the others keep theirs."""
        self.pairs.clear(fallback)
        if not surely_none(accept):
            put(accept, self.pairs.scale(self.scale), into=self.scale)
            self.pairs.turn(accept, self.gradient, self.scale, into=self.direction)
            self.slope.copy_(dot(self.gradient, self.direction))
        uphill = accept & ~(self.slope < 0)
        self.pairs.clear(uphill)
        self._descend(fallback | uphill)

    def _descend(self, rows: Tensor) -> None:
        """Point straight downhill in the given rows."""
        if surely_none(rows):
            return
        for part in parts(self.gradient.shape[1]):
            put(rows, -self.scale[:, None] * self.gradient[:, part], into=self.direction[:, part])
        self.slope.copy_(dot(self.gradient, self.direction))
        self.step.masked_fill_(rows, 1)
        self.trials.masked_fill_(rows, 0)
        # A flat place offers no way down at all.
        self.stalled |= rows & ~((self.slope < 0) | self.broken)

    def _aim(self) -> None:
        self._stride_out()
        self.trial += self.best

    def _stride_out(self) -> None:
        """Let `trial` be how far the next one lies from the best point."""
        for part in parts(self.trial.shape[1]):
            torch.mul(self.step[:, None], self.direction[:, part], out=self.trial[:, part])
