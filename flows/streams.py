"""Standard output and standard error that stop nobody's work: closed, full, slow, or in any encoding.

What is told on the way goes to standard error; nothing waits for its reader, and what cannot be written is
left out. An answer goes to standard output, waits for its reader as any command's does, and where it is lost
that is known.
"""

from __future__ import annotations

import atexit
import io
import os
import select
import sys
import threading
from contextlib import suppress
from queue import SimpleQueue
from typing import TYPE_CHECKING, TextIO, cast

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

MOST_WAITING = 4096
"""So many pieces of text wait for a reader of standard error; further ones are left out."""

PATIENCE_S = 2.0
"""At the end the last lines get so long, and again as long as some of them were read meanwhile."""


class AnswerStream(io.RawIOBase):
    """Standard output's descriptor; remembers the first error instead of raising it.

    Attributes:
        error: why the answer did not get out whole; None as long as it did.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.error: OSError | None = None

    def writable(self) -> bool:
        """It is for nothing else."""
        return True

    def fileno(self) -> int:
        """The descriptor."""
        return self._descriptor

    def isatty(self) -> bool:
        """Whether a person reads."""
        return os.isatty(self._descriptor)

    def write(self, data: ReadableBuffer, /) -> int:
        """Write all of it, or keep why not."""
        given = bytes(data)
        if self.error is None:  # an answer with a gap would be worse than one that ends
            try:
                _write_all(self._descriptor, given)
            except OSError as error:
                self.error = error
        return len(given)


# Why so many: the methods of a text stream that others call.
class NoticeStream(io.TextIOBase):
    """Standard error's descriptor; a thread writes, so nobody waits, signal handlers included."""

    errors = "backslashreplace"

    def __init__(self, descriptor: int, encoding: str) -> None:
        self._descriptor, self._encoding = descriptor, encoding
        self._waiting: SimpleQueue[bytes | threading.Event] = SimpleQueue()  # its put() may be interrupted
        self._left_out = self._written = 0
        threading.Thread(target=self._write, name="stderr", daemon=True).start()

    @property
    def encoding(self) -> str:  # type: ignore[override]  # read-only there as well
        """What the environment asks for."""
        return self._encoding

    def writable(self) -> bool:
        """It is for nothing else."""
        return True

    def fileno(self) -> int:
        """The descriptor."""
        return self._descriptor

    def isatty(self) -> bool:
        """Whether a person reads."""
        return os.isatty(self._descriptor)

    def write(self, text: str, /) -> int:
        """Hand it over; it is left out if too much waits already."""
        if self._waiting.qsize() >= MOST_WAITING:
            self._left_out += 1
        elif text:
            self._waiting.put(text.encode(self._encoding, self.errors))
        return len(text)

    def drain(self) -> None:
        """Wait until all is written, as long as somebody reads."""
        all_written = threading.Event()
        self._waiting.put(all_written)
        before = -1
        while not all_written.wait(PATIENCE_S) and self._written != before:
            before = self._written

    def _write(self) -> None:
        while True:
            item = self._waiting.get()
            if isinstance(item, threading.Event):
                item.set()
                continue
            with suppress(OSError):  # there is nowhere to say that nothing can be said
                _write_all(self._descriptor, item)
            self._written += 1
            if self._left_out and self._waiting.empty():
                count, self._left_out = self._left_out, 0
                self.write(f"{count} line(s) are missing here: nobody read them in time\n")


def take_over_streams() -> None:
    """Put both in the place of this process's own, once; those that a host program has replaced stay.

    Closed descriptors are taken up first, or the next file that is opened would get what is meant for people.
    """
    _fill_descriptors()
    if sys.stdout is sys.__stdout__:
        sys.stdout = _answers(sys.stdout)
    if sys.stderr is sys.__stderr__:
        notices = NoticeStream(2, _encoding(sys.stderr))
        sys.stderr = cast("TextIO", notices)
        atexit.register(notices.drain)


def lost_answer() -> str:
    """Why what was printed on standard output is lost; empty if it is not, or its reader had enough."""
    sys.stdout.flush()
    raw = getattr(getattr(sys.stdout, "buffer", None), "raw", None)
    error = raw.error if isinstance(raw, AnswerStream) else None
    return "" if error is None or isinstance(error, BrokenPipeError) else error.strerror or str(error)


def drain_notices() -> None:
    """Wait for the last lines on standard error, before a process ends without Python's own end."""
    if isinstance(sys.stderr, NoticeStream):
        sys.stderr.drain()


def say_at_once(text: bytes) -> None:
    """Write to standard error from a signal handler, unless that would wait or fail."""
    with suppress(OSError, ValueError):
        if select.select([], [2], [], 0)[1]:
            os.write(2, text)


def _fill_descriptors() -> None:
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:  # for reading: what is written to it fails, as it would have
            os.open(os.devnull, os.O_RDONLY)  # the lowest free number, which is this one


def _answers(before: TextIO | None) -> TextIO:
    at_once = getattr(before, "line_buffering", False) or getattr(before, "write_through", False)
    buffered = io.BufferedWriter(AnswerStream(1))
    return io.TextIOWrapper(buffered, _encoding(before), "backslashreplace", line_buffering=at_once)


def _encoding(stream: TextIO | None) -> str:
    return (stream and stream.encoding) or "utf-8"


def _write_all(descriptor: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        try:
            left = left[os.write(descriptor, left) :]
        except BlockingIOError:  # whoever started us has set the descriptor so
            select.select([], [descriptor], [])
