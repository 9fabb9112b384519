"""What dreams are at between two steps, as one value that can be saved and gone on with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from stylize_core.optim.state import Saved, UnfitState, one_row, restore
from stylize_core.optim.watching import RowReport
from stylize_core.settings.schedule import Stage


# Why so many: the same answers to a keeper of checkpoints as a descent gives, and the steps.
@dataclass(slots=True, eq=False)
class Dreaming:
    """B dreams in one octave.

    Attributes:
        image: [B, 3, h, w] in 0..1, in the size of the octave.
        losses: [B, steps of the octave], zero where they are still to come.
        sound: [B], whether all numbers of the octave were finite.
        reports: of all pictures, without the octave that is going on.
        octave: which one; 0 is the smallest.
        step: how many steps of all octaves are over.
    """

    image: Tensor
    losses: Tensor
    sound: Tensor
    reports: list[RowReport]
    octave: int
    step: int

    @property
    def began(self) -> int:
        """How many steps were over before this octave."""
        return len(self.reports[0].loss_curve)

    @property
    def rows(self) -> list[int]:
        """Which picture each row is: no dream ends before the others."""
        return list(range(len(self.image)))

    @property
    def going(self) -> list[int]:
        """The places of the rows that have not ended."""
        return self.rows

    def row(self, at: int) -> Dreaming:
        """One of the rows as if it had been alone from the beginning."""
        alone = one_row(self, at)
        alone.reports = [self.reports[at]]
        return alone

    def take(self, loss: Tensor, *, at: int) -> None:
        """A step is over, with these losses [B] before it; it was that one of the octave."""
        self.sound &= torch.isfinite(loss) & torch.isfinite(self.image).all((1, 2, 3))
        self.losses[:, at] = loss
        self.step += 1

    def note(self) -> None:
        """The octave is over: write its losses into the reports."""
        for report, curve, kept in zip(self.reports, self.losses.tolist(), self.sound.tolist(), strict=True):
            report.loss_curve += curve
            report.evaluations = report.accepted_steps = len(report.loss_curve)
            report.best_loss = curve[-1]
            report.stop_reason = report.stop_reason if kept else "diverged"


def begun(
    image_bchw: Tensor, reports: list[RowReport], number: int, octave: Stage, *, dtype: torch.dtype
) -> Dreaming:
    """Dreams before the first step of an octave, whose losses have that format or a wider one."""
    rows, steps = len(image_bchw), octave.last - octave.first
    losses = image_bchw.new_zeros(rows, steps, dtype=torch.promote_types(dtype, torch.float32))
    sound = torch.ones(rows, dtype=torch.bool, device=image_bchw.device)
    return Dreaming(image_bchw, losses, sound, reports, number, octave.first)


def octave_of(saved: Saved, octaves: Sequence[Stage]) -> int:
    """Which octave a saved dream is in.

    Raises:
        UnfitState: none that there is.
    """
    number = saved.facts.get("octave")
    if type(number) is not int or not 0 <= number < len(octaves):
        raise UnfitState("it is in an octave that there is not")
    return number


def resumed(saved: Saved, form: Dreaming, octave: Stage) -> Dreaming:
    """The dream of one picture as it was saved.

    Args:
        form: any dream of that shape in that octave, which is written over.

    Raises:
        UnfitState: it is the state of another dream.
    """
    if len(form.image) != 1:
        raise UnfitState("it is of one picture")
    form.image = form.image.clone()
    restore(form, saved)
    if not form.reports[0].is_sound:
        raise UnfitState("it is of another picture")
    told = len(form.reports[0].loss_curve)
    if not octave.first <= form.step <= octave.last or told != (
        octave.last if form.step == octave.last else octave.first
    ):
        raise UnfitState("its step is not in its octave")
    return form
