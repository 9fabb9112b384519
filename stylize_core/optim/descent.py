"""What an optimisation is at between two steps, as one value that can be saved and gone on with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from stylize_core.optim.base import Solver
from stylize_core.optim.first_order import Adam, Averaged, GradientDescent
from stylize_core.optim.plateau import Plateau
from stylize_core.optim.precondition import Gains, lbfgs
from stylize_core.optim.state import Saved, UnfitState, keep_rows, one_row, restore
from stylize_core.optim.watching import CHECK_EVERY, RowReport
from stylize_core.settings.resolved import diagonal_gain_of, forms_gain_of
from stylize_core.settings.style import StyleSettings

# Adam's rate when it takes over a row that L-BFGS could not keep finite.
RESCUE_RATE = 0.005

Phase = Literal["walk", "finish", "rescue"]
"""The solver that the settings ask for; the same in a finer precision; Adam, for a row that was lost."""


@dataclass(slots=True, eq=False)
class Walking:
    """The b rows that are computed.

    Attributes:
        solver: where each of them is.
        scale: [b], the factors between the objective's losses and the solver's.
        losses: [b, CHECK_EVERY], those since the host last looked.
        plateau: whether they still move.
    """

    solver: Solver
    scale: Tensor
    losses: Tensor
    plateau: Plateau


# Why so many: all that a loop knows between two of its turns.
@dataclass(slots=True, eq=False)
class Descent:
    """An optimisation of B pictures at one size.

    Attributes:
        walking: the rows that are computed.
        rows: which picture each of them is.
        ended: whether it is computed for the sake of the others only.
        results: [B, D], of the pictures that have ended; [B, 0] as long as none has.
        reports: of all pictures.
        evaluated: how many evaluations each had before this size.
        accepted: how many accepted steps each had before this solver.
        shape: of a picture, [3, H, W].
        stage: how many evaluations were planned before this size.
        began: how many were planned before this solver's first one.
        step: how many of those that were planned are over.
        untold: how many losses the host has not looked at yet.
        phase: which solver it is.
    """

    walking: Walking
    rows: list[int]
    ended: list[bool]
    results: Tensor
    reports: list[RowReport]
    evaluated: list[int]
    accepted: list[int]
    shape: list[int]
    stage: int
    began: int
    step: int
    untold: int = 0
    phase: Phase = "walk"

    @property
    def going(self) -> list[int]:
        """The places among the walking rows of those that have not ended."""
        return [at for at, ended in enumerate(self.ended) if not ended]

    def keep(self, places: Sequence[int]) -> None:
        """Compute these of the walking rows only."""
        keep_rows(self.walking, torch.tensor(list(places), device=self.results.device))
        self.rows = [self.rows[at] for at in places]
        self.ended = [self.ended[at] for at in places]

    def hold(self, places: Sequence[int]) -> None:
        """Let these of the walking rows stay where they are until the solver is told of another objective."""
        for at in places:
            self.walking.solver.stalled[at] = True

    def settle(self, places: Sequence[int]) -> None:
        """Take over the best pictures of these walking rows."""
        if not places:
            return
        best = self.walking.solver.best
        if not self.results.shape[1]:
            self.results = best.new_zeros(len(self.results), best.shape[1])
        for at in places:
            self.results[self.rows[at]].copy_(best[at])

    def rescued(self, row: int, step: int, settings: StyleSettings) -> Descent:
        """The picture of that number once more from its result on, alone, with another solver.

        Args:
            step: how many of the planned evaluations it has had.
        """
        start_bchw = self.results[row].view(1, *self.shape)
        alone = begun(start_bchw, settings, [self.reports[row]], stage=self.stage, phase="rescue")
        return replace(
            alone,
            rows=[row],
            results=self.results,
            reports=self.reports,
            evaluated=self.evaluated,
            accepted=[report.accepted_steps for report in self.reports],
            began=step,
            step=step,
        )

    def row(self, at: int) -> Descent:
        """One of the walking rows as if it had been alone from the beginning."""
        row = self.rows[at]
        return Descent(
            one_row(self.walking, at),
            [0],
            [False],
            self.results.new_empty(1, 0),
            [self.reports[row]],
            [self.evaluated[row]],
            [self.accepted[row]],
            self.shape,
            self.stage,
            self.began,
            self.step,
            self.untold,
            self.phase,
        )


def begun(
    start_bchw: Tensor,
    settings: StyleSettings,
    reports: list[RowReport],
    *,
    stage: int,
    phase: Phase = "walk",
) -> Descent:
    """A descent from these pictures before its first step.

    Args:
        reports: what happened to the pictures at the sizes before.
        stage: how many evaluations were planned before this size.
    """
    start = start_bchw.flatten(1)
    rows = len(start)
    solver = _solver(start_bchw, settings, phase)
    scale, losses = start.new_ones(rows), start.new_zeros(rows, CHECK_EVERY)
    return Descent(
        walking=Walking(solver, scale, losses, Plateau(settings.plateau, solver.best)),
        rows=list(range(rows)),
        ended=[False] * rows,
        results=start.new_empty(rows, 0),
        reports=reports,
        evaluated=[report.evaluations for report in reports],
        accepted=[report.accepted_steps for report in reports],
        shape=list(start_bchw.shape[1:]),
        stage=stage,
        began=stage,
        step=stage,
        phase=phase,
    )


def stage_of(saved: Saved) -> int:
    """How many evaluations were planned before the size that a saved descent is at.

    Raises:
        UnfitState: it does not say.
    """
    stage = saved.facts.get("stage")
    if not isinstance(stage, int):
        raise UnfitState("it does not say at which size it is")
    return stage


def resumed(saved: Saved, start_bchw: Tensor, settings: StyleSettings, *, stage: int) -> Descent:
    """The descent of one picture as it was saved.

    Args:
        start_bchw: [1, 3, H, W], any picture of its shape.
        stage: see `Descent`.

    Raises:
        UnfitState: it is the state of another descent.
    """
    phase = saved.facts.get("phase")
    if len(start_bchw) != 1 or stage_of(saved) != stage or phase not in ("walk", "finish", "rescue"):
        raise UnfitState("it is of another way to a picture")
    descent = begun(start_bchw.clone(), settings, [RowReport()], stage=stage, phase=phase)
    restore(descent, saved)
    counts = [*map(type, descent.evaluated), *map(type, descent.accepted)]
    if descent.rows != [0] or descent.ended != [False] or counts != [int, int]:
        raise UnfitState("its rows are not those of one picture")
    if descent.shape != list(start_bchw.shape[1:]) or not descent.reports[0].is_sound:
        raise UnfitState("it is of another picture")
    if not 0 <= descent.untold <= CHECK_EVERY:
        raise UnfitState("it has more losses than fit")
    return descent


def _solver(start_bchw: Tensor, settings: StyleSettings, phase: Phase) -> Solver:
    start = start_bchw.flatten(1)
    if phase == "rescue":
        return Adam(start, learning_rate=RESCUE_RATE)
    if settings.optimizer == "lbfgs":
        gains = Gains(diagonal_gain_of(settings), forms_gain_of(settings))
        return lbfgs(start_bchw, history=settings.history, gains=gains)
    walker = Adam if settings.optimizer == "adam" else GradientDescent
    solver = walker(start, learning_rate=settings.learning_rate)
    return Averaged(solver, decay=settings.average) if settings.average else solver
