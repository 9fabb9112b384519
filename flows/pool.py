"""One warm worker process per device: it serves call after call, and ends with its parent at the latest.

The two processes share one socket pair and no lock, semaphore or queue, so a process that is killed at any
instant leaves nothing behind that could block the other: the socket reports its end. Requests and the wish to
stop travel one way, progress and answers the other. A second thread in the child waits for the parent's end
and leaves at once. The kernel's parent-death signal would not do: it fires when the starting *thread* ends,
and a flow's threads come and go while the child stays warm.
"""

from __future__ import annotations

import atexit
import multiprocessing
import pickle
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from multiprocessing import resource_tracker
from types import TracebackType
from typing import Self, TypeVar, TypeVarTuple, cast

from flows.errors import WorkerCrashed, WorkerStopped
from flows.pool_child import PARENT_DECIDES, STOP, Progress, Raised, Returned, report, serve, should_stop

__all__ = ["DeviceChild", "Progress", "report", "should_stop"]

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

START_TIMEOUT_S = 300.0  # a cold disk, a large torch, a busy driver
KILL_TIMEOUT_S = 10.0  # a process stuck in a driver may not even die; then the run goes on without it
SPAWN = multiprocessing.get_context("spawn")
SIGNAL_NAMES = {number.value: number.name for number in signal.Signals}
HINTS = {
    "SIGKILL": "often the machine ran out of memory",
    "SIGSEGV": "a fault in native code or a driver",
    "SIGBUS": "often a full /dev/shm or a file that shrank",
    "SIGABRT": "native code gave up, often for lack of memory",
}


class DeviceChild:
    """A worker process for one device, started by the first call and again after a crash.

    Calls run one at a time. Use it as a context manager, or `close()` it: a thread that waits in `call` keeps
    the program from ending.

    Args:
        device: its name, for messages.
        initializer: run in every new child before anything else; whatever it raises, the call raises.
        initargs: its arguments.
        on_progress: gets, in the calling thread and in order, what the child reports during the call.
    """

    def __init__(
        self,
        device: str,
        *,
        initializer: Callable[[*Ts], object] | None = None,
        initargs: tuple[*Ts] = (),  # type: ignore[assignment]  # the default goes with no initializer
        on_progress: Callable[[Progress], None] | None = None,
    ) -> None:
        self.device = device
        self._initializer = partial(initializer, *initargs) if initializer else None
        self._on_progress = on_progress or (lambda _: None)
        self._one_call = threading.Lock()
        self._child: _Child | None = None
        self._busy = False  # stays true where an exception broke off the wait for an answer
        self._stopped = False
        atexit.register(self.close)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def pid(self) -> int | None:
        """The child's process id; None before the first call and after a crash."""
        return self._child.process.pid if self._child and self._child.process.is_alive() else None

    def call(self, function: Callable[[*Ts], T], *args: *Ts, timeout_s: float | None = None) -> T:
        """Run `function(*args)` in the child and return or raise what it returned or raised.

        The time limit counts from when the child is ready.

        Raises:
            WorkerCrashed: the child died, or was killed at the time limit; the next call starts a fresh one.
            WorkerStopped: `stop` or `close` came first.
        """
        with self._one_call:
            child = self._ready_child()
            return self._ask(child, partial(function, *args), timeout_s=timeout_s)

    def stop(self) -> None:
        """Ask the child to end: `should_stop()` is true in it from now on, and no new call starts.

        Does not wait and takes no lock, so signal handlers may use it.
        """
        self._stopped = True
        if child := self._child:
            with suppress(OSError):  # it is dead already
                child.link.send_bytes(STOP)

    def close(self, grace_s: float = 5.0) -> None:
        """Stop the child, and kill it if it has not ended after `grace_s` seconds; calls in flight return."""
        self.stop()
        if child := self._child:
            child.end(grace_s)
        atexit.unregister(self.close)

    def _ready_child(self) -> _Child:
        if self._child and (self._busy or not self._child.process.is_alive()):
            self._discard(self._child)
        self._refuse_if_stopped()
        return self._child or self._start()

    def _start(self) -> _Child:
        child = self._child = _Child(self.device)  # before it starts, so that close() finds it in any case
        try:
            child.start()
            self._refuse_if_stopped()  # a stop that came before the assignment has told nobody
            if self._initializer:
                self._ask(child, self._initializer, timeout_s=START_TIMEOUT_S)
        except BaseException:
            self._discard(child)
            raise
        return child

    def _discard(self, child: _Child) -> None:
        child.end()
        self._child, self._busy = None, False

    def _ask(self, child: _Child, request: partial[T], *, timeout_s: float | None) -> T:
        data = pickle.dumps(request)
        self._busy = True
        try:
            answer = child.ask(data, timeout_s=timeout_s, on_progress=self._on_progress)
        except _Lost as lost:
            end = str(lost) or child.obituary()
            self._discard(child)
            self._refuse_if_stopped()
            work = getattr(request.func, "__name__", "its work")
            raise WorkerCrashed(f"the worker process on {self.device} {end} while it ran {work}") from lost
        self._busy = False
        if isinstance(answer, Raised):
            raise answer.error
        return cast("T", answer.value)

    def _refuse_if_stopped(self) -> None:
        if self._stopped:
            raise WorkerStopped(f"the worker process on {self.device} was stopped before its work was done")


class _Lost(Exception):
    """No answer will come; the text says why where it is not the child's own end."""


class _Child:
    """One process and our end of its socket pair, which closes when nobody uses it any more."""

    def __init__(self, device: str) -> None:
        self.link, self._theirs = SPAWN.Pipe()
        self.process = SPAWN.Process(target=serve, args=(self._theirs,), name=f"stylize {device}")

    def start(self) -> None:
        with _signals_held_back():
            self.process.start()
        self._theirs.close()

    def ask(
        self, request: bytes, *, timeout_s: float | None, on_progress: Callable[[Progress], None]
    ) -> Returned | Raised:
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        with _losses():
            self.link.send_bytes(request)
        while True:
            message = self._hear(deadline)
            if message is None:
                raise _Lost(f"timed out after {timeout_s:g} s")
            if not isinstance(message, Progress):
                return message
            on_progress(message)

    def _hear(self, deadline: float | None) -> Progress | Returned | Raised | None:
        left = None if deadline is None else max(0.0, deadline - time.monotonic())
        with _losses():
            if not self.link.poll(left):
                return None
            return cast("Progress | Returned | Raised", self.link.recv())

    def end(self, grace_s: float = 0.0) -> None:
        """Wait that long, then kill."""
        if self.process.pid:
            self.process.join(grace_s)
            self.process.kill()
            self.process.join(KILL_TIMEOUT_S)

    def obituary(self) -> str:
        """How the process ended, as the middle of a sentence."""
        self.process.join(KILL_TIMEOUT_S)  # the socket closes a little earlier
        code = self.process.exitcode
        if code is None:
            return "fell silent"
        if code >= 0:
            return f"ended with exit code {code}"
        name = SIGNAL_NAMES.get(-code, f"signal {-code}")
        return f"was killed by {name} ({HINTS[name]})" if name in HINTS else f"was killed by {name}"


@contextmanager
def _losses() -> Iterator[None]:
    try:
        yield
    except (EOFError, OSError) as error:
        raise _Lost from error


@contextmanager
def _signals_held_back() -> Iterator[None]:
    """Let a process start with SIGINT and SIGTERM blocked, until it has decided to ignore them."""
    resource_tracker.ensure_running()  # its own start would unblock them
    before = signal.pthread_sigmask(signal.SIG_BLOCK, PARENT_DECIDES)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
