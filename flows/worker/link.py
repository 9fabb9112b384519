"""A worker's line to its supervisor: progress goes up, the wish to stop comes down, and time is counted.

Whoever hosts a worker connects the line. Where nobody has, in a program that works by itself, reports go
nowhere and nobody asks to stop.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from flows.model.events import PairProgress
from flows.model.pair import Outcome

LATE_BEAT_S = 5.0  # a beat that is even later does not mean that this process was at work all the time
GRACE_S = 30.0
LOST_DEVICE = 70  # exit code of a process that can do nothing more with its device


@dataclass(slots=True)
class Stopwatch:
    """The time that a pair takes, counted beat by beat: while this process is stopped, it hardly runs."""

    pair: str
    timeout_s: float
    spent_s: float = 0.0

    def beat(self, seconds: float) -> None:
        """So much time has passed since the last beat."""
        self.spent_s += min(seconds, LATE_BEAT_S)

    @property
    def overdue(self) -> bool:
        """Whether the work has had enough time after the timeout to notice it."""
        return self.spent_s > self.timeout_s + min(self.timeout_s, GRACE_S)


_report: Callable[[PairProgress], None] = lambda _: None  # noqa: E731
_ended: Callable[[Outcome], None] = lambda _: None  # noqa: E731
_should_stop: Callable[[], bool] = lambda: False  # noqa: E731
_stopped_here = False
_stopwatch: Stopwatch | None = None


def connect(
    report: Callable[[PairProgress], None],
    should_stop: Callable[[], bool],
    ended: Callable[[Outcome], None] = lambda _: None,
) -> None:
    """From now on `report`, `should_stop` and `tell_end` of this process's worker are these."""
    global _report, _should_stop, _ended
    _report, _should_stop, _ended = report, should_stop, ended


def stop_here(*, stopped: bool) -> None:
    """Whether this process's worker is to end, for a worker without a process of its own."""
    global _stopped_here
    _stopped_here = stopped


def report(progress: PairProgress) -> None:
    """Tell the supervisor, if there is one, how far a pair is."""
    _report(progress)


def tell_end(outcome: Outcome) -> None:
    """Tell the supervisor, if there is one, of a pair whose record is written, ahead of the call's answer."""
    _ended(outcome)


def should_stop() -> bool:
    """Whether the supervisor wants this worker to end, or is gone; False where there is none."""
    return _stopped_here or _should_stop()


def current_stopwatch() -> Stopwatch | None:
    """The time that the pair now at work has taken; None between pairs."""
    return _stopwatch


@contextmanager
def timed(pair: str, timeout_s: float) -> Iterator[Stopwatch]:
    """Count the time of the block, which is to look at the stopwatch now and then and end after the timeout.

    If it does not, the parent kills this process: after twice the timeout, or 30 s after it if that is first.
    """
    global _stopwatch
    _stopwatch = Stopwatch(pair, timeout_s)
    try:
        yield _stopwatch
    finally:
        _stopwatch = None
