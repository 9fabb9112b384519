"""What runs in a worker process of the pool: it serves requests, reports progress and hears when to stop.

While a request is served, a second thread sends a beat every second: a process that is stopped, or held up in
native code that lets no other thread run, falls silent.

Without a parent, in a program that works by itself, reports go nowhere and nobody asks to stop.
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import threading
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import NamedTuple

from flows.logs import described

STOP = b""
BEAT_S = 1.0
PARENT_DECIDES = (signal.SIGINT, signal.SIGTERM)  # they reach whole process groups; the parent alone acts


class Beat(NamedTuple):
    """The process lives, whatever its work does."""


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


_parent: Connection | None = None
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
        beat = pickle.dumps(Beat())
        while parent.is_alive():
            if _at_work.is_set():  # in between nobody reads, and the socket would fill
                with suppress(OSError):
                    _send(link, beat)
            parent.join(BEAT_S)
        os._exit(1)


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
