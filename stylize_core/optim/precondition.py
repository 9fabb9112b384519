"""Other coordinates for a solver, in which fine slanting structure is as easy to reach as upright structure.

The kernels of a network of 3x3 convolutions answer more strongly to what lies along rows and columns than to
what is as fine and lies across them, so its gradients say little of the latter. In the few steps that there
are, a solver then fills pictures with upright crosshatch where the style has strokes of every direction.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from stylize_core.large_pictures import is_large
from stylize_core.optim.base import Around
from stylize_core.optim.lbfgs import LBFGS

# What differences across two pixels, along rows and again along columns, make of waves of four pixels.
PEAK, REACH = 16, 2
# So many numbers of a picture at most are slanted at a time.
STRIP = 2**22


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
    return slant_(planes_bchw.clone(), gain)


def slant_(planes_bchw: Tensor, gain: float) -> Tensor:
    """The same in place, in strips of rows, so that it needs little memory beside the planes."""
    channels, height, width = planes_bchw.shape[1:]
    step = max(REACH, STRIP // (channels * width))
    before = planes_bchw[:, :, :0]
    for first in range(0, height, step):
        rows = planes_bchw[:, :, first : first + step]
        seen = torch.cat([before, planes_bchw[:, :, first : first + step + REACH]], 2)
        before, above = rows[:, :, -REACH:].clone(), before.shape[2]
        bent = _bent(_bent(seen, -1), -2)[:, :, above : above + rows.shape[2]]
        rows.add_(bent * ((gain - 1) / PEAK))
    return planes_bchw


def _bent(planes_bchw: Tensor, dim: int) -> Tensor:
    """Twice the values without those two places before and behind; beyond the edge is 0."""
    bent, reach = 2 * planes_bchw, max(0, planes_bchw.shape[dim] - REACH)
    bent.narrow(dim, bent.shape[dim] - reach, reach).sub_(planes_bchw.narrow(dim, 0, reach))
    bent.narrow(dim, 0, reach).sub_(planes_bchw.narrow(dim, bent.shape[dim] - reach, reach))
    return bent


def lbfgs(start_bchw: Tensor, *, history: int, gain: float) -> LBFGS | Preconditioned:
    """L-BFGS from these pictures; see `Preconditioned`, which a gain of 1 does not need."""
    if gain == 1:
        return LBFGS(start_bchw.flatten(1), history=history)
    walking = Moving if is_large(start_bchw[0].numel()) else Preconditioned
    return walking(start_bchw, history=history, gain=gain)


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
        return self._show(self.walker.best, torch.empty_like(self.start))

    def tell(self, loss: Tensor, gradient: Tensor) -> None:
        """Let the solver judge the trial, given the loss [B] and the gradient [B, D] by the picture."""
        self.walker.tell(loss, self._slant(gradient))
        self._show(self.walker.trial, self.trial)

    def revalue(self) -> None:
        """Ask for the best pictures again, as another objective tells of them from now on."""
        self.walker.revalue()
        self._show(self.walker.trial, self.trial)

    def _show(self, walked: Tensor, picture: Tensor) -> Tensor:
        """Write the pictures of some w."""
        torch.sub(walked, self.start, out=picture)
        return self._slant(picture).add_(self.start)

    def _slant(self, rows: Tensor) -> Tensor:
        slant_(rows.view(-1, *self.shape), self.gain)
        return rows


# Why so many: the buffers of L-BFGS are its own as well.
@dataclass(init=False, eq=False)
class Moving(LBFGS):
    """The same walk for pictures so large that every vector counts, within rounding.

    Where a picture starts and where w is plays no part, only how w changes: by a share of the direction, and
    the picture by that slanted. So neither is kept.

    Attributes:
        taken: [B], the share of the direction that made the trial.

    Args:
        start_bchw: where every row starts.
        history: curvature pairs to remember.
        gain: see `slanted`.
    """

    taken: Tensor
    shape: list[int]
    gain: float

    def __init__(self, start_bchw: Tensor, *, history: int, gain: float) -> None:
        super().__init__(start_bchw.flatten(1), history=history)
        self.gain, self.shape = gain, list(start_bchw.shape[1:])
        self.taken = self.step.clone()

    def tell(self, loss: Tensor, gradient: Tensor) -> None:
        """See `LBFGS`; loss and gradient are those by the picture."""
        slant_(gradient.view(-1, *self.shape), self.gain)
        super().tell(loss, gradient)

    def _moved(self, part: slice) -> Tensor:
        return self.taken[:, None] * self.direction[:, part]

    def _stride_out(self) -> None:
        self.taken.copy_(self.step)
        super()._stride_out()
        slant_(self.trial.view(-1, *self.shape), self.gain)
