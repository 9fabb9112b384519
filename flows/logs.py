"""Logging that is fit for terminals and files: one line an event, nothing foreign that acts, no secrets.

File names, object keys and error texts of others may hold line breaks and terminal commands, and what a
server or a credential helper answered may hold keys and tokens. Both end here, for every module and worker.
"""

from __future__ import annotations

import logging
import sys
import traceback
from copy import copy
from types import TracebackType

from flows.errors import StorageError
from flows.text import safe_text

ERRORS_IN_A_CHAIN = 10
_FORMAT = "%(levelname)s %(name)s %(message)s"


class PlainFormatter(logging.Formatter):
    """Each message on one line of bounded length; a traceback on indented lines below it."""

    def format(self, record: logging.LogRecord) -> str:
        """The whole event; what another formatter made of the traceback is not taken over."""
        own = copy(record)
        own.exc_text = None
        return super().format(own)

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's own name
        """The line itself."""
        return safe_text(super().formatMessage(record))

    def formatException(  # noqa: N802 - logging's own name
        self, ei: tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]
    ) -> str:
        """The traceback as `described` has it."""
        return "" if ei[1] is None else described(ei[1])


def log_to_stderr(level: int) -> None:
    """Let this process log to its standard error from `level` on, and in no other way."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(PlainFormatter(_FORMAT))
    logging.basicConfig(level=level, handlers=[handler], force=True)


def described(error: BaseException) -> str:
    """The error with its traceback and its causes, the last first, on indented lines.

    The causes of a `StorageError` are left out: they say what somebody else's server or helper said.
    """
    return "\n".join("  " + safe_text(line) for one in _chain(error) for line in _lines(one))


def _chain(error: BaseException) -> list[BaseException]:
    found = [error]
    while len(found) < ERRORS_IN_A_CHAIN and not isinstance(found[-1], StorageError):
        cause = found[-1].__cause__ or (None if found[-1].__suppress_context__ else found[-1].__context__)
        if cause is None:
            break
        found.append(cause)
    return found


def _lines(error: BaseException) -> list[str]:
    """One error without its causes; what was noted on it keeps its lines."""
    frames = [line for frame in traceback.format_tb(error.__traceback__) for line in frame.splitlines()]
    notes = [line for note in getattr(error, "__notes__", ()) for line in str(note).splitlines()]
    return [*frames, f"{type(error).__name__}: {error}", *notes]
