"""What runs in a worker process of the pool: it serves requests, reports progress and hears when to stop.

Without a parent, in a program that works by itself, reports go nowhere and nobody asks to stop.
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import threading
import traceback
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import NamedTuple

STOP = b""
PARENT_DECIDES = (signal.SIGINT, signal.SIGTERM)  # they reach whole process groups; the parent alone acts


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


def report(progress: Progress) -> None:
    """Send `progress` to the parent; outside a worker process nothing happens."""
    if _parent is not None:
        with suppress(OSError):  # nobody listens any more: should_stop() tells
            _parent.send(progress)


def should_stop() -> bool:
    """Whether the parent wants this process to end, or is gone; False outside a worker process."""
    return _parent is not None and _parent.poll()


def serve(link: Connection) -> None:
    """Answer the parent's requests, pickled calls without arguments, until it sends STOP or ends."""
    global _parent
    for number in PARENT_DECIDES:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, PARENT_DECIDES)
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    _parent = link
    with suppress(EOFError, OSError):
        while (request := link.recv_bytes()) != STOP:
            link.send_bytes(_answer(request))


def _leave_with_parent() -> None:
    if parent := multiprocessing.parent_process():
        parent.join()
        os._exit(1)


def _answer(request: bytes) -> bytes:
    try:
        return pickle.dumps(Returned(pickle.loads(request)()))  # noqa: S301 - our own parent wrote it
    except Exception as error:
        error.add_note(f"In the worker process:\n{traceback.format_exc()}")
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
