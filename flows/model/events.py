"""What is told of a run while it goes on, and who listens."""

from __future__ import annotations

from typing import NamedTuple, Protocol, runtime_checkable

from flows.model.estimate import Prospect
from flows.model.pair import Outcome


class PairProgress(NamedTuple):
    """How far the optimisation of one pair is: steps done, and the loss after the last of them.

    `worker` is the number of the one that has it in hand, from 0.
    """

    pair: str
    step: int
    loss: float
    worker: int = 0


Told = PairProgress | Outcome
"""What a worker tells before a call's answer: how far a pair is, or that its record is written."""


class Listener(Protocol):
    """Who wants to know how a run goes; called from the run's own thread and, for progress, from others."""

    def expect(self, pairs: int) -> None:
        """So many pairs are to do; not told where there are none."""

    def pair_progress(self, progress: PairProgress) -> None:
        """A pair in flight got further."""

    def pair_ended(self, outcome: Outcome) -> None:
        """A pair is done, failed or was left; its record is written."""

    def note(self, text: str) -> None:
        """Something worth a line in the log."""


@runtime_checkable
class Watcher(Listener, Protocol):
    """A listener that also shows what a run is at before its first pair, and how long the rest takes."""

    def phase(self, text: str) -> None:
        """What the run is at, such as `loading the network vgg19`; empty once workers are at pairs."""

    def foresee(self, prospect: Prospect) -> None:
        """What is expected of the pairs to do; not told where there are none."""
