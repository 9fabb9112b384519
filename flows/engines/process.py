"""A warm process for a worker: it serves call after call, and ends with its parent at the latest.

The two processes share one socket pair and no lock, semaphore or queue, so a process that is killed at any
instant leaves nothing behind that could block the other: the socket reports its end. Requests and the wish to
stop travel one way, progress and answers the other. A second thread in the child waits for the parent's end
and leaves at once. The kernel's parent-death signal would not do: it fires when the starting *thread* ends,
and a flow's threads come and go while the child stays warm.
"""

from __future__ import annotations

import atexit
import math
import pickle
import threading
from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import Self, TypeVar, TypeVarTuple, cast

from flows.engines.process_child import Raised
from flows.engines.process_handle import Died, Limits, ProcessHandle
from flows.errors import BatchError, TimedOut, WorkerCrashed, WorkerStopped
from flows.model.events import Told

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

START_TIMEOUT_S = 300.0  # a cold disk, a large torch, a busy driver
SILENCE_S = 120.0  # native code that lets no other thread run, on a machine that swaps
STOP_S = 7.0  # within ten seconds a run that is told to stop has written its report; Prefect kills after 30


# Why so many: the life of one process and the promises about its end belong together.
class WorkerProcess:
    """A worker process for one device, started by the first call and again after a crash.

    Calls run one at a time. Use it as a context manager, or `close()` it: a thread that waits in `call` keeps
    the program from ending.

    Args:
        device: its name, for messages.
        initializer: run in every new child before anything else; whatever it raises, the call raises.
        initargs: its arguments.
        on_told: gets, in the calling thread and in order, what the child reports during the call.
        silence_s: how long a child at work may give no sign of life. Not held against the initializer, which
            imports large libraries.
        stop_s: how long a call may go on after `stop`.
    """

    def __init__(
        self,
        device: str,
        *,
        initializer: Callable[[*Ts], object] | None = None,
        initargs: tuple[*Ts] = (),  # type: ignore[assignment]  # the default goes with no initializer
        on_told: Callable[[Told], None] | None = None,
        silence_s: float = SILENCE_S,
        stop_s: float = STOP_S,
    ) -> None:
        self.device = device
        self._initializer = partial(initializer, *initargs) if initializer else None
        self._on_told = on_told or (lambda _: None)
        self._one_call = threading.Lock()
        self._silence_s, self._stop_s = silence_s, stop_s
        self._child: ProcessHandle | None = None
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

    def call(
        self,
        function: Callable[[*Ts], T],
        *args: *Ts,
        stuck_s: float = math.inf,
        going_on: bool = False,
    ) -> T:
        """Run `function(*args)` in the child and return or raise what it returned or raised.

        The time without progress counts from when the child is ready. Time in which this process is stopped,
        or the machine asleep, does not count. After a child's death the next call starts a fresh one.

        Args:
            going_on: whether the child may still be at what an earlier call has begun: then its death since
                that call is raised as well.

        Raises:
            BatchError: no process can be started.
            TimedOut: the call has `timed` a pair and did not heed its timeout, and the child was killed.
            WorkerWedged: the child fell silent or made no progress for `stuck_s`, and was killed.
            WorkerCrashed: the child died.
            WorkerStopped: `stop` or `close` came first.
        """
        with self._one_call:
            child = self._ready_child(going_on=going_on)
            limits = Limits(stuck_s, self._silence_s, self._stop_s)
            return self._ask(child, partial(function, *args), limits)

    def stop(self) -> None:
        """Ask the child to end: `should_stop()` is true in it from now on, and no new call starts.

        A call in flight ends by itself, or with its child after `stop_s` seconds.
        Does not wait for anything, so signal handlers may use it.
        """
        self._stopped = True
        if child := self._child:
            child.stop()

    def close(self, grace_s: float = 5.0) -> None:
        """Stop the child, and kill it if it has not ended after `grace_s` seconds; calls in flight return."""
        self.stop()
        if child := self._child:
            child.end(grace_s)
        atexit.unregister(self.close)

    def _ready_child(self, *, going_on: bool) -> ProcessHandle:
        child = self._child
        if child and (self._busy or not child.process.is_alive()):
            died = going_on and not self._busy
            how = child.exit_reason() if died else ""
            self._discard(child)
            self._refuse_if_stopped()
            if died:
                raise WorkerCrashed(f"the worker process on {self.device} {how} between two calls")
        self._refuse_if_stopped()
        return self._child or self._start()

    def _start(self) -> ProcessHandle:
        child = self._spawned()
        try:
            self._refuse_if_stopped()  # a stop that came before the assignment has told nobody
            if self._initializer:
                limits = Limits(START_TIMEOUT_S, START_TIMEOUT_S, self._stop_s)
                self._ask(child, self._initializer, limits)
        except BaseException:
            self._discard(child)
            raise
        return child

    def _spawned(self) -> ProcessHandle:
        """A process that has started; known before, so that close() finds it in any case."""
        try:
            child = self._child = ProcessHandle(self.device)
            child.start()
        except BaseException as error:
            if self._child:
                self._discard(self._child)
            if isinstance(error, OSError):  # such as a limit of processes, memory or open files
                text = f"no worker process can be started on {self.device}: {error.strerror or error}"
                raise BatchError(text) from error
            raise
        return child

    def _discard(self, child: ProcessHandle) -> None:
        child.end()
        self._child, self._busy = None, False

    def _ask(self, child: ProcessHandle, request: partial[T], limits: Limits) -> T:
        data = pickle.dumps(request)
        self._busy = True
        try:
            answer = child.ask(data, limits=limits, on_told=self._on_told, stopped=lambda: self._stopped)
        except Died as died:
            self._discard(child)
            self._refuse_if_stopped()
            raise self._failure(died, getattr(request.func, "__name__", "its work")) from died
        self._busy = False
        if isinstance(answer, Raised):
            raise answer.error
        return cast("T", answer.value)

    def _failure(self, died: Died, work: str) -> WorkerCrashed:
        text = f"the worker process on {self.device} {died.how}"
        return (
            TimedOut(text, died.pair) if died.kind is TimedOut else died.kind(f"{text} while it ran {work}")
        )

    def _refuse_if_stopped(self) -> None:
        if self._stopped:
            raise WorkerStopped(f"the worker process on {self.device} was stopped before its work was done")
