"""Ways to do the same work, each in a process of its own, taking turns.

So each has the memory and the environment that it would have alone: ours what the workers set, plain PyTorch
what the user's shell gives it. `python -m benchmarks.turns` is such a process; with `once`, it does one
thing alone and answers with what came of it.
"""

from __future__ import annotations

import pickle
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import chain
from typing import IO, Any

from benchmarks import AS_GIVEN, UNPREPARED

Work = Callable[[], object]


@dataclass(frozen=True, slots=True)
class Way:
    """How to do the work.

    Attributes:
        make: what makes the work, in its process; picklable.
        prepared: whether its process has the workers' environment.
        environment: variables that it has beside those.
        copies: how many such processes do the work at the same time.
    """

    make: Callable[[], Work]
    prepared: bool = True
    environment: Mapping[str, str] = field(default_factory=dict)
    copies: int = 1


@dataclass(slots=True)
class Turns:
    """What a way has cost so far: seconds per round, and the most memory in use by a process, bytes."""

    seconds: list[float] = field(default_factory=list)
    peak_bytes: int = 0

    @property
    def median(self) -> float:
        """Seconds."""
        return statistics.median(self.seconds)

    @property
    def spread(self) -> str:
        """The shortest and the longest turn, in seconds."""
        return f"{min(self.seconds):.3f}-{max(self.seconds):.3f}"


def take_turns(ways: Mapping[str, Way], *, rounds: int, threads: int) -> dict[str, Turns]:
    """What each way costs; they alternate, one warm-up first, so that drift hits all alike."""
    found = {name: Turns() for name in ways}
    with ExitStack() as stack:
        started = {
            name: [stack.enter_context(_started(way, threads)) for _ in range(way.copies)]
            for name, way in ways.items()
        }
        for number in range(rounds + 1):
            for name, processes in started.items():
                seconds, found[name].peak_bytes = _turn(processes)
                if number:
                    found[name].seconds.append(seconds)
        for process in chain.from_iterable(started.values()):
            process.communicate()
    return found


def once(way: Way, *, threads: int) -> Any:
    """What comes of doing the work a single time; it can be pickled, as the way can."""
    with _started(way, threads, "once") as process:
        told, _ = process.communicate()
    if process.returncode:
        raise RuntimeError("a way ended before its end; what it said stands above")
    return pickle.loads(told)


def _started(way: Way, threads: int, *words: str) -> subprocess.Popen[bytes]:
    environment = {**AS_GIVEN, **way.environment, "PYTHONUNBUFFERED": "1"}
    if not way.prepared:
        environment[UNPREPARED] = "1"
    command = [sys.executable, "-m", "benchmarks.turns", *words]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)
    pickle.dump((way.make, threads), _pipe(process.stdin))
    _pipe(process.stdin).flush()
    return process


def _turn(processes: Sequence[subprocess.Popen[bytes]]) -> tuple[float, int]:
    """Seconds and bytes of the slowest and of the largest of processes that work at the same time."""
    for process in processes:
        _pipe(process.stdin).write(b"\n")
        _pipe(process.stdin).flush()
    answers = [_pipe(process.stdout).readline().split() for process in processes]
    if not all(answers):
        raise RuntimeError("a way ended before its turn; what it said stands above")
    return max(float(seconds) for seconds, _ in answers), max(int(peak) for _, peak in answers)


def _pipe(end: IO[bytes] | None) -> IO[bytes]:
    assert end is not None
    return end


def _serve() -> None:
    import torch

    make, threads = pickle.load(sys.stdin.buffer)
    torch.set_num_threads(threads)
    work = make()
    if sys.argv[1:] == ["once"]:
        pickle.dump(work(), sys.stdout.buffer)
        return
    for _ in sys.stdin.buffer:
        began = time.perf_counter()
        work()
        seconds = time.perf_counter() - began
        print(seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)


if __name__ == "__main__":
    _serve()
