"""Worker processes that are used, crashed, killed, interrupted and abandoned."""

from __future__ import annotations

import errno
import os
import re
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
from processes import eventually, family, needs_proc

from flows.engines import process_handle
from flows.engines.process import WorkerProcess
from flows.engines.process_child import Beat
from flows.engines.process_handle import TICK_S, Died, Limits, Message, _Patience
from flows.engines.working_folder import leave_empty_folder
from flows.errors import BatchError, TimedOut, WorkerCrashed, WorkerStopped, WorkerWedged
from flows.model.events import PairProgress, Told
from flows.storage.process_id import is_alive
from flows.worker.link import Stopwatch, report, should_stop, timed

pytestmark = pytest.mark.cold

# ---- what the children do

_prepared: list[str] = []


def prepare(word: str) -> None:
    _prepared.append(word)


def prepared_with() -> list[str]:
    return _prepared


def add(left: int, right: int) -> int:
    return left + right


def make(count: int) -> bytes:
    return bytes(count)


def refuse(word: str) -> None:
    raise ValueError(word)


class TwoFacts(Exception):
    """Cannot be rebuilt from its text, as pickle would try."""

    def __init__(self, first: str, second: str) -> None:
        super().__init__(f"{first} and {second}")


def refuse_with_two_facts() -> None:
    raise TwoFacts("one", "two")


def make_something_that_cannot_travel() -> object:
    return threading.Lock()


def kill_myself(number: int) -> None:
    os.kill(os.getpid(), number)


def leave(code: int) -> None:
    os._exit(code)


def optimise(pair: str, steps: int) -> str:
    for step in range(steps):
        report(PairProgress(pair, step, 1.0 / (step + 1)))
        if should_stop():
            return f"stopped at {step}"
        time.sleep(0.01)
    return "done"


def stand_still() -> None:
    os.kill(os.getpid(), signal.SIGSTOP)


def compute_without_letting_other_threads_run() -> None:
    re.match("(a+)+b", "a" * 64)  # one call into native code, which keeps the interpreter's lock for ages


def overstay(pair: str, timeout_s: float) -> None:
    with timed(pair, timeout_s):
        time.sleep(1000)


def take_time(pair: str, timeout_s: float) -> float:
    with timed(pair, timeout_s) as watch:
        begun_s = watch.spent_s
        while watch.spent_s == begun_s:  # until a beat of the watching thread has counted
            time.sleep(0.01)
        return begun_s


def work_for(seconds: float) -> float:
    """So long, without a word of its own."""
    time.sleep(seconds)
    return seconds


def work_without_listening() -> None:
    report(PairProgress("deaf", 0, 0.0))
    while True:
        time.sleep(1)


# ---- serving


def test_one_process_serves_call_after_call() -> None:
    with WorkerProcess("cpu") as child:
        assert child.call(add, 1, 2) == 3
        first = child.call(os.getpid)
        assert child.call(os.getpid) == first == child.pid != os.getpid()


def test_the_initializer_runs_once_and_before_everything_else() -> None:
    with WorkerProcess("cpu", initializer=prepare, initargs=("weights",)) as child:
        assert child.call(prepared_with) == ["weights"]
        assert child.call(prepared_with) == ["weights"]


def test_an_initializer_that_fails_is_the_callers_error_every_time() -> None:
    with WorkerProcess("cpu", initializer=refuse, initargs=("no such device",)) as child:
        for _ in range(2):
            with pytest.raises(ValueError, match="no such device"):
                child.call(add, 1, 2)


def test_large_arguments_and_results_pass() -> None:
    with WorkerProcess("cpu") as child:
        assert child.call(len, bytes(5_000_000)) == 5_000_000
        assert child.call(make, 5_000_000) == bytes(5_000_000)


def test_an_exception_arrives_with_its_type_and_the_childs_traceback() -> None:
    with WorkerProcess("cpu") as child:
        with pytest.raises(ValueError, match="not this picture") as caught:
            child.call(refuse, "not this picture")
        assert "in refuse" in caught.value.__notes__[0]
        assert child.call(add, 1, 2) == 3


@pytest.mark.parametrize(
    ("function", "words"),
    [(refuse_with_two_facts, "TwoFacts: one and two"), (make_something_that_cannot_travel, "cannot pickle")],
)
def test_what_cannot_travel_arrives_as_an_error_with_its_text(
    function: Callable[[], object], words: str
) -> None:
    with WorkerProcess("cpu") as child:
        with pytest.raises(Exception, match=words):
            child.call(function)
        assert child.call(add, 1, 2) == 3


def test_progress_arrives_in_order_before_the_call_returns() -> None:
    seen: list[Told] = []
    with WorkerProcess("cpu", on_told=seen.append) as child:
        assert child.call(optimise, "a", 20) == "done"
        assert seen == [PairProgress("a", step, 1.0 / (step + 1)) for step in range(20)]


def test_a_stop_while_a_request_goes_out_does_not_garble_it() -> None:
    """Such as that of many pairs, which needs more than one write."""
    with WorkerProcess("cpu") as child:
        child.call(len, b"warm")

        def strike() -> None:
            while not child._busy:
                pass
            time.sleep(0.01)
            child.stop()

        with ThreadPoolExecutor(1) as threads, suppress(WorkerStopped):  # where it came before the request
            threads.submit(strike)
            assert child.call(len, bytes(100_000_000)) == 100_000_000
        with pytest.raises(WorkerStopped):
            child.call(len, b"once more")


def test_outside_a_worker_process_nobody_listens_and_nobody_stops_us() -> None:
    assert optimise("here", 2) == "done"


# ---- crashing


@pytest.mark.parametrize(
    ("function", "argument", "words"),
    [
        (
            kill_myself,
            signal.SIGKILL,
            r"cuda:7 was killed by SIGKILL \(often the machine ran out of memory\)",
        ),
        (kill_myself, signal.SIGSEGV, r"was killed by SIGSEGV \(a fault in native code"),
        (kill_myself, signal.SIGRTMIN + 3, r"was killed by signal \d+ while"),
        (leave, 3, "ended with exit code 3 while it ran leave"),
    ],
)
def test_a_crash_names_its_cause_and_the_next_call_finds_a_fresh_child(
    function: Callable[[int], None], argument: int, words: str
) -> None:
    with WorkerProcess("cuda:7", initializer=prepare, initargs=("again",)) as child:
        before = child.call(os.getpid)
        with pytest.raises(WorkerCrashed, match=words):
            child.call(function, argument)
        assert child.call(prepared_with) == ["again"]
        assert child.pid != before


def test_a_child_killed_in_mid_progress_costs_one_call_and_no_other_child() -> None:
    moving, other_moving = threading.Event(), threading.Event()
    with (
        ThreadPoolExecutor() as threads,
        WorkerProcess("cuda:0", on_told=lambda _: moving.set()) as doomed,
        WorkerProcess("cuda:1", on_told=lambda _: other_moving.set()) as other,
    ):
        lost, kept = (
            threads.submit(doomed.call, optimise, "a", 10**6),
            threads.submit(other.call, optimise, "b", 100),
        )
        assert moving.wait(30)
        assert other_moving.wait(30)
        assert doomed.pid
        os.kill(doomed.pid, signal.SIGKILL)
        with pytest.raises(WorkerCrashed, match="cuda:0 was killed by SIGKILL"):
            lost.result(30)
        assert doomed.call(add, 1, 2) == 3
        assert kept.result(30) == "done"


def test_a_child_that_died_while_idle_is_replaced_in_silence() -> None:
    with WorkerProcess("cpu") as child:
        os.kill(child.call(os.getpid), signal.SIGKILL)
        assert eventually(lambda: child.pid is None)
        assert child.call(add, 1, 2) == 3


def test_a_child_that_does_not_heed_the_timeout_of_a_pair_is_killed() -> None:
    with WorkerProcess("cuda:7") as child:
        with pytest.raises(TimedOut, match="cuda:7 was killed: it did not notice the timeout of a") as late:
            child.call(overstay, "a", 1.0)
        assert late.value.pair == "a"
        assert child.call(add, 1, 2) == 3


def test_the_time_of_a_pair_is_counted_from_its_own_beginning_to_its_end() -> None:
    with WorkerProcess("cpu") as child:
        assert [child.call(take_time, "a", 1000.0) for _ in range(2)] == [0.0, 0.0]


def test_after_a_wait_that_was_broken_off_the_next_call_gets_its_own_answer() -> None:
    def interrupt(_: Told) -> None:
        raise KeyboardInterrupt

    with WorkerProcess("cpu", on_told=interrupt) as child:
        with pytest.raises(KeyboardInterrupt):
            child.call(optimise, "a", 3)
        assert child.call(add, 1, 2) == 3


# ---- hanging


@pytest.mark.parametrize("work", [stand_still, compute_without_letting_other_threads_run])
def test_a_child_that_gives_no_sign_of_life_is_killed_and_replaced(work: Callable[[], None]) -> None:
    with WorkerProcess("cuda:7", silence_s=3) as child:
        before = child.call(os.getpid)
        with pytest.raises(
            WorkerWedged, match=f"cuda:7 gave no sign of life for 3 s while it ran {work.__name__}"
        ):
            child.call(work)
        assert child.call(os.getpid) != before
        assert not is_alive(before)


def test_a_child_that_lives_but_gets_nowhere_is_killed_and_replaced() -> None:
    with WorkerProcess("cpu", silence_s=30) as child:
        with pytest.raises(WorkerWedged, match=r"made no progress for 2\.5 s while it ran work_without_list"):
            child.call(work_without_listening, stuck_s=2.5)
        assert child.call(add, 1, 2) == 3


def test_a_child_that_is_long_at_work_between_two_reports_is_left_alone() -> None:
    with WorkerProcess("cpu", silence_s=5) as child:
        assert child.call(work_for, 8.0) == 8.0


class Clock:
    """Goes on by what a test says, and by nothing else."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_s = 0.0
        monkeypatch.setattr("flows.engines.process_handle.time", self)

    def monotonic(self) -> float:
        return self.now_s

    def hearing(self, message: Message | None, after_s: float) -> Callable[[], Message | None]:
        """What a worker says, and when."""

        def hear() -> Message | None:
            self.now_s += after_s
            return message

        return hear


def test_work_that_makes_progress_may_take_longer_than_the_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, patience = Clock(monkeypatch), _Patience(Limits(stuck_s=3, silent_s=3, stop_s=3))
    step = PairProgress("a", 1, 1.0)
    for _ in range(100):
        patience.wait(clock.hearing(None, TICK_S), stopped=False)
        assert patience.wait(clock.hearing(step, TICK_S), stopped=False) == step
    patience.silent_s = 3.0
    with pytest.raises(Died, match="gave no sign of life for 3 s"):
        patience.wait(clock.hearing(None, TICK_S), stopped=False)


def test_beats_alone_are_signs_of_life_and_no_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, patience = Clock(monkeypatch), _Patience(Limits(stuck_s=99 * TICK_S, silent_s=3, stop_s=3))
    for _ in range(99):
        patience.wait(clock.hearing(Beat(), TICK_S), stopped=False)
    assert patience.silent_s == 0
    with pytest.raises(Died, match="made no progress for"):
        patience.wait(clock.hearing(Beat(), TICK_S), stopped=False)


def test_time_in_which_nobody_ran_is_no_ones_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    """While the family is stopped, or the machine asleep, clocks go on; a wait is worth a tick."""
    clock, patience = Clock(monkeypatch), _Patience(Limits(stuck_s=3, silent_s=3, stop_s=3))
    watch = Stopwatch("a", timeout_s=60)
    for _ in range(2):
        patience.wait(clock.hearing(None, 3600), stopped=False)
        watch.beat(3600)
    assert patience.silent_s == patience.stuck_s == 2 * TICK_S
    assert not watch.overdue


def test_a_child_that_does_not_heed_a_stop_is_killed_after_its_grace() -> None:
    moving = threading.Event()
    with (
        ThreadPoolExecutor() as threads,
        WorkerProcess("cpu", stop_s=0.5, on_told=lambda _: moving.set()) as child,
    ):
        outcome = threads.submit(child.call, work_without_listening)
        assert moving.wait(30)
        child.stop()
        with pytest.raises(WorkerStopped):
            outcome.result(30)
        assert child.pid is None


# ---- stopping


def test_stop_reaches_a_call_between_two_steps() -> None:
    moving = threading.Event()
    with ThreadPoolExecutor() as threads, WorkerProcess("cpu", on_told=lambda _: moving.set()) as child:
        outcome = threads.submit(child.call, optimise, "a", 10**6)
        assert moving.wait(30)
        child.stop()
        assert outcome.result(30).startswith("stopped at")


def test_closing_kills_a_child_that_does_not_listen_and_blames_nobody() -> None:
    moving = threading.Event()
    with ThreadPoolExecutor() as threads, WorkerProcess("cpu", on_told=lambda _: moving.set()) as child:
        outcome = threads.submit(child.call, work_without_listening)
        assert moving.wait(30)
        child.close(grace_s=0.1)
        with pytest.raises(WorkerStopped, match="cpu was stopped"):
            outcome.result(30)
        assert child.pid is None


def test_no_call_starts_after_the_end() -> None:
    child = WorkerProcess("cpu")
    child.close()
    with pytest.raises(WorkerStopped):
        child.call(add, 1, 2)
    assert child.pid is None


WORKING = """
import time
from flows.engines.process import WorkerProcess
from flows.model.events import PairProgress
from flows.worker.link import report, should_stop

def work():
    report(PairProgress("a", 0, 0.0))
    while not should_stop():
        time.sleep(0.01)

def work_without_listening():
    report(PairProgress("a", 0, 0.0))
    time.sleep(1000)

def work_quietly():
    report(PairProgress("a", 0, 0.0))
    time.sleep(1)
    return "done"
"""
# A child imports functions by name, so they must come from a module that it can find.
START = """
import runpy, sys
sys.path.insert(0, {folder!r})
import working
from flows.engines.process import WorkerProcess
child = WorkerProcess("cpu", silence_s=6, on_told=lambda _: print("working", flush=True))
try:
    print("ended:", child.call(working.{function}), flush=True)
finally:
    child.close(grace_s=1.0)
"""


@pytest.mark.usefixtures("hearing_hangups")
def test_what_ends_whole_process_groups_is_for_the_parent_to_decide() -> None:
    with WorkerProcess("cpu") as child:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            child.call(kill_myself, number)
        assert child.call(add, 2, 3) == 5


@pytest.fixture
def program(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    folder = tmp_path_factory.mktemp("program")
    (folder / "working.py").write_text(WORKING)
    return lambda function: START.format(folder=str(folder), function=function)


@needs_proc
@pytest.mark.parametrize("function", ["work", "work_without_listening"])
def test_ctrl_c_ends_parent_and_child(program: Callable[[str], str], function: str) -> None:
    with family(program(function)) as ours:
        ours.wait_for("working")
        ours.signal(signal.SIGINT)
        assert ours.errors().strip().endswith("KeyboardInterrupt")
        assert ours.end() == -signal.SIGINT
        assert eventually(lambda: not ours.members())


@needs_proc
@pytest.mark.parametrize("function", ["work", "work_without_listening"])
def test_a_killed_parent_takes_the_child_along(program: Callable[[str], str], function: str) -> None:
    with family(program(function)) as ours:
        ours.wait_for("working")
        assert len(ours.members("spawn_main")) == 1
        os.kill(ours.program.pid, signal.SIGKILL)
        assert eventually(lambda: not ours.members())


def is_stopped(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


@needs_proc
def test_time_in_which_the_whole_family_is_stopped_is_held_against_nobody(
    program: Callable[[str], str],
) -> None:
    """The clock's part is `test_time_in_which_nobody_ran_is_no_ones_silence`."""
    with family(program("work_quietly")) as ours:
        ours.wait_for("working")
        ours.signal(signal.SIGSTOP)
        assert eventually(lambda: all(is_stopped(pid) for pid in ours.members()))
        os.kill(ours.program.pid, signal.SIGCONT)  # the parent goes on first and must not be in a hurry
        assert eventually(lambda: not is_stopped(ours.program.pid))
        ours.signal(signal.SIGCONT)
        assert ours.wait_for("ended:") == "done"
        assert ours.end() == 0


@needs_proc
def test_a_program_that_forgets_to_close_ends_all_the_same() -> None:
    script = 'from flows.engines.process import WorkerProcess as W; print("got", W("cpu").call(abs, -1))'
    with family(script) as ours:
        assert ours.wait_for("got") == "1"
        assert ours.end() == 0
        assert eventually(lambda: not ours.members())


# ---- working folders


def work_in(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.mkdir()
    monkeypatch.chdir(folder)


def test_an_empty_working_folder_is_left_and_another_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work_in(tmp_path / "own", monkeypatch)
    Path("credentials").touch()
    leave_empty_folder()
    assert Path.cwd() == tmp_path / "own"
    Path("credentials").unlink()
    leave_empty_folder()
    assert Path.cwd() == Path("/")


def test_a_worker_that_dies_after_the_working_folder_is_gone_is_followed_by_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work_in(tmp_path / "own", monkeypatch)
    with WorkerProcess("cpu") as worker:
        first = worker.call(os.getpid)
        (tmp_path / "own").rmdir()
        os.kill(first, signal.SIGKILL)
        with suppress(WorkerCrashed):
            worker.call(os.getpid)
        assert worker.call(os.getpid) != first


# ---- between calls, and before the first


def killed_between_calls(worker: WorkerProcess) -> None:
    os.kill(worker.call(os.getpid), signal.SIGKILL)
    assert eventually(lambda: worker.pid is None)


def test_a_death_between_two_calls_is_told_to_who_waits_for_what_the_first_one_began() -> None:
    with WorkerProcess("cpu") as worker:
        killed_between_calls(worker)
        with pytest.raises(WorkerCrashed, match=r"cpu was killed by SIGKILL .* between two calls"):
            worker.call(add, 1, 2, going_on=True)
        assert worker.call(add, 1, 2, going_on=True) == 3, "then a fresh one is at work"
        killed_between_calls(worker)
        assert worker.call(add, 1, 2) == 3, "others have nothing there to lose"


@pytest.mark.parametrize("where", ["Pipe", "Process"])
def test_a_process_that_the_system_refuses_is_an_error_of_ours_and_leaves_the_next_call_free(
    monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    def refused(*_: object, **__: object) -> object:
        raise OSError(errno.EAGAIN, "Resource temporarily unavailable")

    with WorkerProcess("cpu") as worker:
        with monkeypatch.context() as patch:
            patch.setattr(process_handle.SPAWN, where, refused)
            with pytest.raises(BatchError, match="no worker process can be started on cpu: Resource temp"):
                worker.call(add, 1, 2)
        assert worker.call(add, 1, 2) == 3
