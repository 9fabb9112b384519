"""Other coordinates for a solver, in which fine slanting structure is as easy to reach as upright structure.

The kernels of a network of 3x3 convolutions answer more strongly to what lies along rows and columns than to
what is as fine and lies across them, so its gradients say little of the latter. In the few steps that there
are, a solver then fills pictures with upright crosshatch where the style has strokes of every direction.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from stylize_core.optim.base import Around
from stylize_core.optim.lbfgs import LBFGS

# What differences across two pixels, along rows and again along columns, make of waves of four pixels.
PEAK = 16


def slanted(planes_bchw: Tensor, gain: float) -> Tensor:
    """The planes with what slants and is fine multiplied, up to `gain` for waves of four px both ways.

    The factor is `1 + (gain - 1) sin²(2πx) sin²(2πy)` at frequencies x and y, cycles per px: 1 along the axes
    and for checkerboards. As a matrix it is symmetric, with eigenvalues from 1 to `gain`; beyond the edge is
    nothing.

    >>> import torch
    >>> wave = torch.tensor([0.0, 1.0, 0.0, -1.0] * 4)
    >>> slanted(torch.outer(wave, wave)[None, None], 2.0)[0, 0, 4:8, 4:8].tolist()[1]
    [0.0, 2.0, 0.0, -2.0]
    """
    return planes_bchw + _bent(_bent(planes_bchw, -1), -2) * ((gain - 1) / PEAK)


def _bent(planes_bchw: Tensor, dim: int) -> Tensor:
    """Twice the values without those two places before and behind; beyond the edge is 0."""
    bent, reach = 2 * planes_bchw, max(0, planes_bchw.shape[dim] - 2)
    bent.narrow(dim, bent.shape[dim] - reach, reach).sub_(planes_bchw.narrow(dim, 0, reach))
    bent.narrow(dim, 0, reach).sub_(planes_bchw.narrow(dim, bent.shape[dim] - reach, reach))
    return bent


def lbfgs(start_bchw: Tensor, *, history: int, gain: float) -> LBFGS | Preconditioned:
    """L-BFGS from these pictures; see `Preconditioned`, which a gain of 1 does not need."""
    if gain == 1:
        return LBFGS(start_bchw.flatten(1), history=history)
    return Preconditioned(start_bchw, history=history, gain=gain)


# Why so many: it shows all that a solver shows.
@dataclass(init=False, eq=False)
class Preconditioned(Around):
    """L-BFGS that walks among w, where a picture is `start + slanted(w - start)`.

    That is L-BFGS with the square of that matrix as the first guess at the inverse Hessian. Seen from outside
    all points are pictures, and all gradients are theirs.

    Attributes:
        walker: the L-BFGS among w.

    Args:
        start_bchw: where every row starts.
        history: curvature pairs to remember.
        gain: see `slanted`.
    """

    walker: LBFGS
    start: Tensor
    trial: Tensor
    shape: list[int]
    gain: float

    def __init__(self, start_bchw: Tensor, *, history: int, gain: float) -> None:
        self.start, self.gain, self.shape = start_bchw.flatten(1), gain, list(start_bchw.shape[1:])
        self.walker = LBFGS(self.start, history=history)
        self.trial = self.start.clone()

    @property
    def best(self) -> Tensor:
        """[B, D], the best accepted pictures so far."""
        return self._picture(self.walker.best)

    def tell(self, loss: Tensor, gradient: Tensor) -> None:
        """Let the solver judge the trial, given the loss [B] and the gradient [B, D] by the picture."""
        self.walker.tell(loss, self._slanted(gradient))
        self._show_trial()

    def revalue(self) -> None:
        """Ask for the best pictures again, as another objective tells of them from now on."""
        self.walker.revalue()
        self._show_trial()

    def _show_trial(self) -> None:
        torch.add(self.start, self._slanted(self.walker.trial - self.start), out=self.trial)

    def _picture(self, walked: Tensor) -> Tensor:
        return self.start + self._slanted(walked - self.start)

    def _slanted(self, rows: Tensor) -> Tensor:
        return slanted(rows.view(-1, *self.shape), self.gain).flatten(1)
