"""What the device has made of one pair."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from flows.records.record import Optimisation
from stylize_core.optim.minimise import RowReport


@dataclass(frozen=True, slots=True)
class Made:
    """One row of a batch, off the device.

    Attributes:
        image: [3, H, W], RGB in 0..1, on the CPU.
        terms: the weighted parts of the final loss.
        batch: how many pairs were computed together.
    """

    image: Tensor
    report: RowReport
    terms: dict[str, float]
    batch: int

    def optimisation(self) -> Optimisation:
        """How it came about, as the record has it."""
        return Optimisation(
            evaluations=self.report.evaluations,
            accepted_steps=self.report.accepted_steps,
            stop_reason=self.report.stop_reason,
            first_loss=self.report.loss_curve[0],
            last_loss=self.report.best_loss,
            loss_curve=self.report.loss_curve,
            loss_terms=self.terms,
        )
