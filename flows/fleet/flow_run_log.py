"""What a flow run tells of a run while it goes on: lines in its log, and how far it is."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import copy_context
from functools import partial

from prefect.exceptions import FailedRun
from rich.console import Console

from flows.fleet.artifacts import Progress
from flows.model.events import PairProgress
from flows.model.pair import Outcome
from flows.text import safe_text

COUNT_EVERY_S = 30.0
FAILURES_TOLD = 200
PrefectLog = logging.Logger | logging.LoggerAdapter[logging.Logger]


# Why so many: a listener, and the thread that shows what it heard.
class FlowRunLog:
    """A listener that writes failures, and a count every half minute, into the log of the flow run.

    The count and the progress are shown by a thread of their own (`counted`), so no pair waits for a server.

    Args:
        log: that of the flow run.
        progress: shown along with each count.
    """

    def __init__(self, log: PrefectLog, progress: Progress) -> None:
        self._log, self._progress = log, progress
        self._expected = self._ended = self._failed = 0

    def expect(self, pairs: int) -> None:
        """So many pairs are to do."""
        self._expected = pairs
        self._log.info("%d pairs to do", pairs)

    def pair_progress(self, progress: PairProgress) -> None:
        """A log has no use for every step."""

    def pair_ended(self, outcome: Outcome) -> None:
        """Count it; each of the first failures gets a line of its own."""
        self._ended += outcome.status != "stopped"
        if outcome.status == "failed":
            self._failed += 1
            if self._failed <= FAILURES_TOLD:
                self._log.warning("%s", safe_text(f"{outcome.name}: {outcome.kind}: {outcome.message}"))
            if self._failed == FAILURES_TOLD:
                self._log.warning("further failures are told by the records alone")

    def note(self, text: str) -> None:
        """One line."""
        self._log.info("%s", safe_text(text))

    def show(self, ended: int, expected: int) -> None:
        """So many pairs have ended, elsewhere."""
        self._ended, self._expected = ended, expected

    def count(self) -> None:
        """Tell how many pairs have ended."""
        if self._expected:
            failed = f", {self._failed} failed" if self._failed else ""
            self._log.info("%d of %d pairs have ended%s", self._ended, self._expected, failed)
            self._progress.show(self._ended, self._expected)


def outlive_console() -> None:
    """Let this process go on where nobody reads what Prefect prints any more, as when its worker is killed.

    Prefect's console would end the process at the next line, wherever in a run that comes.
    """
    loggers = [logging.getLogger(), *map(logging.getLogger, logging.root.manager.loggerDict)]
    for console in (getattr(handler, "console", None) for logger in loggers for handler in logger.handlers):
        if isinstance(console, Console):
            setattr(console, "on_broken_pipe", partial(setattr, console, "quiet", True))  # noqa: B010


def leave_out_own_failures() -> None:
    """Keep out of the flow run's log what Prefect raises about a state that the flow itself returned.

    The state has said everything in its sentence; a traceback through Prefect would look like a fault.
    """
    logging.getLogger("prefect.flow_runs").addFilter(_tells_something_new)


def _tells_something_new(record: logging.LogRecord) -> bool:
    return not (record.exc_info and isinstance(record.exc_info[1], FailedRun))


@contextmanager
def counted(log: FlowRunLog) -> Iterator[FlowRunLog]:
    """Have the log count every half minute while the block runs, in a thread with the block's context."""
    over = threading.Event()

    def count() -> None:
        while not over.wait(COUNT_EVERY_S):
            log.count()

    thread = threading.Thread(target=copy_context().run, args=(count,), name="flow-run-log", daemon=True)
    thread.start()
    try:
        yield log
    finally:
        over.set()
    log.count()
