"""Who looks on while pictures are optimised, and what is said of each in the end."""

from __future__ import annotations

from collections.abc import Callable, Container
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from torch import Tensor

if TYPE_CHECKING:
    from stylize_core.optim.state import Saved

# How often the host looks at the device's numbers. In between, nothing waits.
CHECK_EVERY = 10


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


class Underway(Protocol):
    """What pictures are at between two steps: a dataclass, which `optim.state` can save."""

    step: int

    @property
    def began(self) -> int:
        """How many steps were planned before the first one at this size, by this solver."""

    @property
    def rows(self) -> list[int]:
        """Which picture each row is."""

    @property
    def going(self) -> list[int]:
        """The places of the rows that have not ended."""

    def row(self, at: int, /) -> Underway:
        """One of the rows as if it had been alone from the beginning."""


@dataclass(frozen=True, slots=True)
class Checkpoints:
    """Somebody who keeps what an optimisation is at, so that another process can go on with it.

    Attributes:
        keep: asked after every step; what it does with the state it has done when it returns, and an
            exception ends the work.
        begin: the state of one row to go on from, as `Underway.row` gave it; None to begin at the beginning.
    """

    keep: Callable[[Underway], None]
    begin: Saved | None = None


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

    @property
    def is_sound(self) -> bool:
        """Whether its lists hold what they are to, which is asked of one that was read."""
        numbers = all(isinstance(one, int | float) for one in self.loss_curve)
        return numbers and all(isinstance(one, str) for one in self.decisions)
