"""What a parent asks of its worker processes: the worker's functions by names that cost the parent no torch.

A function travels to the child as its name; the import below happens where it is called.
"""

from __future__ import annotations

from collections.abc import Sequence

from flows.environment import prepare_for_torch
from flows.logs import log_to_stderr
from flows.pairs import Job, Outcome
from flows.sheets import SheetJob
from stylize_core.settings import StyleSettings


def start(device: str, threads: int | None, batch: int | None, log_level: int) -> None:
    """See `flows.worker.start`; the worker logs as its parent does."""
    log_to_stderr(log_level)
    prepare_for_torch()
    from flows import worker

    worker.start(device, threads, batch)


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
    prepare_for_torch()
    from flows import worker_sheets

    return worker_sheets.make_sheet(job)
