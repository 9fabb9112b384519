"""One step of a descent, over buffers that stay where they are: one by one, or captured and repeated.

A step asks the host nothing and leaves nothing behind but what it wrote into the descent's buffers, so a CUDA
graph of it does the same again for the price of one launch. It is captured in thread-local mode, as another
thread reads ahead and pins memory meanwhile.
"""

from __future__ import annotations

import torch
from torch import Tensor

from stylize_core.chunks import parts, total
from stylize_core.loss.objective import Objective
from stylize_core.optim.descent import Descent

# The first steps go one by one: they choose algorithms and make workspaces, which no graph may.
EAGER = 3


class Steps:
    """Takes steps of a descent whose rows and objective stay the same.

    Args:
        objective: of the walking rows.
        descent: what is written on.
    """

    def __init__(self, objective: Objective, descent: Descent) -> None:
        self._objective, self._descent = objective, descent
        device = descent.results.device
        self._at = torch.full((1,), descent.untold, device=device)
        self._side = _side_stream(device)
        self._graph: torch.cuda.CUDAGraph | None = None
        self._taken = 0

    def take(self) -> None:
        """Evaluate the trials, let the solver choose the next ones, and count the step."""
        descent = self._descent
        if self._graph is not None:
            self._graph.replay()
        elif self._side is None or self._taken == 0:
            advance(self._objective, descent, self._at, first=descent.step == descent.began)
        else:
            self._warm_up(self._side)
        self._taken += 1
        descent.step += 1
        descent.untold += 1
        if self._side is not None and self._taken == EAGER:
            self._capture(self._side)

    def told(self) -> None:
        """Begin anew with the losses: the host has looked at them."""
        self._descent.untold = 0
        self._at.zero_()

    def _warm_up(self, side: torch.cuda.Stream) -> None:
        """A step beside the usual stream, as captures want to be preceded."""
        side.wait_stream(torch.cuda.current_stream(side.device))
        with torch.cuda.stream(side):
            advance(self._objective, self._descent, self._at)
        torch.cuda.current_stream(side.device).wait_stream(side)

    def _capture(self, side: torch.cuda.Stream) -> None:
        """Record the step, which is not taken by that; where this fails, steps go on one by one."""
        graph = torch.cuda.CUDAGraph()
        try:
            with torch.cuda.graph(graph, stream=side, capture_error_mode="thread_local"):
                advance(self._objective, self._descent, self._at)
        except RuntimeError as error:  # such as of an operation that waits, or for lack of memory
            said = str(error).partition("\n")[0]
            for at in self._descent.going:
                decisions = self._descent.reports[self._descent.rows[at]].decisions
                decisions.append(f"steps were launched one by one, as they could not be captured: {said}")
            self._side = None
        else:
            self._graph = graph


def advance(objective: Objective, descent: Descent, at: Tensor, *, first: bool = False) -> None:
    """Evaluate the trials of all walking rows and let the solver choose the next ones.

    Args:
        objective: of the walking rows.
        at: [1] int, the place of these losses among those that the host has not looked at; counted on.
        first: whether the gradient at hand gives the scale.
    """
    walking = descent.walking
    loss, gradient = objective(walking.solver.trial.view(-1, *descent.shape))
    walking.losses.index_copy_(1, at, loss[:, None])
    at += 1
    flat = gradient.reshape(len(loss), -1)
    if first:
        walking.scale.copy_(unit_scale(flat))
    walking.solver.tell(loss * walking.scale, flat.mul_(walking.scale[:, None]))


def _side_stream(device: torch.device) -> torch.cuda.Stream | None:
    """A stream to capture on; None where nothing can be captured."""
    return torch.cuda.Stream(device) if device.type == "cuda" else None  # type: ignore[no-untyped-call]


def unit_scale(gradient: Tensor) -> Tensor:
    """[B] factors that bring the gradient's root mean square to 1, computed without overflow."""
    pieces = [gradient[:, part] for part in parts(gradient.shape[1])]
    largest = torch.stack([one.abs().amax(1) for one in pieces]).amax(0)
    largest = largest.clamp_min(torch.finfo(gradient.dtype).tiny)
    squares = total([(one / largest[:, None]).square().sum(1) for one in pieces])
    mean = (squares / gradient.shape[1]).sqrt()
    scale = 1 / (largest * mean.clamp_min(1e-12))
    return torch.where(torch.isfinite(scale), scale, 1.0)
