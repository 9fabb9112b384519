"""The last steps at full size, with another objective than the first ones: a finer one, or a plain one."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

from stylize_core.loss.objective import Objective
from stylize_core.optim.descent import Descent
from stylize_core.optim.looks import Seen
from stylize_core.settings.resolved import whitened_of
from stylize_core.settings.schedule import Stage
from stylize_core.settings.style import StyleSettings

# The share of the steps at full size that is taken in fp32 where the network rounds coarsely: gradients that
# are off by some percent get most of the way as fast as exact ones, and no further.
FINISH = 0.4


@runtime_checkable
class Revaluing(Protocol):
    """A solver that another objective can go on with."""

    def revalue(self) -> None:
        """Ask for the best points again."""
        ...


@dataclass(frozen=True, slots=True)
class Finish:
    """The last steps of a stage, with what the solver has learned of the curvature.

    Attributes:
        after: how many evaluations are planned before.
        exact: makes the objective.
        finer: whether that is computed in a finer precision than the first steps.
        whitened: whether the first steps compare styles as `whitening` says.
    """

    after: int
    exact: Callable[[], Objective]
    finer: bool
    whitened: bool

    @staticmethod
    def of(
        objective: Objective, settings: StyleSettings, stage: Stage, exact: Callable[[], Objective] | None
    ) -> Finish | None:
        """That of a stage, if it has one.

        Args:
            objective: what is minimised, in the precision of the first steps.
            exact: makes the same in fp32; None where it is the same.
        """
        steps = stage.last - stage.first
        first = int(whitened_of(settings) * steps) if stage.share == 1 else 0
        if exact is None or not objective.encoder.rounds_coarsely:
            return Finish(stage.first + first, lambda: objective, False, True) if first else None
        coarse = steps - round(FINISH * steps)
        return Finish(stage.first + min(first or coarse, coarse), exact, True, first > 0)

    def before(self, objective: Objective) -> Objective:
        """The objective of the steps before it."""
        return replace(objective, whitened=True) if self.whitened else objective

    def begin(self, descent: Descent) -> Objective:
        """Turn the solver to the objective of the walking rows, and say so in the reports."""
        objective = self.exact()
        for at in descent.going:
            report = descent.reports[descent.rows[at]]
            if self.finer:
                report.decisions.append(
                    f"bf16 rounds too coarsely for the last steps; {objective.encoder.precision} took over "
                    f"after {len(report.loss_curve) + descent.untold} evaluations"
                )
            report.best_loss = math.inf  # of another objective, and no bound for this one
        if isinstance(descent.walking.solver, Revaluing):
            descent.walking.solver.revalue()
        descent.walking.plateau.forget()
        descent.phase = "finish"
        return self.resumed(descent, objective)

    def resumed(self, descent: Descent, objective: Objective | None = None) -> Objective:
        """The objective of the walking rows where it is under way."""
        objective = objective or self.exact()
        every = descent.rows == list(range(len(descent.results)))
        return objective if every else objective.rows(descent.rows)

    def awaited(self, descent: Descent, seen: list[Seen]) -> list[Seen]:
        """The rows that are over as the first steps go, and wait for these."""
        if descent.phase != "walk" or descent.step > self.after:
            return []
        return [one for one in seen if one.over and not one.broken and (self.whitened or not one.still)]
