"""The pairs of one device, one after another without waiting.

While the device computes some pairs, one thread reads and decodes those ahead and another one encodes and
writes those behind. One call's pairs are ahead and one call's are behind at most, which bounds the memory. A
pair has ended only when its record is written, so its outcome may come with the next call.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace

import torch

from flows.errors import WorkerCrashed
from flows.model.pair import Job, Outcome
from flows.storage.retry import retries_so_far
from flows.worker import link
from flows.worker.device_cache import DeviceCache
from flows.worker.fitting.batch_sizer import BatchSizer
from flows.worker.optimize import optimize
from flows.worker.prepare import prepare
from flows.worker.publish import publish
from flows.worker.stages import Broken, DoneBefore, Failed, Optimized, Prepared


class DeviceLost(WorkerCrashed):
    """The driver refuses this process everything from now on, but not the next one."""


class Pipeline:
    """A device and the two threads beside it.

    Args:
        batch: how many pairs to compute together where they are alike; None for one on a CPU, which keeps the
            bytes, and elsewhere for what turns out to be fastest and to fit.
    """

    def __init__(self, cache: DeviceCache, batch: int | None) -> None:
        self._cache = cache
        self._sizer = BatchSizer(1 if batch is None and cache.device.kind == "cpu" else batch)
        self._reader = ThreadPoolExecutor(1, "reader")
        self._writer = ThreadPoolExecutor(1, "writer")
        self._ahead: dict[str, Future[Prepared | DoneBefore | Broken]] = {}
        self._behind: list[Future[Outcome]] = []
        self._retries = retries_so_far()

    def run(self, jobs: Sequence[Job], ahead: Sequence[Job]) -> tuple[Outcome, ...]:
        """See `Worker.run_pairs`.

        Raises:
            DeviceLost: the pairs of this call are still to be made, by another process.
        """
        begun = [self._ahead.get(job.pair.name) or self._begin(job) for job in jobs]
        self._ahead = {job.pair.name: self._begin(job) for job in ahead}
        read = [future.result() for future in begun]
        steps: list[Optimized | DoneBefore | Broken] = [one for one in read if not isinstance(one, Prepared)]
        steps += optimize([one for one in read if isinstance(one, Prepared)], self._cache, self._sizer)
        order = {job.pair.name: at for at, job in enumerate(jobs)}
        steps.sort(key=lambda step: order[step.task.job.pair.name])
        ended = self._settled()
        if any(isinstance(one, Failed) and isinstance(one.error, torch.AcceleratorError) for one in steps):
            raise DeviceLost("the worker lost its device")
        self._behind = [self._writer.submit(self._publish, step) for step in steps]
        return ended if ahead else ended + self._settled()

    def close(self) -> None:
        """End the threads; what is behind is still written."""
        self._reader.shutdown(cancel_futures=True)
        self._writer.shutdown()

    def _begin(self, job: Job) -> Future[Prepared | DoneBefore | Broken]:
        return self._reader.submit(prepare, job, self._cache)

    def _settled(self) -> tuple[Outcome, ...]:
        """Wait for what is behind; how it ended."""
        behind, self._behind = self._behind, []
        return tuple(future.result() for future in behind)

    def _publish(self, step: Optimized | DoneBefore | Broken) -> Outcome:
        """In the writer's thread: write what has become of the pair and tell it at once.

        The outcome has all requests that were repeated since the last one, for whichever pair.
        """
        outcome = publish(step)
        before, self._retries = self._retries, retries_so_far()
        outcome = replace(outcome, retries=self._retries - before)
        if outcome.status != "stopped" and not outcome.fatal:
            link.tell_end(outcome)
        return outcome
