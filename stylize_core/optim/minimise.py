"""The loop around a solver: scaled losses, progress at a bounded rate, a finish in fp32, a second chance."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from stylize_core.loss.objective import Objective
from stylize_core.optim.base import on_host
from stylize_core.optim.descent import Descent, begun, resumed
from stylize_core.optim.finish import Finish, Revaluing
from stylize_core.optim.looks import Seen, look
from stylize_core.optim.state import UnfitState
from stylize_core.optim.steps import Steps
from stylize_core.optim.watching import (
    CHECK_EVERY,
    Callback,
    Checkpoints,
    Frames,
    RowReport,
    StepProgress,
)
from stylize_core.settings.schedule import Stage
from stylize_core.settings.style import StyleSettings


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
    checkpoints: Checkpoints | None = None,
) -> tuple[Tensor, list[RowReport]]:
    """The best accepted picture of every row and how it was reached.

    Args:
        objective: B rows.
        start_bchw: [B, 3, H, W], where every row starts.
        settings: optimizer, steps, history, learning_rate and average.
        callback: called every few evaluations from the thread of the caller; an exception ends the work.
        frames: shown the pictures at the steps that it names, in the same way. The result stays the same.
        exact: makes the same objective in fp32, which the last steps are taken with if the network rounds
            coarsely.
        stage: which of the steps are taken; all if left out.
        reports: those of the stages before, which are written on.
        checkpoints: shown the state after every step, and where to go on from; then there is one row, and of
            `start_bchw` and `reports` only the shape counts.

    Returns:
        [B, 3, H, W], not clamped, and B reports.

    Raises:
        UnfitState: the state to go on from is one of something else.
    """
    stage = stage or Stage(1.0, 0, settings.steps)
    reports = [RowReport() for _ in range(len(start_bchw))] if reports is None else reports
    if checkpoints is not None and checkpoints.begin is not None:
        descent = resumed(checkpoints.begin, start_bchw, settings, stage=stage.first)
        if not stage.first <= descent.step < stage.last:
            raise UnfitState("its step is not one at its size")
        report = descent.reports[0]
        report.decisions.append(
            f"went on from a checkpoint after {len(report.loss_curve) + descent.untold} evaluations"
        )
    else:
        if frames is not None and stage.first == 0:
            frames.offer(0, start_bchw)
        for report in reports:
            report.best_loss = math.inf  # losses of other sizes are no bound for this one's
        descent = begun(start_bchw, settings, reports, stage=stage.first)
    del start_bchw  # as large as every vector of the solver
    course = _Course(settings, stage.last, descent.reports, callback, frames, checkpoints)
    finish = None if descent.phase == "rescue" else Finish.of(objective, settings, stage, exact)
    course.follow(descent, finish.before(objective) if finish else objective, finish)
    if descent.phase != "rescue":
        course.rescue(descent, objective)
    descent.settle(descent.going)  # where no step was left to take
    return descent.results.view(-1, *descent.shape), descent.reports


@dataclass(frozen=True, slots=True)
class _Course:
    """The steps up to `last` of all that the settings plan, with those who look on.

    Attributes:
        reports: of all rows, those that go on alone included.
    """

    settings: StyleSettings
    last: int
    reports: list[RowReport]
    callback: Callback | None
    frames: Frames | None
    checkpoints: Checkpoints | None

    def follow(self, descent: Descent, objective: Objective, finish: Finish | None = None) -> None:
        """Go on until the evaluations are used up or every row has ended.

        A row that has ended leaves the batch, which goes on without it: at once where that costs no wait,
        else with the half of the batch. One that waits for the finish stays as it is until then, lest its
        picture depends on how long the others take.
        """
        if not isinstance(descent.walking.solver, Revaluing):
            finish = None  # solvers that bear noise
        if finish is not None and descent.phase == "finish":
            objective = finish.resumed(descent)
        steps, waiting = Steps(objective, descent), set[int]()
        while descent.going and descent.step < self.last:
            if finish is not None and descent.phase == "walk" and descent.step == finish.after:
                if waiting and descent.untold:
                    look(descent, waiting)
                    steps.told()
                waiting.clear()
                objective = finish.begin(descent)
                steps = Steps(objective, descent)
            steps.take()
            self._show(descent)
            if (descent.step - descent.began) % CHECK_EVERY == 0 or descent.step == self.last:
                seen = look(descent, waiting)
                steps.told()
                waiting.update(self._end(descent, seen, finish))
                if left := _fewer(descent):
                    objective = objective.rows(left)
                    descent.keep(left)
                    steps = Steps(objective, descent)
            if self.checkpoints is not None and descent.going and descent.step < self.last:
                self.checkpoints.keep(descent)
            if descent.untold == 0:
                self._tell(descent)

    def rescue(self, descent: Descent, objective: Objective) -> None:
        """Give rows that L-BFGS lost the rest of their evaluations with a careful Adam, one by one."""
        for row, report in enumerate(descent.reports):
            step = descent.stage + report.evaluations - descent.evaluated[row]
            lost = report.stop_reason == "diverged" and self.settings.optimizer == "lbfgs"
            if not lost or step >= self.last:
                continue
            report.decisions.append(
                f"L-BFGS met non-finite losses; Adam took over after {report.evaluations} evaluations"
            )
            report.stop_reason = "steps"
            self.follow(descent.rescued(row, step, self.settings), objective.rows([row]))

    def _show(self, descent: Descent) -> None:
        if self.frames is not None and descent.step in self.frames.steps:
            descent.settle(descent.going)
            shown = descent.results[descent.rows] if descent.phase == "rescue" else descent.results
            self.frames.offer(descent.step, shown.view(-1, *descent.shape))

    def _tell(self, descent: Descent) -> None:
        if self.callback is not None:
            losses = tuple(report.best_loss for report in self.reports)
            self.callback(StepProgress(descent.step, self.settings.steps, losses))

    def _end(self, descent: Descent, seen: list[Seen], finish: Finish | None) -> list[int]:
        """End the rows that are over, but not those that wait for a finish; the pictures of these."""
        used_up = descent.step == self.last
        waiting = finish.awaited(descent, seen) if finish else []
        over = [one for one in seen if (one.over or used_up) and one not in waiting]
        descent.settle([one.place for one in over])
        for one in over:
            descent.ended[one.place] = True
            descent.reports[descent.rows[one.place]].stop_reason = one.reason(used_up=used_up)
        if finish is not None and waiting and len(waiting) == len(descent.going):
            descent.step = finish.after
        else:
            descent.hold([one.place for one in waiting])
        return [descent.rows[one.place] for one in waiting]


def _fewer(descent: Descent) -> list[int]:
    """The places of the rows that go on, where it is time to compute them alone; else none."""
    going, all_rows = descent.going, len(descent.rows)
    worthwhile = len(going) < all_rows if on_host(descent.results) else 2 * len(going) <= all_rows
    return going if worthwhile else []
