"""What a parent asks of its worker processes: the worker's functions by names that cost the parent no torch.

A function travels to the child as its name; the import below happens where it is called.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from flows.logs import log_to_stderr
from flows.pairs import Job, Outcome
from flows.sheets import SheetJob
from stylize_core.settings import StyleSettings


def start(device: str, threads: int | None, log_level: int) -> None:
    """See `flows.worker.start`; the worker logs as its parent does."""
    log_to_stderr(log_level)
    # OpenMP's threads wait for one another by spinning, which on a busy machine, or in a container with fewer
    # processors than it sees, makes torch tens of times slower. It reads this when torch is first imported.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    from flows import worker

    worker.start(device, threads)


def describe() -> str:
    """See `flows.worker.describe`."""
    from flows import worker

    return worker.describe()


def check_weights(settings: StyleSettings) -> str:
    """See `flows.worker.check_weights`."""
    from flows import worker

    return worker.check_weights(settings)


def run_pairs(jobs: Sequence[Job], ahead: Sequence[Job]) -> tuple[Outcome, ...]:
    """See `flows.worker.run_pairs`."""
    from flows import worker

    return worker.run_pairs(jobs, ahead)


def make_sheet(job: SheetJob) -> bool:
    """See `flows.worker_sheets.make_sheet`; needs no `start`."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    from flows import worker_sheets

    return worker_sheets.make_sheet(job)
