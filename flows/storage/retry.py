"""Storage asked again: how often, with which waits, and what is counted of it.

A request is repeated, not a whole operation: only the request knows that a PUT whose answer was lost has
stored its object, or which page of a listing has failed.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

import tenacity

from flows.errors import CredentialsAway, StorageTransient
from flows.storage.access import had_credentials
from flows.storage.base import Patience
from flows.storage.trouble import note_failure, request

_T = TypeVar("_T")
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


def retry_call(call: Callable[[], _T], *, what: str, patience: Patience) -> _T:
    """What `call` returns, repeated with growing random waits while it raises `StorageTransient`."""
    too_late = tenacity.stop_before_delay(patience.limit_s)
    retrying = tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(StorageTransient),
        stop=lambda state: state.attempt_number >= _rounds(state, patience) or too_late(state),
        wait=tenacity.wait_random_exponential(multiplier=patience.wait_s, max=patience.longest_wait_s),
        before_sleep=lambda state: _log_round(state, patience),
        reraise=True,
    )
    with request(what):
        return retrying(call)


def _rounds(state: tenacity.RetryCallState, patience: Patience) -> int:
    """How often a call is made: for each the client asks a store several times, but for credentials once.

    Where there never were any, what is wrong with them is told soon.
    """
    away = state.outcome is not None and isinstance(state.outcome.exception(), CredentialsAway)
    return patience.rounds * patience.attempts if away and had_credentials() else patience.rounds


def _log_round(state: tenacity.RetryCallState, patience: Patience) -> None:
    cause = state.outcome.exception() if state.outcome else None
    count_retry()
    step = f"round {state.attempt_number} of {_rounds(state, patience)}"
    note_failure(step, type(cause).__name__, details=f"{cause}")
