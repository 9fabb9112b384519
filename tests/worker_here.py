"""A worker in the test's own process, as most tests of it want one."""

from __future__ import annotations

from collections.abc import Sequence

from flows.model.pair import Job, Outcome
from flows.worker.main import DeviceWorker

worker: DeviceWorker


def start(device: str, *, batch: int | None = None) -> None:
    """A fresh worker, which has nothing warm."""
    global worker
    worker = DeviceWorker(device, batch=batch)


def run_pairs(jobs: Sequence[Job], ahead: Sequence[Job] = ()) -> tuple[Outcome, ...]:
    """See `Worker.run_pairs`."""
    return worker.run_pairs(jobs, ahead)


def run_pair(job: Job) -> Outcome:
    """Make one picture and its record, and nothing else meanwhile."""
    (outcome,) = run_pairs([job])
    return outcome
