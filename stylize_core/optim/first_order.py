"""Adam, plain gradient descent, and the average of a path; see `base.Solver` for what all promise."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from stylize_core.optim.base import Around, Rows, are_finite, choose_rows, put, surely_all

RUNAWAY = 10  # a loss so many times the first one is on its way to infinity


# Why so many: the state of a solver is one; each buffer is named.
@dataclass(init=False, eq=False)
class Adam(Rows):
    """Adam (Kingma and Ba 2014, arXiv 1412.6980, algorithm 1), which keeps the best point it has seen.

    A non-finite trial goes back to the best point, forgets the moments and halves the rate of its row.

    Attributes:
        rate: [B].
        first: [B, D], the mean gradient.
        second: [B, D], the mean squared gradient.
        age: [B] int, how many gradients these are the means of.

    Args:
        start: [B, D].
        learning_rate: step in units of the 0..1 pixel range.
    """

    rate: Tensor
    first: Tensor
    second: Tensor
    age: Tensor

    BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-8

    def __init__(self, start: Tensor, *, learning_rate: float) -> None:
        super().__init__(start)
        self.rate = torch.full_like(self.best_loss, learning_rate)
        self.first = torch.zeros_like(start)
        self.second = torch.zeros_like(start)
        self.age = torch.zeros_like(self.accepted)

    def tell(self, loss: Tensor, gradient: Tensor) -> None:
        """Take in the trial and step on, or back to the best point where it was not finite."""
        finite = are_finite(loss, (gradient * 0).sum(1)) & ~self.broken
        better = finite & (loss < self.best_loss)
        put(better, self.trial, into=self.best)
        put(better, loss, into=self.best_loss)
        self.accepted += finite
        self.count_nonfinite(finite)
        put(~finite, self.rate / 2, into=self.rate)
        self.age.add_(1).masked_fill_(~finite, 0)
        torch.lerp(gradient, self.first, self.BETA_1, out=self.first)
        torch.lerp(gradient.square(), self.second, self.BETA_2, out=self.second)
        if not surely_all(finite):
            self.first.masked_fill_(~finite[:, None], 0)
            self.second.masked_fill_(~finite[:, None], 0)
        self.trial.copy_(choose_rows(finite, self._stepped(), self.best))

    def _stepped(self) -> Tensor:
        age = self.age[:, None].to(self.first.dtype)
        mean = self.first / (1 - self.BETA_1**age)
        spread = (self.second / (1 - self.BETA_2**age)).sqrt()
        return self.trial - self.rate[:, None] * mean / (spread + self.EPSILON)


@dataclass(init=False, eq=False)
class GradientDescent(Rows):
    """`x - rate * gradient` at a fixed rate, which keeps the best point it has seen.

    Gradients come with a root mean square of 1 at the start, so the rate is the size of the first step, and
    later ones shrink with the gradient. A trial that is not finite, or whose loss ran away, goes back to the
    best point and halves the rate of its row.

    Attributes:
        rate: [B].
        limit: [B], the loss that is too large to come back from.

    Args:
        start: [B, D].
        learning_rate: root mean square of the first step in units of the 0..1 pixel range.
    """

    rate: Tensor
    limit: Tensor

    def __init__(self, start: Tensor, *, learning_rate: float) -> None:
        super().__init__(start)
        self.rate = torch.full_like(self.best_loss, learning_rate)
        self.limit = torch.full_like(self.best_loss, torch.inf)

    def tell(self, loss: Tensor, gradient: Tensor) -> None:
        """Take in the trial and step on, or back to the best point where it led nowhere."""
        finite = are_finite(loss, (gradient * 0).sum(1)) & ~self.broken
        put(finite & torch.isinf(self.limit), RUNAWAY * loss.abs(), into=self.limit)
        usable = finite & (loss <= self.limit)
        better = usable & (loss < self.best_loss)
        put(better, self.trial, into=self.best)
        put(better, loss, into=self.best_loss)
        self.accepted += usable
        self.count_nonfinite(finite)
        put(~usable, self.rate / 2, into=self.rate)
        stepped = self.trial - self.rate[:, None] * gradient
        self.trial.copy_(choose_rows(usable, stepped, self.best))


# Why so many: it shows all that a solver shows.
@dataclass(init=False, eq=False)
class Averaged(Around):
    """A solver whose `best` is the exponential average of its accepted trials.

    The average is that of Polyak and Juditsky 1992 (SIAM Journal on Control and Optimization 30) with weights
    that fade, corrected for its start as Adam corrects its own (arXiv 1412.6980, section 3): after one trial
    it is that trial. `best_loss` remains the smallest loss of a single trial.

    Attributes:
        walker: what walks; it is not told of the average.
        average: [B, D].
        decay: how much of the average stays at each trial, 0..1.
    """

    walker: Adam | GradientDescent
    average: Tensor
    decay: float

    def __init__(self, walker: Adam | GradientDescent, *, decay: float) -> None:
        self.walker, self.decay = walker, decay
        self.average = walker.best.clone()

    @property
    def trial(self) -> Tensor:
        """See `Solver`."""
        return self.walker.trial

    @property
    def best(self) -> Tensor:
        """The average."""
        return self.average

    def tell(self, loss: Tensor, gradient: Tensor) -> None:
        """Let the solver judge the trial, and mix it into the average where it was accepted."""
        trial, before = self.walker.trial.clone(), self.walker.accepted.clone()
        self.walker.tell(loss, gradient)
        count = self.walker.accepted
        share = (1 - self.decay) / (1 - self.decay ** count.clamp_min(1).to(trial.dtype))
        mixed = self.average + share[:, None] * (trial - self.average)
        put(count > before, mixed, into=self.average)
