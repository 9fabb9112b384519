"""The Prefect flow: it submits chunks of pairs and is a view of their records, never the truth."""

from __future__ import annotations

from collections import deque
from contextvars import ContextVar
from typing import Any

from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas import State
from prefect.futures import PrefectFuture
from prefect.states import Completed, Failed
from prefect.task_runners import ThreadPoolTaskRunner

from flows.cli.display import LineDisplay
from flows.manifest.load import load_manifest
from flows.records.report import Report
from flows.running.budget import budget_of
from flows.running.run import Run, open_run

CHUNKS_IN_FLIGHT_PER_SLOT = 2

# The command prepares its run before it starts Prefect; a deployment leaves that to the flow.
_prepared: ContextVar[Run | None] = ContextVar("_prepared", default=None)


@task(name="stylize-chunk", task_run_name="chunk-{number}", cache_policy=NO_CACHE, persist_result=False)
def stylize_chunk(number: int, run: Any) -> dict[str, int]:
    """One chunk of pairs on one worker; how many pairs ended in which way."""
    return dict(run.run_chunk(number))


@flow(name="stylize-batch", persist_result=False, validate_parameters=False)
def stylize_batch(
    manifest: str,
    device: str = "auto",
    workers: int | None = None,
    max_time: str | None = None,
    max_cost: float | None = None,
    cost_per_hour: float | None = None,
) -> State[Any]:
    """Do everything that a manifest asks for and is not done yet.

    The flow ends as `PartialFailure` when pairs failed or were left, so that automations fire; running it
    again does what is missing.

    Args:
        manifest: path of the manifest.
        device: `auto`, `cpu`, `cuda`, `cuda:<n>` or `mps`.
        workers: worker processes; None for one per device.
        max_time: no further pair begins after this time, such as `2h30m`.
        max_cost: no further pair begins after this cost, at `cost_per_hour` of the whole machine.
    """
    run = _prepared.get()
    if run is not None:
        submit_chunks(run)
        return _state(run.report())
    budget = budget_of(max_time=max_time, max_cost=max_cost, cost_per_hour=cost_per_hour)
    loaded, display = load_manifest(manifest), LineDisplay()
    with open_run(loaded, device=device, workers=workers, listener=display, budget=budget) as run:
        if run.chunks:
            run.start_workers()
            submit_chunks(run)
        run.make_sheets()
        return _state(run.finish())


def run_in_prefect(run: Run) -> None:
    """Let the flow do the chunks of a run that is prepared already."""
    _prepared.set(run)
    stylize_batch(run.manifest.source, return_state=True)


def submit_chunks(run: Run) -> None:
    """Keep a bounded number of chunks submitted until all are done or the run is stopped."""
    window = CHUNKS_IN_FLIGHT_PER_SLOT * len(run.slots)
    in_flight: deque[PrefectFuture[Any]] = deque()
    runner: ThreadPoolTaskRunner[Any] = ThreadPoolTaskRunner(max_workers=len(run.slots))
    with runner:
        for chunk in run.chunks:
            if run.stopped:
                break
            if len(in_flight) == window:
                in_flight.popleft().wait()
            in_flight.append(runner.submit(stylize_chunk, {"number": chunk.number, "run": run}))
        for future in in_flight:
            future.wait()


def _state(report: Report) -> State[Any]:
    if report.exit_code == 0:
        return Completed(message=report.sentence())
    return Failed(name="PartialFailure", message=report.sentence())
