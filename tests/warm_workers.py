"""Worker processes that have imported PyTorch when they begin.

To import it costs two seconds of a processor, as much as hundreds of the pairs that tests make, and tests
start workers by the hundred. Here a process imports it once, and the workers of tests are forked from that
one. Their environment, their streams and their end are those of any worker. Tests of how a worker begins are
marked `cold`, and every program that a test starts begins its workers as it always does.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Iterable
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from typing import Any

import pytest

from flows.engines.process_child import PARENT_DECIDES

IMPORTED = ["flows.worker.main"]
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(IMPORTED)


class Warm:
    """What `multiprocessing`'s context for new processes offers that a worker's handle asks for."""

    @staticmethod
    def Pipe() -> tuple[Connection, Connection]:  # noqa: N802  its name there
        """Two ends of a socket pair."""
        return FORKS.Pipe()

    @staticmethod
    def Process(target: Callable[..., object], args: tuple[object, ...], name: str) -> ForkServerProcess:  # noqa: N802
        """A process that will begin as one that this process starts anew."""
        with pytest.MonkeyPatch.context() as patch:  # it imports what this process would
            patch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
            forkserver.ensure_running()
        streams = (_Stream(1), _Stream(2))
        return FORKS.Process(target=_begin, args=(dict(os.environ), streams, target, args), name=name)


class _Stream:
    """A stream of this process that becomes the same one of the other process."""

    def __init__(self, number: int) -> None:
        self._number = number

    def __reduce__(self) -> tuple[Callable[..., object], tuple[Any, ...]]:
        return _taken_over, (self._number, multiprocessing.reduction.DupFd(self._number))


def _taken_over(number: int, passed: Any) -> int:
    received = passed.detach()
    os.dup2(received, number)
    os.close(received)
    return number


def _begin(
    environment: dict[str, str],
    streams: Iterable[int],
    target: Callable[..., object],
    args: tuple[object, ...],
) -> None:
    """Become what a fresh interpreter is; the streams have done so when they were received."""
    signal.pthread_sigmask(signal.SIG_BLOCK, PARENT_DECIDES)  # as a worker begins
    os.environ.clear()
    os.environ.update(environment)
    target(*args)
