"""What a parent asks of its worker processes: functions by names that cost the parent no torch.

A function travels to the child as its name; the imports below happen where it is called.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from flows.logs import log_to_stderr
from flows.model.pair import Job, Outcome
from flows.model.sheet import SheetJob
from flows.storage.access import Access, aws_environment, credentials_worked, use_access
from flows.streams import drain_notices
from flows.worker.devices import pin
from flows.worker.link import LOST_DEVICE
from flows.worker.torch_environment import prepare_for_torch
from stylize_core.settings.style import StyleSettings

if TYPE_CHECKING:
    from flows.worker.main import DeviceWorker

_worker: DeviceWorker | None = None


# Why so many: what a worker does as its parent does.
def start(
    device: str,
    threads: int | None,
    batch: int | None,
    log_level: int,
    access: Access | None = None,
    has_credentials: bool = False,
) -> None:
    """Make this process a worker for `device`, which logs and asks buckets as its parent does.

    Args:
        has_credentials: whether a store has answered to the parent's, which are this process's as well.
    """
    global _worker
    use_access(access or {})
    if has_credentials:
        credentials_worked(aws_environment())
    log_to_stderr(log_level)
    prepare_for_torch()
    here = pin(device)
    from flows.worker.main import DeviceWorker

    _worker = DeviceWorker(device, seen_as=here, threads=threads, batch=batch)


def describe() -> str:
    """See `Worker.describe`."""
    return _ready().describe()


def check_weights(settings: StyleSettings) -> str:
    """See `Worker.check_weights`."""
    return _ready().check_weights(settings)


def run_pairs(jobs: Sequence[Job], ahead: Sequence[Job]) -> tuple[Outcome, ...]:
    """See `Worker.run_pairs`; a process that has lost its device ends at once."""
    from flows.worker.pipeline import DeviceLost

    try:
        return _ready().run_pairs(jobs, ahead)
    except DeviceLost:
        drain_notices()  # which say how
        os._exit(LOST_DEVICE)


def make_sheet(job: SheetJob) -> bool:
    """See `Worker.make_sheet`."""
    return _ready().make_sheet(job)


def _ready() -> DeviceWorker:
    if _worker is None:
        raise RuntimeError("call start() first: this process has no device yet")
    return _worker
