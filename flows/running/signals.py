"""SIGINT, SIGTERM and SIGHUP end a run in good order, whatever it is at."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any, Protocol, Self

from flows.records.exit_codes import STOPPED_EARLY
from flows.records.report import End
from flows.streams import say_at_once

TERMINATED = "SIGTERM"
"""The reason that a report gives of a run that this signal ended, as it does of SIGHUP."""


class Terminated(SystemExit):
    """SIGTERM or SIGHUP came while there was no run yet to bring into order; nobody else's `SystemExit`."""

    def __init__(self) -> None:
        super().__init__(STOPPED_EARLY)


class Stoppable(Protocol):
    """A run that can be ended early."""

    def stop(self, end: End, reason: str) -> None:
        """End soon; takes no lock, so that signal handlers may call it."""


class StopSignals:
    """While its block lasts, a signal stops the run; SIGINT after one of them breaks it off.

    SIGHUP, which comes when a terminal is closed or a connection to it breaks, stays ignored under `nohup`.

    Handlers belong to a program's main thread: in any other one, such as that of a flow, nothing changes.
    Before there is a run, an exception ends the program. One that is raised where Python can only print it,
    as in a destructor, is lost; what it stood for is kept, and ends the run once there is one.
    """

    def __init__(self) -> None:
        self._run: Stoppable | None = None
        self._lost: tuple[End, str] | None = None
        self._told = False
        self._before: list[Any] = []

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            handlers = {signal.SIGINT: self._interrupted, signal.SIGTERM: self._terminated}
            if signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:
                handlers[signal.SIGHUP] = self._terminated
            self._before = [(number, signal.signal(number, handler)) for number, handler in handlers.items()]
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before:
            signal.signal(number, handler)

    def govern(self, run: Stoppable) -> None:
        """From now on signals are for this run; so is one that has come and did not end the program."""
        self._run = run
        if self._lost:
            run.stop(*self._lost)

    def _interrupted(self, number: int, frame: FrameType | None) -> None:
        how: tuple[End, str] = ("interrupted", "interrupted")
        if self._run is None or self._told:
            self._lost = how
            raise KeyboardInterrupt
        self._told = True
        self._run.stop(*how)
        say_at_once(b"\nstopping; Ctrl-C again ends at once\n")  # not through what may be in use just now

    def _terminated(self, number: int, frame: FrameType | None) -> None:
        how: tuple[End, str] = ("stopped", signal.Signals(number).name)
        if self._run is None:
            self._lost = how
            raise Terminated
        self._told = True
        self._run.stop(*how)
