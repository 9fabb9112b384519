"""A worker in this process: one device, and all that is kept warm for it. Knows nothing of Prefect."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from flows.errors import WorkerStopped
from flows.model.pair import Job, Outcome
from flows.model.sheet import SheetJob
from flows.worker import link
from flows.worker.device import Device
from flows.worker.device_cache import DeviceCache
from flows.worker.pipeline import Pipeline
from flows.worker.sheets import make_sheet
from stylize_core.dream.objective import check_channels
from stylize_core.settings.style import StyleSettings


class DeviceWorker:
    """See `Worker`.

    Args:
        device: `auto`, `cpu`, `cuda:<n>` or `mps`.
        seen_as: torch's name for it in this process, if that is another one; see `pin`.
        threads: CPU threads to compute with; None for PyTorch's own choice.
        batch: see `Pipeline`.

    Raises:
        DeviceUnavailable: there is no such device.
    """

    def __init__(
        self, device: str, *, seen_as: str = "", threads: int | None = None, batch: int | None = None
    ) -> None:
        if threads:
            torch.set_num_threads(threads)
        self.device, self._stopped = device, False
        link.stop_here(stopped=False)
        self._here = Device(device, seen_as=seen_as)
        self._cache = DeviceCache(self._here)
        self._pipeline = Pipeline(self._cache, batch)

    def describe(self) -> str:
        """The device as records name it."""
        return self._here.describe()

    def check_weights(self, settings: StyleSettings) -> str:
        """Load the weights that the settings ask for; their sha256. See `Worker.check_weights`."""
        encoder = self._cache.encoder(settings)
        if settings.mode == "dream":
            check_channels(encoder, settings)
        return self._cache.weights(settings).sha256

    def run_pairs(self, jobs: Sequence[Job], ahead: Sequence[Job] = ()) -> tuple[Outcome, ...]:
        """Make pictures and records. See `Worker.run_pairs`."""
        if self._stopped:
            raise WorkerStopped(f"the worker on {self.device} was stopped before its work was done")
        return self._pipeline.run(jobs, ahead)

    def make_sheet(self, job: SheetJob) -> bool:
        """Draw a contact sheet. See `Worker.make_sheet`."""
        return make_sheet(job)

    def stop(self) -> None:
        """Give up the pairs in flight at their next step."""
        self._stopped = True
        link.stop_here(stopped=True)

    def close(self, grace_s: float = 5.0) -> None:
        """Stop, and end the threads beside the device once they have written what they are writing."""
        self.stop()
        self._pipeline.close()
