"""The Prefect flow: what deployments, schedules and pools start. A view of the records, never the truth."""

from __future__ import annotations

import time
from typing import Any

from prefect import flow, get_run_logger
from prefect.client.schemas import State
from prefect.states import Completed, Failed

from flows.engines.prefect.view_process import FLOW_NAME
from flows.errors import BatchError
from flows.manifest.load import load_manifest
from flows.model.events import PairProgress
from flows.model.pair import Outcome
from flows.records.exit_codes import ALL_DONE
from flows.records.report import Report
from flows.running.options import run_options, with_batch
from flows.running.run import run_shard
from stylize_core.errors import StylizeError

COUNT_EVERY_S = 30.0


# Why so many: a deployment's parameters are the command's options, one for one.
@flow(name=FLOW_NAME, persist_result=False, validate_parameters=False)
def stylize_batch(
    manifest: str,
    device: str | None = None,
    workers: int | None = None,
    batch: str | None = None,
    max_time: str | None = None,
    max_cost: float | None = None,
    cost_per_hour: float | None = None,
    skip_failed: bool = False,
    shard: str | None = None,
    wait: str | None = None,
    metrics: str | None = None,
) -> State[Any]:
    """Do everything that a manifest asks for and is not done yet.

    The flow ends as `PartialFailure` when pairs failed or were left, and as `NothingStarted` when no pair
    could be tried, so that automations fire; running it again does what is missing.

    Args:
        manifest: path or `s3://` URI of the manifest.
        device: `auto`, `cpu`, `cuda`, `cuda:<n>` or `mps`; None for the manifest's.
        workers: worker processes; None for one per device.
        batch: pairs computed together, `auto` or a number; None for the manifest's.
        max_time: no further pair begins after this time, such as `2h30m`.
        max_cost: no further pair begins after this cost, at `cost_per_hour` of the whole machine.
        skip_failed: do not try again what failed before for a reason of its own; it counts as failed.
        shard: a part of the manifest, such as `0/4`; None for all of it.
        wait: how long to wait for another run over the same pairs, such as `10m`.
        metrics: a file `*.prom` on the worker that is to have the run's counters for Prometheus.
    """
    log = FlowRunLog()
    try:
        options = run_options(
            shard=shard,
            device=device,
            workers=workers,
            max_time=max_time,
            max_cost=max_cost,
            cost_per_hour=cost_per_hour,
            skip_failed=skip_failed,
            wait=wait,
            metrics=metrics,
        )
        report = run_shard(with_batch(load_manifest(manifest), batch), **options, listener=log)
    except (BatchError, StylizeError) as error:
        return Failed(name="NothingStarted", message=str(error))
    return _state(report)


class FlowRunLog:
    """A listener that writes failures, and a count every half minute, into the log of the flow run."""

    def __init__(self) -> None:
        self._log = get_run_logger()
        self._expected = self._ended = 0
        self._counted_at = time.monotonic()

    def expect(self, pairs: int) -> None:
        """So many pairs are to do."""
        self._expected = pairs
        self._log.info("%d pairs to do", pairs)

    def pair_progress(self, progress: PairProgress) -> None:
        """A log has no use for every step."""

    def pair_ended(self, outcome: Outcome) -> None:
        """Count it; a failure gets a line of its own."""
        self._ended += 1
        if outcome.status == "failed":
            self._log.warning("%s: %s: %s", outcome.name, outcome.kind, outcome.message)
        if time.monotonic() - self._counted_at > COUNT_EVERY_S:
            self._counted_at = time.monotonic()
            self._log.info("%d of %d pairs have ended", self._ended, self._expected)

    def note(self, text: str) -> None:
        """One line."""
        self._log.info("%s", text)


def _state(report: Report) -> State[Any]:
    if report.exit_code == ALL_DONE:
        return Completed(message=report.sentence())
    return Failed(name="PartialFailure", message=report.sentence())
