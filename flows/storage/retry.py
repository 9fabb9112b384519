"""How often this process had to ask storage again."""

from __future__ import annotations

import threading

_lock = threading.Lock()
_total = 0


def count_retry() -> None:
    """One more request or call is repeated."""
    global _total
    with _lock:
        _total += 1


def retries_so_far() -> int:
    """How many there were since the process began."""
    return _total
