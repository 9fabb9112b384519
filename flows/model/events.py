"""What is told of a run while it goes on, and who listens."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from flows.model.pair import Outcome


class PairProgress(NamedTuple):
    """How far the optimisation of one pair is: steps done, and the loss after the last of them."""

    pair: str
    step: int
    loss: float


class Listener(Protocol):
    """Who wants to know how a run goes; called from the run's own thread and, for progress, from others."""

    def expect(self, pairs: int) -> None:
        """So many pairs are to do; not told where there are none."""

    def pair_progress(self, progress: PairProgress) -> None:
        """A pair in flight got further."""

    def pair_ended(self, outcome: Outcome) -> None:
        """A pair is done, failed or was left."""

    def note(self, text: str) -> None:
        """Something worth a line in the log."""
