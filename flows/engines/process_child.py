"""What runs in a worker process of the pool: it serves requests, reports progress and hears when to stop.

While a request is served, a second thread sends a beat every second: a process that is stopped, or held up in
native code that lets no other thread run, falls silent. The same thread counts the time that a pair takes.

Without a parent, in a program that works by itself, reports go nowhere and nobody asks to stop.
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import NamedTuple

from flows.logs import described

STOP = b""
BEAT_S = 1.0
LATE_BEAT_S = 5.0  # a beat that is even later does not mean that this process was at work all the time
GRACE_S = 30.0
LOST_DEVICE = 70  # exit code of a process that can do nothing more with its device
PARENT_DECIDES = (signal.SIGINT, signal.SIGTERM)  # they reach whole process groups; the parent alone acts


class Beat(NamedTuple):
    """The process lives, whatever its work does."""


class Overdue(NamedTuple):
    """A pair has taken much longer than it may, and its work has not noticed."""

    pair: str


class Progress(NamedTuple):
    """How far the optimisation of one pair is: steps done, and the loss after the last of them."""

    pair: str
    step: int
    loss: float


@dataclass(frozen=True, slots=True)
class Returned:
    """The answer of a call that went well."""

    value: object


@dataclass(frozen=True, slots=True)
class Raised:
    """The answer of a call that did not; the error's notes tell the traceback."""

    error: Exception


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


_parent: Connection | None = None
_stopwatch: Stopwatch | None = None
_sending = threading.Lock()  # a message goes out whole
_at_work = threading.Event()


def report(progress: Progress) -> None:
    """Send `progress` to the parent; outside a worker process nothing happens."""
    if _parent is not None:
        with suppress(OSError):  # nobody listens any more: should_stop() tells
            _send(_parent, pickle.dumps(progress))


def should_stop() -> bool:
    """Whether the parent wants this process to end, or is gone; False outside a worker process."""
    return _parent is not None and _parent.poll()


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


def serve(link: Connection) -> None:
    """Answer the parent's requests, pickled calls without arguments, until it sends STOP or ends."""
    global _parent
    for number in PARENT_DECIDES:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, PARENT_DECIDES)
    threading.Thread(target=_watch, args=(link,), daemon=True).start()
    _parent = link
    with suppress(EOFError, OSError):
        while (request := link.recv_bytes()) != STOP:
            _at_work.set()
            answer = _answer(request)
            _at_work.clear()
            _send(link, answer)


def _send(link: Connection, message: bytes) -> None:
    with _sending:
        link.send_bytes(message)


def _watch(link: Connection) -> None:
    """Leave with the parent; as long as it lives, tell it that this process is at work."""
    if parent := multiprocessing.parent_process():
        before = time.monotonic()
        while parent.is_alive():
            now = time.monotonic()
            if _at_work.is_set():  # in between nobody reads, and the socket would fill
                with suppress(OSError):
                    _send(link, pickle.dumps(_sign_of_life(now - before)))
            before = now
            parent.join(BEAT_S)
        os._exit(1)


def _sign_of_life(seconds: float) -> Beat | Overdue:
    if watch := _stopwatch:
        watch.beat(seconds)
        if watch.overdue:
            return Overdue(watch.pair)
    return Beat()


def _answer(request: bytes) -> bytes:
    try:
        return pickle.dumps(Returned(pickle.loads(request)()))  # noqa: S301 - our own parent wrote it
    except Exception as error:
        error.add_note(f"In the worker process:\n{described(error)}")
        return _portable(error)


def _portable(error: Exception) -> bytes:
    """Pickle `error`, or its text where its class does not survive the journey."""
    try:
        data = pickle.dumps(Raised(error))
        pickle.loads(data)  # noqa: S301 - pickled one line above
    except Exception:
        text = RuntimeError(f"{type(error).__name__}: {error}")
        for note in error.__notes__:
            text.add_note(note)
        return pickle.dumps(Raised(text))
    return data
