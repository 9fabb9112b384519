"""Adam, plain gradient descent, and the average of a path; see `solvers.Solver` for what all promise."""

from __future__ import annotations

import torch
from torch import Tensor

from stylize_core.optim.base import NONFINITE_TRIALS, Rows, Solver, choose_rows, keep_rows

RUNAWAY = 10  # a loss so many times the first one is on its way to infinity


class Adam(Rows):
    """Adam (Kingma and Ba 2014, arXiv 1412.6980, algorithm 1), which keeps the best point it has seen.

    A non-finite trial goes back to the best point, forgets the moments and halves the rate of its row.

    Args:
        start: [B, D].
        learning_rate: step in units of the 0..1 pixel range.
    """

    BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-8

    def __init__(self, start: Tensor, *, learning_rate: float) -> None:
        super().__init__(start)
        self._rate = torch.full_like(self.best_loss, learning_rate)
        self._first = torch.zeros_like(start)
        self._second = torch.zeros_like(start)
        self._age = torch.zeros_like(self.accepted)

    def tell(self, loss: Tensor, gradient: Tensor) -> None:
        """Take in the trial and step on, or back to the best point where it was not finite."""
        finite = torch.isfinite(loss) & torch.isfinite(gradient).all(1) & ~self.broken
        better = finite & (loss < self.best_loss)
        self.best = choose_rows(better, self.trial, self.best)
        self.best_loss = torch.where(better, loss, self.best_loss)
        self.accepted = self.accepted + finite
        self._nonfinite = torch.where(finite, 0, self._nonfinite + 1)
        self.broken = self.broken | (self._nonfinite >= NONFINITE_TRIALS)
        self._rate = torch.where(finite, self._rate, self._rate / 2)
        self._age = torch.where(finite, self._age + 1, 0)
        self._first = choose_rows(
            finite, torch.lerp(gradient, self._first, self.BETA_1), torch.zeros_like(gradient)
        )
        self._second = choose_rows(
            finite, torch.lerp(gradient.square(), self._second, self.BETA_2), torch.zeros_like(gradient)
        )
        self.trial = choose_rows(finite, self._stepped(), self.best)

    def _stepped(self) -> Tensor:
        age = self._age[:, None].to(self._first.dtype)
        mean = self._first / (1 - self.BETA_1**age)
        spread = (self._second / (1 - self.BETA_2**age)).sqrt()
        return self.trial - self._rate[:, None] * mean / (spread + self.EPSILON)


class GradientDescent(Rows):
    """`x - rate * gradient` at a fixed rate, which keeps the best point it has seen.

    Gradients come with a root mean square of 1 at the start, so the rate is the size of the first step, and
    later ones shrink with the gradient. A trial that is not finite, or whose loss ran away, goes back to the
    best point and halves the rate of its row.

    Args:
        start: [B, D].
        learning_rate: root mean square of the first step in units of the 0..1 pixel range.
    """

    def __init__(self, start: Tensor, *, learning_rate: float) -> None:
        super().__init__(start)
        self._rate = torch.full_like(self.best_loss, learning_rate)
        self._limit = torch.full_like(self.best_loss, torch.inf)

    def tell(self, loss: Tensor, gradient: Tensor) -> None:
        """Take in the trial and step on, or back to the best point where it led nowhere."""
        finite = torch.isfinite(loss) & torch.isfinite(gradient).all(1) & ~self.broken
        self._limit = torch.where(finite & torch.isinf(self._limit), RUNAWAY * loss.abs(), self._limit)
        usable = finite & (loss <= self._limit)
        better = usable & (loss < self.best_loss)
        self.best = choose_rows(better, self.trial, self.best)
        self.best_loss = torch.where(better, loss, self.best_loss)
        self.accepted = self.accepted + usable
        self._nonfinite = torch.where(finite, 0, self._nonfinite + 1)
        self.broken = self.broken | (self._nonfinite >= NONFINITE_TRIALS)
        self._rate = torch.where(usable, self._rate, self._rate / 2)
        stepped = self.trial - self._rate[:, None] * gradient
        self.trial = choose_rows(usable, stepped, self.best)


class Averaged:
    """A solver whose `best` is the exponential average of its accepted trials.

    The average is that of Polyak and Juditsky 1992 (SIAM Journal on Control and Optimization 30) with weights
    that fade, corrected for its start as Adam corrects its own (arXiv 1412.6980, section 3): after one trial
    it is that trial. `best_loss` remains the smallest loss of a single trial.

    Args:
        solver: what walks; it is not told of the average.
        decay: how much of the average stays at each trial, 0..1.
    """

    def __init__(self, solver: Solver, *, decay: float) -> None:
        self._solver, self._decay = solver, decay
        self.best = solver.best
        self._mirror()

    def tell(self, loss: Tensor, gradient: Tensor) -> None:
        """Let the solver judge the trial, and mix it into the average where it was accepted."""
        trial, before = self._solver.trial, self._solver.accepted
        self._solver.tell(loss, gradient)
        count = self._solver.accepted
        share = (1 - self._decay) / (1 - self._decay ** count.clamp_min(1).to(trial.dtype))
        mixed = self.best + share[:, None] * (trial - self.best)
        self.best = torch.where((count > before)[:, None], mixed, self.best)
        self._mirror()

    def keep(self, rows: Tensor) -> None:
        """Forget all but these rows."""
        self._solver.keep(rows)
        keep_rows(self, rows)

    def _mirror(self) -> None:
        self.trial, self.best_loss = self._solver.trial, self._solver.best_loss
        self.accepted, self.stalled, self.broken = (
            self._solver.accepted,
            self._solver.stalled,
            self._solver.broken,
        )
