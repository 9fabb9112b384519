"""The pairs of one device, one after another without waiting, in a worker process. Knows nothing of Prefect.

While the device computes some pairs, one thread reads and decodes those ahead and another one encodes and
writes those behind. One call's pairs are ahead and one call's are behind at most, which bounds the memory. A
pair has ended only when its record is written, so its outcome may come with the next call.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace

import torch

from flows.model.pair import Job, Outcome
from flows.storage.retry import retries_so_far
from flows.worker.batch import compute
from flows.worker.batch_sizer import Pace
from flows.worker.device_cache import Studio
from flows.worker.link import LOST_DEVICE
from flows.worker.pair_task import Work
from stylize_core.device import describe_device
from stylize_core.dream import check_channels
from stylize_core.settings.style import StyleSettings


class _Line:
    """One device and the two threads beside it."""

    def __init__(self, device: str, batch: int | None) -> None:
        self.studio = Studio(device)
        self._pace = Pace(1 if batch is None and self.studio.device.type == "cpu" else batch)
        self._reader = ThreadPoolExecutor(1, "reader")
        self._writer = ThreadPoolExecutor(1, "writer")
        self._ahead: dict[str, Future[Work]] = {}
        self._behind: list[Future[Outcome]] = []
        self._retries = retries_so_far()

    def run(self, jobs: Sequence[Job], ahead: Sequence[Job]) -> tuple[Outcome, ...]:
        """See `run_pairs`."""
        begun = [self._ahead.get(job.pair.name) or self._begun(job) for job in jobs]
        self._ahead = {job.pair.name: self._begun(job) for job in ahead}
        works = [future.result() for future in begun]
        compute(works, self.studio, self._pace)
        ended = self._settled()
        if any(isinstance(work.error, torch.AcceleratorError) for work in works):
            os._exit(LOST_DEVICE)  # the driver refuses this process everything from now on, but not the next
        self._behind = [self._writer.submit(work.finish) for work in works]
        return ended if ahead else ended + self._settled()

    def _begun(self, job: Job) -> Future[Work]:
        work = Work(job, self.studio)

        def prepared() -> Work:
            work.prepare()
            return work

        return self._reader.submit(prepared)

    def _settled(self) -> tuple[Outcome, ...]:
        """Wait for what is behind; how it ended."""
        behind, self._behind = self._behind, []
        return tuple(self._with_retries(future.result()) for future in behind)

    def _with_retries(self, outcome: Outcome) -> Outcome:
        """The outcome with all requests that were repeated since the last one, for whichever pair."""
        before, self._retries = self._retries, retries_so_far()
        return replace(outcome, retries=self._retries - before)


_line: _Line | None = None


def start(device: str, threads: int | None = None, batch: int | None = None) -> None:
    """Make this process a worker for `device`, with that many CPU threads if given.

    Args:
        batch: how many pairs to compute together where they are alike; None for one on a CPU, which keeps the
            bytes, and elsewhere for what turns out to be fastest and to fit.

    Raises:
        DeviceUnavailable: there is no such device.
    """
    global _line
    if threads:
        torch.set_num_threads(threads)
    _line = _Line(device, batch)


def describe() -> str:
    """This worker's device, as records name it."""
    return describe_device(_ready().studio.device)


def check_weights(settings: StyleSettings) -> str:
    """Load the weights that the settings ask for, before any pair depends on them; their sha256.

    Raises:
        BadWeights: they are not what was promised, or end before a layer that is used.
        SettingsError: a dream is about a channel that they do not have.
        StorageError: they could not be read.
    """
    studio = _ready().studio
    encoder = studio.encoder(settings)
    if settings.mode == "dream":
        check_channels(encoder, settings)
    return studio.weights(settings).sha256


def run_pairs(jobs: Sequence[Job], ahead: Sequence[Job] = ()) -> tuple[Outcome, ...]:
    """Make the pictures and records of `jobs`, and begin to read what the next call will bring.

    A failure becomes a record and an outcome, never an exception. A pair that another worker finished
    meanwhile is skipped.

    Args:
        jobs: computed together where they may be.
        ahead: the jobs of the next call; empty if nothing follows, and then nothing stays behind either.

    Returns:
        How pairs of this call and of the one before it ended: of all whose records are written by now.
    """
    return _ready().run(jobs, ahead)


def run_pair(job: Job) -> Outcome:
    """Make one picture and its record, and nothing else meanwhile."""
    (outcome,) = run_pairs([job])
    return outcome


def _ready() -> _Line:
    if _line is None:
        raise RuntimeError("call start() first: this process has no device yet")
    return _line
