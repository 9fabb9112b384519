"""What a parent asks of its worker processes: the worker's functions by names that cost the parent no torch.

A function travels to the child as its name; the import below happens where it is called.
"""

from __future__ import annotations

from collections.abc import Sequence

from flows.logs import log_to_stderr
from flows.model.pair import Job, Outcome
from flows.model.sheet import SheetJob
from flows.worker.torch_environment import prepare_for_torch
from stylize_core.settings.style import StyleSettings


def start(device: str, threads: int | None, batch: int | None, log_level: int) -> None:
    """See `flows.worker.main.start`; the worker logs as its parent does."""
    log_to_stderr(log_level)
    prepare_for_torch()
    from flows.worker import main as worker

    worker.start(device, threads, batch)


def describe() -> str:
    """See `flows.worker.main.describe`."""
    from flows.worker import main as worker

    return worker.describe()


def check_weights(settings: StyleSettings) -> str:
    """See `flows.worker.main.check_weights`."""
    from flows.worker import main as worker

    return worker.check_weights(settings)


def run_pairs(jobs: Sequence[Job], ahead: Sequence[Job]) -> tuple[Outcome, ...]:
    """See `flows.worker.main.run_pairs`."""
    from flows.worker import main as worker

    return worker.run_pairs(jobs, ahead)


def make_sheet(job: SheetJob) -> bool:
    """See `flows.worker.sheets.make_sheet`; needs no `start`."""
    prepare_for_torch()
    from flows.worker import sheets as worker_sheets

    return worker_sheets.make_sheet(job)
