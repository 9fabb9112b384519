"""Other coordinates for a solver, in which some structure is easier to reach than it is among pixels.

The kernels of a network of 3x3 convolutions answer more strongly to what lies along rows and columns than to
what is as fine and lies across them, so its gradients say little of the latter. In the few steps that there
are, a solver then fills pictures with upright crosshatch where the style has strokes of every direction.
`forms` has the other kind: what is large.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from stylize_core.large_pictures import is_large
from stylize_core.optim.base import Around
from stylize_core.optim.forms import raise_forms_
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


@dataclass(slots=True)
class Gains:
    """How many times as far a solver goes along some structure as along the rest; 1: as far.

    Attributes:
        diagonal: along what slants and is fine; see `slanted`.
        forms: along what is large; see `raise_forms_`.
    """

    diagonal: float = 1.0
    forms: float = 1.0

    def show_(self, planes_bchw: Tensor) -> Tensor:
        """What a change of coordinates makes of a picture, in place."""
        if self.diagonal != 1:
            slant_(planes_bchw, self.diagonal)
        return planes_bchw if self.forms == 1 else raise_forms_(planes_bchw, self.forms)

    def pull_back_(self, gradient_bchw: Tensor) -> Tensor:
        """The gradient by the coordinates, given that by the picture, in place: the transposed matrix."""
        if self.forms != 1:
            raise_forms_(gradient_bchw, self.forms)
        return gradient_bchw if self.diagonal == 1 else slant_(gradient_bchw, self.diagonal)


def lbfgs(start_bchw: Tensor, *, history: int, gains: Gains) -> LBFGS | Preconditioned:
    """L-BFGS from these pictures; see `Preconditioned`, which gains of 1 do not need."""
    if gains == Gains():
        return LBFGS(start_bchw.flatten(1), history=history)
    walking = Moving if is_large(start_bchw[0].numel()) else Preconditioned
    return walking(start_bchw, history=history, gains=gains)


# Why so many: it shows all that a solver shows.
@dataclass(init=False, eq=False)
class Preconditioned(Around):
    """L-BFGS that walks among w, where a picture is `start + M (w - start)` by the matrix M of the gains.

    That is L-BFGS with `M Mᵀ` as the first guess at the inverse Hessian. Seen from outside all points are
    pictures, and all gradients are theirs.

    Attributes:
        walker: the L-BFGS among w.
        gains: of M.

    Args:
        start_bchw: where every row starts.
        history: curvature pairs to remember.
        gains: of M.
    """

    walker: LBFGS
    start: Tensor
    trial: Tensor
    shape: list[int]
    gains: Gains

    def __init__(self, start_bchw: Tensor, *, history: int, gains: Gains) -> None:
        self.start, self.gains, self.shape = start_bchw.flatten(1), gains, list(start_bchw.shape[1:])
        self.walker = LBFGS(self.start, history=history)
        self.trial = self.start.clone()

    @property
    def best(self) -> Tensor:
        """[B, D], the best accepted pictures so far."""
        return self._show(self.walker.best, torch.empty_like(self.start))

    def tell(self, loss: Tensor, gradient: Tensor) -> None:
        """Let the solver judge the trial, given the loss [B] and the gradient [B, D] by the picture."""
        self.gains.pull_back_(gradient.view(-1, *self.shape))
        self.walker.tell(loss, gradient)
        self._show(self.walker.trial, self.trial)

    def revalue(self) -> None:
        """Ask for the best pictures again, as another objective tells of them from now on."""
        self.walker.revalue()
        self._show(self.walker.trial, self.trial)

    def _show(self, walked: Tensor, picture: Tensor) -> Tensor:
        """Write the pictures of some w."""
        torch.sub(walked, self.start, out=picture)
        self.gains.show_(picture.view(-1, *self.shape))
        return picture.add_(self.start)


# Why so many: the buffers of L-BFGS are its own as well.
@dataclass(init=False, eq=False)
class Moving(LBFGS):
    """The same walk for pictures so large that every vector counts, within rounding.

    Where a picture starts and where w is plays no part, only how w changes: by a share of the direction, and
    the picture by what M makes of that. So neither is kept.

    Attributes:
        taken: [B], the share of the direction that made the trial.
        gains: of M.

    Args:
        start_bchw: where every row starts.
        history: curvature pairs to remember.
        gains: of M.
    """

    taken: Tensor
    shape: list[int]
    gains: Gains

    def __init__(self, start_bchw: Tensor, *, history: int, gains: Gains) -> None:
        super().__init__(start_bchw.flatten(1), history=history)
        self.gains, self.shape = gains, list(start_bchw.shape[1:])
        self.taken = self.step.clone()

    def tell(self, loss: Tensor, gradient: Tensor) -> None:
        """See `LBFGS`; loss and gradient are those by the picture."""
        self.gains.pull_back_(gradient.view(-1, *self.shape))
        super().tell(loss, gradient)

    def _moved(self, part: slice) -> Tensor:
        return self.taken[:, None] * self.direction[:, part]

    def _stride_out(self) -> None:
        self.taken.copy_(self.step)
        super()._stride_out()
        self.gains.show_(self.trial.view(-1, *self.shape))
