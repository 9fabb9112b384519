"""A worker in a process of its own, pinned to one device."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from flows.engines.base import WorkerSpec
from flows.engines.process import WorkerProcess
from flows.model.events import Told
from flows.model.pair import Job, Outcome
from flows.model.sheet import SheetJob
from flows.storage.access import current_access, had_credentials
from flows.worker import calls
from flows.worker.timeouts import stuck_after_s
from stylize_core.settings.style import StyleSettings

log = logging.getLogger("stylize.run")


class ProcessWorker:
    """See `Worker`. The process starts with the first call, and anew with the first one after its death."""

    def __init__(self, device: str, spec: WorkerSpec, on_told: Callable[[Told], None]) -> None:
        self.device = device
        self.process = WorkerProcess(
            device,
            initializer=calls.start,
            initargs=(
                device,
                spec.threads,
                spec.batch,
                log.getEffectiveLevel(),
                current_access(),
                had_credentials(),
            ),
            on_told=on_told,
        )

    def describe(self) -> str:
        """Start the process; its device as records name it."""
        return self.process.call(calls.describe)

    def check_weights(self, settings: StyleSettings) -> str:
        """See `Worker.check_weights`."""
        return self.process.call(calls.check_weights, settings)

    def run_pairs(self, jobs: Sequence[Job], ahead: Sequence[Job]) -> tuple[Outcome, ...]:
        """See `Worker.run_pairs`; a process that gets nowhere for much too long is killed."""
        stuck_s = stuck_after_s((job.pair for job in jobs), self.device)
        return self.process.call(calls.run_pairs, jobs, ahead, stuck_s=stuck_s, going_on=True)

    def make_sheet(self, job: SheetJob) -> bool:
        """See `Worker.make_sheet`."""
        return self.process.call(calls.make_sheet, job)

    def stop(self) -> None:
        """Ask the process to end soon; no new call starts."""
        self.process.stop()

    def close(self, grace_s: float = 5.0) -> None:
        """End the process, by force where it takes longer than `grace_s` seconds."""
        self.process.close(grace_s)
