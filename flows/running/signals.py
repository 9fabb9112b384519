"""SIGINT and SIGTERM end a run in good order, whatever it is at."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any, Protocol, Self

from flows.records.exit_codes import STOPPED_EARLY
from flows.records.report import End
from flows.streams import say_at_once

TERMINATED = "SIGTERM"
"""The reason that a report gives of a run that this signal ended."""


class Stoppable(Protocol):
    """A run that can be ended early."""

    def stop(self, end: End, reason: str) -> None:
        """End soon; takes no lock, so that signal handlers may call it."""


class StopSignals:
    """While its block lasts, a signal stops the run; SIGINT after one of them breaks it off.

    Handlers belong to a program's main thread: in any other one, such as that of a flow, nothing changes.

    Attributes:
        run: the run, once there is one; before, there is nothing yet to bring into order.
    """

    def __init__(self) -> None:
        self.run: Stoppable | None = None
        self._told = False
        self._before: list[Any] = []

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            handlers = ((signal.SIGINT, self._interrupted), (signal.SIGTERM, self._terminated))
            self._before = [(number, signal.signal(number, handler)) for number, handler in handlers]
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before:
            signal.signal(number, handler)

    def _interrupted(self, number: int, frame: FrameType | None) -> None:
        if self.run is None or self._told:
            raise KeyboardInterrupt
        self._told = True
        self.run.stop("interrupted", "interrupted")
        say_at_once(b"\nstopping; Ctrl-C again ends at once\n")  # not through what may be in use just now

    def _terminated(self, number: int, frame: FrameType | None) -> None:
        if self.run is None:
            raise SystemExit(STOPPED_EARLY)
        self._told = True
        self.run.stop("stopped", TERMINATED)
