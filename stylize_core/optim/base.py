"""What every solver is: steps for a batch whose rows know nothing of one another.

Solvers are asked for points and told what was found there:

    while ...:
        solver.tell(*objective(solver.trial))

They take every decision by tensor arithmetic on [B] masks, so a GPU never waits for the host, and a batch
takes the same steps as its rows alone. All that they know lies in buffers of a dataclass, which they fill in
place: it can be saved between any two steps, and a step can be captured once and repeated. Gradients are
expected to be of order 1 (root mean square) at the start: `minimise` scales the objective so, which makes
every threshold here free of units.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

NONFINITE_TRIALS = 6  # in a row, after which a solver gives a row up


class Solver(Protocol):
    """Something that turns losses and gradients into better points.

    A row that is stalled or broken keeps its best point whatever it is told, so it may stay in its batch.
    """

    @property
    def trial(self) -> Tensor:
        """[B, D], where to evaluate next."""
        ...

    @property
    def best(self) -> Tensor:
        """[B, D], the best accepted point so far, or what stands for it."""
        ...

    @property
    def best_loss(self) -> Tensor:
        """[B], the loss there."""
        ...

    @property
    def accepted(self) -> Tensor:
        """[B] int, how many steps were accepted."""
        ...

    @property
    def stalled(self) -> Tensor:
        """[B] bool, no smaller loss can be found at this precision."""
        ...

    @property
    def broken(self) -> Tensor:
        """[B] bool, given up after too many values in a row that were not finite."""
        ...

    def tell(self, loss: Tensor, gradient: Tensor) -> None:
        """Take in the loss [B] and gradient [B, D] at `trial`, and choose the next `trial`.

        The gradient may be used up.
        """
        ...


@dataclass(init=False, eq=False)
class Rows:
    """What a solver that walks by itself knows of every row, before its first trial.

    Attributes:
        nonfinite: [B] int, how many trials in a row were not finite.

    Args:
        start: [B, D].
    """

    trial: Tensor
    best: Tensor
    best_loss: Tensor
    accepted: Tensor
    stalled: Tensor
    broken: Tensor
    nonfinite: Tensor

    def __init__(self, start: Tensor) -> None:
        rows = start.shape[0]
        self.trial, self.best = start.clone(), start.clone()
        self.best_loss = start.new_full((rows,), torch.inf)
        self.accepted = torch.zeros(rows, dtype=torch.int64, device=start.device)
        self.stalled = torch.zeros(rows, dtype=torch.bool, device=start.device)
        self.broken = torch.zeros_like(self.stalled)
        self.nonfinite = torch.zeros_like(self.accepted)

    def count_nonfinite(self, finite: Tensor) -> None:
        """Count the trials of every row that were not finite, since the last one that was."""
        self.nonfinite.add_(1).masked_fill_(finite, 0)
        self.broken |= self.nonfinite >= NONFINITE_TRIALS


class Around:
    """A solver that changes what another one shows, and takes its word for how the rows are.

    Attributes:
        walker: the other one.
    """

    walker: Rows

    @property
    def best_loss(self) -> Tensor:
        """See `Solver`."""
        return self.walker.best_loss

    @property
    def accepted(self) -> Tensor:
        """See `Solver`."""
        return self.walker.accepted

    @property
    def stalled(self) -> Tensor:
        """See `Solver`."""
        return self.walker.stalled

    @property
    def broken(self) -> Tensor:
        """See `Solver`."""
        return self.walker.broken


def put(rows: Tensor, values: Tensor, *, into: Tensor) -> None:
    """Replace whole rows of a buffer [B] or [B, D], where `rows`, [B] bool, says so, by those of `values`.

    They are rounded to the buffer's format.
    """
    if into.dim() == 1:
        torch.where(rows, values, into, out=into)
    elif not surely_none(rows):
        if surely_all(rows):
            into.copy_(values)
        else:
            torch.where(rows[:, None], values.to(into.dtype), into, out=into)


def choose_rows(rows: Tensor, yes: Tensor, no: Tensor) -> Tensor:
    """Whole rows of one or the other: [B] bool, [B, D], [B, D] to [B, D], which may be one of them itself."""
    if surely_none(rows):
        return no
    return yes if surely_all(rows) else torch.where(rows[:, None], yes, no)


def are_finite(loss: Tensor, totals: Tensor) -> Tensor:
    """Which rows, [B] bool, have a finite loss [B] and finite totals [B] of their gradients.

    >>> are_finite(torch.tensor([1.0, 1.0, torch.nan]), torch.tensor([0.0, torch.inf, 0.0]))
    tensor([ True, False, False])
    """
    return (loss * 0 + totals * 0) == 0  # 0 times what is not finite is no number


def surely_none(rows: Tensor) -> bool:
    """Whether no row is meant; on a GPU, which would have to be waited for, that is never known."""
    return on_host(rows) and not bool(rows.any())


def surely_all(rows: Tensor) -> bool:
    """Whether every row is meant; see `surely_none`."""
    return on_host(rows) and bool(rows.all())


def on_host(values: Tensor) -> bool:
    """Whether to look at values costs no wait."""
    return values.device.type == "cpu"
