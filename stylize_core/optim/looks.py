"""What the host sees when it looks at a descent, by one wait for the device."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import torch

from stylize_core.device import finest
from stylize_core.optim.descent import Descent
from stylize_core.optim.watching import CHECK_EVERY


@dataclass(frozen=True, slots=True)
class Seen:
    """How a walking row is.

    Attributes:
        place: which of them it is.
        stalled, broken, still: see `Solver` and `Plateau`.
    """

    place: int
    stalled: bool
    broken: bool
    still: bool

    @property
    def over(self) -> bool:
        """Whether it needs no further step."""
        return self.stalled or self.broken or self.still

    def reason(self, *, used_up: bool) -> str:
        """The stop reason of a row that ends here, with its evaluations used up or not."""
        if self.broken:
            return "diverged"
        return "stalled" if self.stalled else "plateau" if self.still and not used_up else "steps"


def look(descent: Descent, waiting: Collection[int] = ()) -> list[Seen]:
    """Write what is new into the reports of all rows that go on; how these are.

    Args:
        waiting: pictures that are computed for the sake of the others only, so that nothing is new.
    """
    walking, solver = descent.walking, descent.walking.solver
    since = descent.step - descent.began
    plateau = walking.plateau
    still = plateau.reached(since, solver.best) if plateau.due(since) else torch.zeros_like(solver.stalled)
    numbers = (solver.best_loss / walking.scale, solver.accepted, solver.stalled, solver.broken, still)
    fine = finest(walking.losses.device)
    columns = [walking.losses.to(fine), *(one[:, None].to(fine) for one in numbers)]
    told: list[list[float]] = torch.cat(columns, 1).cpu().tolist()
    for at in descent.going:
        if descent.rows[at] not in waiting:
            _note(descent, at, told[at])
    return [Seen(at, *map(bool, told[at][-3:])) for at in descent.going]


def _note(descent: Descent, at: int, told: list[float]) -> None:
    """Note one row's losses, and of its numbers that follow them those that a report has."""
    best, accepted = told[CHECK_EVERY : CHECK_EVERY + 2]
    row = descent.rows[at]
    report = descent.reports[row]
    report.loss_curve += told[: descent.untold]
    report.evaluations = len(report.loss_curve)
    report.accepted_steps = descent.accepted[row] + int(accepted)
    report.best_loss = min(best, report.best_loss)
