"""What every solver is: steps for a batch whose rows know nothing of one another.

Solvers are asked for points and told what was found there:

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

NONFINITE_TRIALS = 6  # in a row, after which a solver gives a row up


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
    best_loss: Tensor
    accepted: Tensor
    stalled: Tensor
    broken: Tensor

    @property
    def best(self) -> Tensor:
        """See above."""
        ...

    def tell(self, loss: Tensor, gradient: Tensor) -> None:
        """Take in the loss [B] and gradient [B, D] at `trial`, and choose the next `trial`."""
        ...

    def keep(self, rows: Tensor) -> None:
        """Forget all but these rows, given by their numbers, and go on with them as before."""
        ...


class Rows:
    """What a solver that walks by itself knows of every row, before its first trial.

    Args:
        start: [B, D].
    """

    def __init__(self, start: Tensor) -> None:
        rows = start.shape[0]
        self.trial = self.best = start
        self.best_loss = start.new_full((rows,), torch.inf)
        self.accepted = torch.zeros(rows, dtype=torch.int64, device=start.device)
        self.stalled = torch.zeros(rows, dtype=torch.bool, device=start.device)
        self.broken = torch.zeros_like(self.stalled)
        self._nonfinite = torch.zeros_like(self.accepted)

    def keep(self, rows: Tensor) -> None:
        """Forget all but these rows."""
        keep_rows(self, rows)


def keep_rows(state: object, rows: Tensor) -> None:
    """Of every tensor among the attributes, keep the given rows."""
    for name, value in vars(state).items():
        if isinstance(value, Tensor):
            setattr(state, name, value[rows])


def choose_rows(rows: Tensor, yes: Tensor, no: Tensor) -> Tensor:
    """Whole rows of one or the other: [B] bool, [B, D], [B, D] to [B, D], which may be one of them itself."""
    if surely_none(rows):
        return no
    return yes if surely_none(~rows) else torch.where(rows[:, None], yes, no)


def surely_none(rows: Tensor) -> bool:
    """Whether no row is meant; on a GPU, which would have to be waited for, that is never known."""
    return rows.device.type == "cpu" and not bool(rows.any())
