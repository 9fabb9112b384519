"""The one place where a run tells its listeners, so that none of them can stop it."""

from __future__ import annotations

import logging
from collections.abc import Callable

from flows.model.estimate import Prospect
from flows.model.events import Listener, PairProgress, Watcher
from flows.model.pair import Outcome
from flows.running.signals import Terminated
from flows.text import safe_text

log = logging.getLogger("stylize.run")


class Listeners:
    """Tells each of several listeners what it hears; see `Listener`.

    Showing a run is no part of it: a listener that raises hears nothing more, and that is logged once.
    """

    def __init__(self, *listeners: Listener) -> None:
        self._listeners = listeners

    def expect(self, pairs: int) -> None:
        """So many pairs are to do."""
        self._tell(lambda listener: listener.expect(pairs))

    def pair_progress(self, progress: PairProgress) -> None:
        """A pair in flight got further."""
        self._tell(lambda listener: listener.pair_progress(progress))

    def pair_ended(self, outcome: Outcome) -> None:
        """A pair is done, failed or was left."""
        self._tell(lambda listener: listener.pair_ended(outcome))

    def note(self, text: str) -> None:
        """Something worth a line in the log."""
        self._tell(lambda listener: listener.note(text))

    def phase(self, text: str) -> None:
        """What the run is at."""
        self._tell(lambda listener: listener.phase(text) if isinstance(listener, Watcher) else None)

    def foresee(self, prospect: Prospect) -> None:
        """What is expected of the pairs to do."""
        self._tell(lambda listener: listener.foresee(prospect) if isinstance(listener, Watcher) else None)

    def _tell(self, call: Callable[[Listener], None]) -> None:
        for listener in self._listeners:
            try:
                call(listener)
            except Terminated:  # none of the listener's own
                raise
            except (Exception, SystemExit) as error:  # rich ends the program where its console is gone
                self._drop(listener, error)

    def _drop(self, broken: Listener, error: BaseException) -> None:
        """Tell it nothing more; other threads may find the same at the same time."""
        before = self._listeners
        self._listeners = tuple(listener for listener in before if listener is not broken)
        if len(self._listeners) < len(before):
            words = safe_text(f"{type(broken).__name__}: {type(error).__name__}: {error}")
            log.warning("a listener failed and hears no more of this run: %s", words)
