"""A run as people see it on their Prefect server: a listener that the run never waits for.

Prefect is a view of a run, never its truth: whatever becomes of the server, records, report and exit code do
not depend on it.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from queue import SimpleQueue
from types import TracebackType
from typing import Any, Self

from flows.engines.prefect.view_process import Began, Ended, Event, Said, show
from flows.engines.process_handle import SPAWN, signals_held_back
from flows.model.events import PairProgress
from flows.model.pair import Outcome
from flows.records.exit_codes import ALL_DONE
from flows.records.report import FAILURES_LISTED, Report
from flows.text import safe_text

GRACE_S = 20.0  # a living server has heard of the run's end by then
BROKEN_OFF_S = 3.0


# Why so many: a listener, and the process that it speaks to.
class PrefectView:
    """Shows one run; a process does so from the moment on in which there is something to do.

    Args:
        parameters: shown with the flow run.
        note: told if the run could not be shown.
    """

    def __init__(self, parameters: dict[str, Any], note: Callable[[str], None]) -> None:
        self._note = note
        self._link, self._theirs = SPAWN.Pipe()
        self._process = SPAWN.Process(target=show, args=(self._theirs,), name="stylize prefect view")
        self._waiting: SimpleQueue[Event | None] = SimpleQueue()
        self._sender = threading.Thread(target=self._send, name="prefect-view", daemon=True)
        self._failures = 0
        self._waiting.put(Began(parameters))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the view; one whose run broke off shows that, and is not waited for as long."""
        if self._process.pid is None:
            return
        self._waiting.put(None)
        answer = self._answer(GRACE_S if kind is None else BROKEN_OFF_S)
        self._process.kill()
        self._process.join()
        if answer:
            self._note(f"Prefect could not be told of the run ({answer}); records are not affected")

    def expect(self, pairs: int) -> None:
        """Begin to show the run; a view that cannot start is said and costs the run nothing."""
        try:
            with signals_held_back():
                self._process.start()
        except OSError as error:
            self._note(f"Prefect is not told of the run: {error.strerror or type(error).__name__}")
            return
        self._theirs.close()
        self._sender.start()
        self.note(f"{pairs} pairs to do")

    def pair_progress(self, progress: PairProgress) -> None:
        """A server has no use for every step."""

    def pair_ended(self, outcome: Outcome) -> None:
        """Show a failure, as long as there are not too many."""
        if outcome.status == "failed" and self._failures < FAILURES_LISTED:
            self._failures += 1
            text = safe_text(f"{outcome.name}: {outcome.kind}: {outcome.message}")
            self._waiting.put(Said(logging.WARNING, text))

    def note(self, text: str) -> None:
        """Show what was said."""
        self._waiting.put(Said(logging.INFO, safe_text(text)))

    def ended(self, report: Report) -> None:
        """Show how the run ended."""
        self._waiting.put(Ended(report.exit_code == ALL_DONE, safe_text(report.sentence())))

    def _send(self) -> None:
        """Hand over what waits; a process that is gone or stuck holds up this thread alone."""
        try:
            while (event := self._waiting.get()) is not None:
                self._link.send(event)
            self._link.send(None)
        except OSError:
            return

    def _answer(self, patience_s: float) -> str:
        """Why the run could not be shown; empty if it was."""
        try:
            return str(self._link.recv()) if self._link.poll(patience_s) else "its server does not answer"
        except (EOFError, OSError):
            return "its view ended early"
