"""What is logged of storage that fails in passing: a line for each step of a trouble, not for each request.

Where a store throttles, hundreds of requests fail in the same second. The first that fails at a step (such as
`round 2 of 4`) is logged with its cause, the others are counted; once no request is in trouble any more, one
line sums up.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Trouble:
    """From the first failure of a request until all that failed have ended."""

    steps: set[tuple[str, str]] = field(default_factory=set)
    requests: int = 0
    worked: int = 0
    open: int = 0


@dataclass(slots=True)
class _Request:
    """One request of this thread, with all its repetitions."""

    what: str
    failed: bool = False


_lock = threading.Lock()
_trouble = _Trouble()
_here = threading.local()


@contextmanager
def request(what: str) -> Iterator[None]:
    """Take this thread's failures in the block for those of one request, which worked if none gets out."""
    mine = _here.request = _Request(what)
    worked = False
    try:
        yield
        worked = True
    finally:
        _here.request = None
        if mine.failed:
            _end(mine, worked=worked)


def note_failure(step: str, cause: str, *, details: str = "") -> None:
    """Log that a request failed and may be repeated, if it is the first at this step for this cause."""
    mine: _Request | None = getattr(_here, "request", None)
    with _lock:
        first = (step, cause) not in _trouble.steps
        if mine:
            _trouble.steps.add((step, cause))
            _trouble.requests += not mine.failed
            _trouble.open += not mine.failed
            mine.failed = True
    if first:
        _log.warning("%s failed: %s", step, details or cause)


def _end(mine: _Request, *, worked: bool) -> None:
    global _trouble
    with _lock:
        _trouble.worked += worked
        _trouble.open -= 1
        if _trouble.open:
            return
        over, _trouble = _trouble, _Trouble()
    if over.requests > 1:
        _log.warning("%d of %d storage requests worked when asked again", over.worked, over.requests)
    elif worked:
        _log.info("%s: worked when asked again", mine.what)
