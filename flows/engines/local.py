"""The engine of one machine: a supervised worker for each device, all taking from the same pairs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from queue import SimpleQueue

from flows.engines.base import WorkerSpec
from flows.engines.groups import SharedGroups, in_groups
from flows.engines.process_worker import ProcessWorker
from flows.engines.supervisor import Supervisor
from flows.model.events import PairProgress, Told
from flows.model.pair import Job, Outcome
from flows.model.sheet import SheetJob
from flows.worker.api import Worker
from stylize_core.settings.style import StyleSettings

CLOSE_S = 5.0

MakeWorker = Callable[[str, WorkerSpec, Callable[[Told], None]], Worker]


# Why so many: the protocol of an engine, and what its methods share.
class LocalEngine:
    """See `Engine`.

    Args:
        on_progress: told how far the pairs in flight are; called from several threads.
        note: told of what deserves a line in the log; called from several threads.
        make_worker: makes a worker for a device; a process of its own unless a test knows better.
    """

    def __init__(
        self,
        *,
        on_progress: Callable[[PairProgress], None],
        note: Callable[[str], None],
        make_worker: MakeWorker = ProcessWorker,
    ) -> None:
        self._on_progress, self._note, self._make_worker = on_progress, note, make_worker
        self.workers: list[Worker] = []
        self._told: SimpleQueue[Outcome | BaseException | None] = SimpleQueue()
        self._supervisors: dict[int, Supervisor] = {}
        self._spec = WorkerSpec(())
        self._enough = self._stopped = False

    def start(self, spec: WorkerSpec) -> tuple[str, ...]:
        """Start a worker for each slot, all at once; their devices as records name them."""
        self._spec = spec
        for slot in spec.slots:
            self._add_worker(slot)
        with ThreadPoolExecutor(len(self.workers)) as threads:
            try:
                return tuple(threads.map(_described, self.workers))
            except KeyboardInterrupt:
                self.close()  # so that the threads end, for which the block waits
                raise

    def check_weights(self, settings: StyleSettings) -> str:
        """Load weights on the first worker; the others find them sound."""
        return self.workers[0].check_weights(settings)

    def outcomes(self, jobs: Iterable[Job]) -> Iterator[Outcome]:
        """Each worker takes the next group as soon as it can, so all are busy to the end."""
        groups = SharedGroups(in_groups(jobs, self.workers[0].device, self._spec.batch))
        told = self._told

        def supervise(number: int) -> None:
            supervisor = Supervisor(self.workers[number], self._note, lambda: self._enough)
            self._supervisors[number] = supervisor
            try:
                for outcome in supervisor.outcomes(groups.take):
                    told.put(replace(outcome, worker=number))
            except BaseException as error:  # raised again where somebody can see it
                told.put(error)
            told.put(None)

        numbers = range(len(self.workers))
        threads = [threading.Thread(target=supervise, args=(one,), daemon=True) for one in numbers]
        for thread in threads:
            thread.start()
        yield from _until_all_have_ended(told, len(threads))

    def make_sheet(self, job: SheetJob) -> bool:
        """Draw on the first worker; where nothing was to do there is none yet, and the CPU will do."""
        if not self.workers:
            self._add_worker("cpu")
        return self.workers[0].make_sheet(job)

    def wind_down(self) -> None:
        """Begin no further pair."""
        self._enough = True

    def stop(self) -> None:
        """End soon."""
        self._stopped = True
        for worker in self.workers:
            worker.stop()

    def close(self) -> None:
        """End the workers, all within the time that one may take."""
        self.stop()
        patient_until = time.monotonic() + CLOSE_S
        for worker in self.workers:
            worker.close(grace_s=max(0.0, patient_until - time.monotonic()))

    def _hear(self, number: int, told: Told) -> None:
        """What the worker with that number tells while it is at a call."""
        if isinstance(told, PairProgress):
            self._on_progress(told._replace(worker=number))
        elif (supervisor := self._supervisors.get(number)) and supervisor.has_ended(told):
            self._told.put(replace(told, worker=number))

    def _add_worker(self, slot: str) -> None:
        hears = partial(self._hear, len(self.workers))
        self.workers.append(self._make_worker(slot, self._spec, hears))
        if self._stopped:  # meanwhile, and it was not there to be told
            self.workers[-1].stop()


def _described(worker: Worker) -> str:
    return worker.describe()


def _until_all_have_ended(told: SimpleQueue[Outcome | BaseException | None], count: int) -> Iterator[Outcome]:
    while count:
        one = told.get()
        if isinstance(one, BaseException):
            raise one
        if one is None:
            count -= 1
        else:
            yield one
