"""One worker process as its parent sees it: its start, its answers, its silence and its end."""

from __future__ import annotations

import multiprocessing
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import resource_tracker
from typing import cast

from flows.engines.process_child import PARENT_DECIDES, STOP, Beat, Raised, Returned, TimeoutMissed, serve
from flows.engines.working_folder import leave_lost_folder
from flows.errors import TimedOut, WorkerCrashed, WorkerWedged
from flows.model.events import PairProgress, Told
from flows.model.pair import Outcome
from flows.worker.link import LOST_DEVICE

KILL_TIMEOUT_S = 10.0  # a process stuck in a driver may not even die; then the run goes on without it
TICK_S = 0.25
SPAWN = multiprocessing.get_context("spawn")
SIGNAL_NAMES = {number.value: number.name for number in signal.Signals}
HINTS = {
    "SIGKILL": "often the machine ran out of memory",
    "SIGSEGV": "a fault in native code or a driver",
    "SIGBUS": "often a full /dev/shm or a file that shrank",
    "SIGABRT": "native code gave up, often for lack of memory",
}

Message = Beat | TimeoutMissed | PairProgress | Outcome | Returned | Raised


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a worker may take, in seconds of waiting; infinite where there is no limit.

    Attributes:
        stuck_s: without any progress of its work, though the process lives.
        silent_s: without any sign of life.
        stop_s: to end once it was told to.
    """

    stuck_s: float
    silent_s: float
    stop_s: float


class Died(Exception):
    """No answer will come.

    Attributes:
        kind: which failure of a worker that is.
        how: what became of it, as the middle of a sentence.
        pair: the pair whose timeout it missed, if it is that.
    """

    def __init__(self, kind: type[WorkerCrashed], how: str, pair: str = "") -> None:
        super().__init__(how)
        self.kind, self.how, self.pair = kind, how, pair


class ProcessHandle:
    """One process and our end of its socket pair, which closes when nobody uses it any more."""

    def __init__(self, device: str) -> None:
        self.link, self._theirs = SPAWN.Pipe()
        self._sending = threading.Lock()  # a message goes out whole
        self.process = SPAWN.Process(target=serve, args=(self._theirs,), name=f"stylize {device}")

    def start(self) -> None:
        """Start the process; it heeds no signal that its parent is to decide about."""
        leave_lost_folder()
        with signals_held_back():
            self.process.start()
        self._theirs.close()

    def ask(
        self,
        request: bytes,
        *,
        limits: Limits,
        on_told: Callable[[Told], None],
        stopped: Callable[[], bool],
    ) -> Returned | Raised:
        """The answer to a pickled request.

        Raises:
            Died: the process ended; or a limit was exceeded, and then it is still there.
        """
        with self._deaths(), self._sending:
            self.link.send_bytes(request)
        if stopped():  # while the request went out, perhaps, and then nobody has told
            self.stop()
        patience = _Patience(limits)
        while True:
            message = patience.wait(lambda: self._hear(TICK_S), stopped=stopped())
            if isinstance(message, Returned | Raised):
                return message
            if isinstance(message, TimeoutMissed):
                how = f"was killed: it did not notice the timeout of {message.pair}"
                raise Died(TimedOut, how, message.pair)
            if isinstance(message, PairProgress | Outcome):
                on_told(message)

    def stop(self) -> None:
        """Tell the process to end, without waiting: while a request goes out, `ask` does it afterwards."""
        if self._sending.acquire(blocking=False):
            try:
                with suppress(OSError):  # it is dead already
                    self.link.send_bytes(STOP)
            finally:
                self._sending.release()

    def end(self, grace_s: float = 0.0) -> None:
        """Wait that long, then kill."""
        if self.process.pid:
            self.process.join(grace_s)
            self.process.kill()
            self.process.join(KILL_TIMEOUT_S)

    @contextmanager
    def _deaths(self) -> Iterator[None]:
        """A link that breaks is a process that has ended."""
        try:
            yield
        except (EOFError, OSError) as error:
            raise Died(WorkerCrashed, self.exit_reason()) from error

    def exit_reason(self) -> str:
        """How the process ended, as the middle of a sentence."""
        self.process.join(KILL_TIMEOUT_S)  # the socket closes a little earlier
        code = self.process.exitcode
        if code is None:
            return "fell silent"
        if code == LOST_DEVICE:
            return "lost its device (the log says how, and the driver's own perhaps why)"
        if code >= 0:
            return f"ended with exit code {code}"
        name = SIGNAL_NAMES.get(-code, f"signal {-code}")
        return f"was killed by {name} ({HINTS[name]})" if name in HINTS else f"was killed by {name}"

    def _hear(self, timeout_s: float) -> Message | None:
        with self._deaths():
            return cast("Message", self.link.recv()) if self.link.poll(timeout_s) else None


@dataclass(slots=True)
class _Patience:
    """Counts the seconds that this process itself spent waiting.

    No clock is compared with an older one: while this process is stopped, or the machine asleep, its workers
    are usually so as well, and nobody was late.
    """

    limits: Limits
    stuck_s: float = 0.0
    silent_s: float = 0.0
    stop_s: float = 0.0

    def wait(self, hear: Callable[[], Message | None], *, stopped: bool) -> Message | None:
        began = time.monotonic()
        message = hear()
        waited_s = min(time.monotonic() - began, TICK_S)
        self.stop_s += waited_s * stopped
        self.silent_s = 0.0 if message is not None else self.silent_s + waited_s
        self.stuck_s = 0.0 if isinstance(message, PairProgress) else self.stuck_s + waited_s
        if not isinstance(message, Returned | Raised):
            self._hold_against_limits()
        return message

    def _hold_against_limits(self) -> None:
        limits = self.limits
        if self.stop_s > limits.stop_s:
            raise Died(WorkerWedged, f"went on for {limits.stop_s:g} s after it was told to stop")
        if self.silent_s > limits.silent_s:
            raise Died(WorkerWedged, f"gave no sign of life for {limits.silent_s:g} s")
        if self.stuck_s > limits.stuck_s:
            raise Died(WorkerWedged, f"made no progress for {limits.stuck_s:g} s")


@contextmanager
def signals_held_back() -> Iterator[None]:
    """Let a process start with what its parent decides about blocked, until it has begun to ignore that."""
    resource_tracker.ensure_running()  # its own start would unblock them
    before = signal.pthread_sigmask(signal.SIG_BLOCK, PARENT_DECIDES)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
