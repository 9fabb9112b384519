"""The loop around a solver: scaled losses, progress at a bounded rate, a second chance with Adam."""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from stylize_core.loss.objective import Objective
from stylize_core.optim.base import Solver
from stylize_core.optim.first_order import Adam, Averaged, GradientDescent
from stylize_core.optim.lbfgs import LBFGS
from stylize_core.optim.plateau import Plateau
from stylize_core.optim.precondition import Preconditioned, lbfgs
from stylize_core.settings.schedule import Stage
from stylize_core.settings.style import StyleSettings

# How often the host looks at the device's numbers. In between, nothing waits.
CHECK_EVERY = 10
# The share of the steps at full size that is taken in fp32 where the network rounds coarsely: gradients that
# are off by some percent get most of the way as fast as exact ones, and no further.
FINISH = 0.4
# Adam's rate when it takes over a row that L-BFGS could not keep finite.
RESCUE_RATE = 0.005


@dataclass(frozen=True, slots=True)
class StepProgress:
    """How far an optimisation is.

    Attributes:
        step: evaluations done.
        steps: evaluations planned.
        loss: smallest loss so far of every row.
    """

    step: int
    steps: int
    loss: tuple[float, ...]


Callback = Callable[[StepProgress], None]


@dataclass(frozen=True, slots=True)
class Frames:
    """Somebody who wants to see the pictures at certain steps; at all others nothing is copied.

    Attributes:
        steps: after how many evaluations the pictures are wanted; 0 stands for the start.
        show: gets that number and the best accepted pictures so far, [B, 3, H, W], clamped to 0..1 and the
            receiver's own. While a lost row is rescued, it gets that row alone.
    """

    steps: Container[int]
    show: Callable[[int, Tensor], None]

    def offer(self, step: int, best_bchw: Tensor) -> None:
        """Show the pictures if they are wanted."""
        if step in self.steps:
            self.show(step, best_bchw.detach().clamp(0, 1))


@dataclass(slots=True)
class RowReport:
    """How the optimisation of one picture went.

    Attributes:
        evaluations: times that loss and gradient were computed until this row had ended.
        accepted_steps: steps that were kept.
        stop_reason: `steps`, `plateau` (nothing visible changed any more), `stalled` (no smaller loss at this
            precision) or `diverged`.
        loss_curve: the loss of every evaluation, at whatever size; non-finite ones included.
        best_loss: the smallest accepted loss at the final size.
        decisions: what had to be decided on the way, in sentences.
    """

    evaluations: int = 0
    accepted_steps: int = 0
    stop_reason: str = "steps"
    loss_curve: list[float] = field(default_factory=list)
    best_loss: float = float("inf")
    decisions: list[str] = field(default_factory=list)


# Why so many: the one loop of all solvers, with what its callers watch and bound.
def minimise(
    objective: Objective,
    start_bchw: Tensor,
    *,
    settings: StyleSettings,
    callback: Callback | None = None,
    frames: Frames | None = None,
    exact: Callable[[], Objective] | None = None,
    stage: Stage | None = None,
    reports: list[RowReport] | None = None,
) -> tuple[Tensor, list[RowReport]]:
    """The best accepted picture of every row and how it was reached.

    Args:
        objective: B rows.
        start_bchw: [B, 3, H, W], where every row starts.
        settings: optimizer, steps, history, learning_rate and average.
        callback: called every few evaluations from the thread of the caller; an exception ends the work.
        frames: shown the pictures at the steps that it names, in the same way. The result stays the same.
        exact: makes the same objective in fp32, which the last steps are taken with if the network rounds
            coarsely, and which rows that stall in another precision go on with.
        stage: which of the steps are taken; all if left out.
        reports: those of the stages before, which are written on.

    Returns:
        [B, 3, H, W], not clamped, and B reports.
    """
    stage = stage or Stage(1.0, 0, settings.steps)
    reports = [RowReport() for _ in range(len(start_bchw))] if reports is None else reports
    if frames is not None and stage.first == 0:
        frames.offer(0, start_bchw)
    before = [report.evaluations for report in reports]
    run = _Run(settings, stage.last, callback, frames)
    for report in reports:
        report.best_loss = math.inf  # losses of other sizes are no bound for this one's
    solver = _solver(start_bchw, settings)
    finish = None
    if exact is not None and objective.encoder.rounds_coarsely and isinstance(solver, LBFGS | Preconditioned):
        finish = _Finish(stage.last - round(FINISH * (stage.last - stage.first)), exact, solver)
    best = run.drive(objective, solver, reports, start_bchw.shape, stage.first, finish)
    for row, report in enumerate(reports):
        step = stage.first + report.evaluations - before[row]
        if step >= stage.last or settings.optimizer != "lbfgs":
            continue
        alone = run.of_row(row, reports)
        if report.stop_reason == "diverged":
            best[row] = alone.rescue(objective.rows([row]), best[row : row + 1], report, step)
        elif report.stop_reason == "stalled" and exact is not None and (not finish or step <= finish.after):
            best[row] = alone.refine(exact().rows([row]), best[row : row + 1], report, step)
    return best, reports


def _solver(start_bchw: Tensor, settings: StyleSettings) -> Solver:
    if settings.optimizer == "lbfgs":
        return lbfgs(start_bchw, history=settings.history, gain=settings.gain)
    walker = Adam if settings.optimizer == "adam" else GradientDescent
    solver: Solver = walker(start_bchw.flatten(1), learning_rate=settings.learning_rate)
    return Averaged(solver, decay=settings.average) if settings.average else solver


@dataclass(frozen=True, slots=True)
class _Finish:
    """The last steps in fp32, with what the solver has learned of the curvature.

    Attributes:
        after: how many evaluations come before.
    """

    after: int
    exact: Callable[[], Objective]
    solver: LBFGS | Preconditioned

    def begin(self, reports: Sequence[RowReport]) -> Objective:
        """Turn the solver to the objective that it returns, and say so in the reports of all rows left."""
        for report in reports:
            report.decisions.append(
                f"bf16 is coarse in this network; fp32 took over after {self.after} evaluations"
            )
            report.best_loss = math.inf  # of the other precision, and no bound for this one
        self.solver.revalue()
        return self.exact()


@dataclass(frozen=True, slots=True)
class _Run:
    """The steps up to `last` of all that the settings plan, with those who look on."""

    settings: StyleSettings
    last: int
    callback: Callback | None
    frames: Frames | None

    def of_row(self, row: int, reports: Sequence[RowReport]) -> _Run:
        """What is told while one row goes on alone: progress tells of all rows as before."""
        tell = self.callback
        if tell is None:
            return self

        def tell_all(progress: StepProgress) -> None:
            losses = [report.best_loss for report in reports]
            losses[row] = progress.loss[0]
            tell(replace(progress, loss=tuple(losses)))

        return replace(self, callback=tell_all)

    def rescue(self, objective: Objective, start: Tensor, report: RowReport, step: int) -> Tensor:
        """Give a row that L-BFGS lost the rest of its evaluations with a careful Adam."""
        report.decisions.append(
            f"L-BFGS met non-finite losses; Adam took over after {report.evaluations} evaluations"
        )
        solver = Adam(start.flatten(1), learning_rate=RESCUE_RATE)
        report.stop_reason = "steps"
        return self.drive(objective, solver, [report], start.shape, step)[0]

    def refine(self, exact: Objective, start: Tensor, report: RowReport, step: int) -> Tensor:
        """Give a row that stalled the rest of its evaluations in fp32."""
        report.decisions.append(
            f"no smaller loss could be found at this precision; fp32 took over after {report.evaluations} "
            "evaluations"
        )
        report.best_loss = math.inf  # of the other precision, and no bound for this one
        solver = lbfgs(start, history=self.settings.history, gain=self.settings.gain)
        return self.drive(exact, solver, [report], start.shape, step)[0]

    def drive(
        self,
        objective: Objective,
        solver: Solver,
        reports: list[RowReport],
        shape: torch.Size,
        done: int,
        finish: _Finish | None = None,
    ) -> Tensor:
        """Run the solver until the evaluations are used up or every row has ended; fill in the reports.

        A row that has ended leaves the batch, which goes on without it.
        """
        accepted_before = [report.accepted_steps for report in reports]
        rows, results = list(range(len(reports))), solver.best.clone()
        smallest, losses = [math.inf] * len(rows), list[Tensor]()
        plateau = Plateau(self.settings.plateau, solver.best)
        scale = torch.ones(len(rows), device=results.device)
        for step in range(done + 1, self.last + 1):
            if finish is not None and step == finish.after + 1:
                objective = finish.begin([reports[row] for row in rows]).rows(rows)
            loss, gradient = objective(solver.trial.view(-1, *shape[1:]))
            losses.append(loss)
            flat = gradient.reshape(len(rows), -1)
            if step == done + 1:
                scale = _unit_scale(flat)
            solver.tell(loss * scale, flat * scale[:, None])
            if self.frames is not None and step in self.frames.steps:
                results[rows] = solver.best
                self.frames.offer(step, results.view(shape))
            if (step - done) % CHECK_EVERY and step != self.last:  # whatever step a stage begins with
                continue
            for row, value in zip(rows, (solver.best_loss / scale).tolist(), strict=True):
                smallest[row] = value
            if self.callback is not None:
                self.callback(StepProgress(step, self.settings.steps, tuple(smallest)))
            still = plateau.reached(step - done, solver.best)
            over = (solver.stalled | solver.broken | still).tolist()
            if any(over) or step == self.last:
                results[rows] = solver.best
                told = [(reports[row], accepted_before[row]) for row in rows]
                _fill(told, solver, losses, scale, still=still & (step != self.last))
                left = [at for at, is_over in enumerate(over) if not is_over]
                if not left or step == self.last:
                    break
                rows, losses = [rows[at] for at in left], []
                objective, scale = objective.rows(left), scale[left]
                kept = torch.tensor(left, device=scale.device)
                solver.keep(kept)
                plateau.keep(kept)
        return results.view(shape)


def _unit_scale(gradient: Tensor) -> Tensor:
    """[B] factors that bring the gradient's root mean square to 1, computed without overflow."""
    largest = gradient.abs().amax(1).clamp_min(torch.finfo(gradient.dtype).tiny)
    mean = (gradient / largest[:, None]).square().mean(1).sqrt()
    scale = 1 / (largest * mean.clamp_min(1e-12))
    return torch.where(torch.isfinite(scale), scale, 1.0)


def _fill(
    reports: Sequence[tuple[RowReport, int]],
    solver: Solver,
    losses: Sequence[Tensor],
    scale: Tensor,
    *,
    still: Tensor,
) -> None:
    """Add what has happened since the last time; with each report the steps accepted before this solver."""
    curves = torch.stack(list(losses), 1).tolist()
    best = (solver.best_loss / scale).tolist()
    ends = (solver.stalled.tolist(), solver.broken.tolist(), still.tolist())
    states = zip(solver.accepted.tolist(), *ends, strict=True)
    for (report, before), curve, loss, state in zip(reports, curves, best, states, strict=True):
        accepted, stalled, broken, is_still = state
        report.loss_curve += curve
        report.evaluations = len(report.loss_curve)
        report.accepted_steps = before + accepted
        report.best_loss = min(loss, report.best_loss)
        report.stop_reason = _reason(stalled=stalled, broken=broken, still=is_still)


def _reason(*, stalled: bool, broken: bool, still: bool) -> str:
    if broken:
        return "diverged"
    return "stalled" if stalled else "plateau" if still else "steps"
