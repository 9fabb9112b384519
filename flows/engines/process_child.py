"""What runs in a worker process: it serves requests, reports progress and hears when to stop.

While a request is served, a second thread sends a beat every second: a process that is stopped, or held up in
native code that lets no other thread run, falls silent. The same thread counts the time that a pair takes.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import pickle
import signal
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from typing import NamedTuple

from flows.logs import described
from flows.model.events import PairProgress
from flows.model.pair import Outcome
from flows.streams import drain_notices, take_over_streams
from flows.worker.link import connect, current_stopwatch

STOP = b""
BEAT_S = 1.0
PARENT_DECIDES = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""They reach whole process groups, and the parent alone acts."""


@dataclass(frozen=True, slots=True)
class Beat:
    """The process lives, whatever its work does."""


class TimeoutMissed(NamedTuple):
    """A pair has taken much longer than its timeout, and its work has not noticed."""

    pair: str


@dataclass(frozen=True, slots=True)
class Returned:
    """The answer of a call that went well."""

    value: object


@dataclass(frozen=True, slots=True)
class Raised:
    """The answer of a call that did not; the error's notes tell the traceback."""

    error: Exception


_sending = threading.Lock()  # a message goes out whole
_at_work = threading.Event()


def serve(link: Connection) -> None:
    """Answer the parent's requests, pickled calls without arguments, until it sends STOP or ends."""
    leave_signals_to_parent()
    gc.disable()  # loading torch makes a great many objects and no garbage
    take_over_streams()
    threading.Thread(target=_watch, args=(link,), daemon=True).start()
    connect(partial(_report, link), link.poll, partial(_report, link))
    with suppress(EOFError, OSError):
        while (request := link.recv_bytes()) != STOP:
            _at_work.set()
            answer = _answer(request)
            _at_work.clear()
            _send(link, answer)
            _collect_garbage_again()
    _leave()


def leave_signals_to_parent() -> None:
    """From now on what ends whole process groups does not end this process; it was held back until now."""
    for number in PARENT_DECIDES:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, PARENT_DECIDES)


def _collect_garbage_again() -> None:
    """What the first request has loaded stays until the end and need not be looked through any more."""
    if not gc.isenabled():
        gc.freeze()
        gc.enable()


def _leave() -> None:
    """End the process without Python's own end, which takes PyTorch apart slowly and for nothing."""
    with suppress(OSError):
        sys.stdout.flush()
    drain_notices()
    os._exit(0)


def _report(link: Connection, told: PairProgress | Outcome) -> None:
    with suppress(OSError):  # nobody listens any more: should_stop() tells
        _send(link, pickle.dumps(told))


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


def _sign_of_life(seconds: float) -> Beat | TimeoutMissed:
    if watch := current_stopwatch():
        watch.beat(seconds)
        if watch.overdue:
            return TimeoutMissed(watch.pair)
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
