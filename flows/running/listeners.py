"""Several listeners of one run."""

from __future__ import annotations

from flows.model.events import Listener, PairProgress
from flows.model.pair import Outcome


class Listeners:
    """Tells each of several listeners what it hears; see `Listener`."""

    def __init__(self, *listeners: Listener) -> None:
        self._listeners = listeners

    def expect(self, pairs: int) -> None:
        """So many pairs are to do."""
        for listener in self._listeners:
            listener.expect(pairs)

    def pair_progress(self, progress: PairProgress) -> None:
        """A pair in flight got further."""
        for listener in self._listeners:
            listener.pair_progress(progress)

    def pair_ended(self, outcome: Outcome) -> None:
        """A pair is done, failed or was left."""
        for listener in self._listeners:
            listener.pair_ended(outcome)

    def note(self, text: str) -> None:
        """Something worth a line in the log."""
        for listener in self._listeners:
            listener.note(text)
