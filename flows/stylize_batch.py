"""The Prefect flows that deployments, schedules and pools start. A view of the records, never the truth."""

from __future__ import annotations

import signal
from functools import partial
from typing import Any

from prefect import flow, get_run_logger
from prefect.client.schemas import State
from prefect.exceptions import Abort
from prefect.runtime import flow_run
from prefect.states import Completed, Failed

from flows.engines.prefect.view_process import FLOW_NAME
from flows.errors import BatchError
from flows.fleet.artifacts import Progress, artifact_key, publish
from flows.fleet.flow_process import heed_ending
from flows.fleet.flow_run_log import (
    FlowRunLog,
    counted,
    leave_out_own_failures,
    outlive_console,
)
from flows.fleet.locks import Locks
from flows.fleet.naming import introduce, run_name
from flows.fleet.run import Fleet, run_fleet
from flows.fleet.submissions import Submissions, is_being_cancelled, slots_of
from flows.manifest.load import load_manifest
from flows.manifest.preview import preview_of
from flows.records.exit_codes import ALL_DONE
from flows.records.report import Report
from flows.running.budget import sooner
from flows.running.options import run_options, with_batch
from flows.running.run import run_shard
from flows.running.signals import TERMINATED
from flows.storage.opening import open_storage
from stylize_core.errors import StylizeError

SHARD_DEPLOYMENT = f"{FLOW_NAME}/shard"


# Why so many: a deployment's parameters are the command's options, one for one.
@flow(name=FLOW_NAME, persist_result=False, validate_parameters=False)
def stylize_batch(
    manifest: str,
    device: str | None = None,
    workers: int | None = None,
    batch: str | None = None,
    max_time: str | None = None,
    until: str | None = None,
    max_cost: float | None = None,
    cost_per_hour: float | None = None,
    skip_failed: bool = False,
    shard: str | None = None,
    wait: str | None = "1h",
    metrics: str | None = None,
    job: str | None = None,
    only: list[str] | None = None,
    limit: int | None = None,
    failed: bool = False,
    force: bool = False,
    preview: bool = False,
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
        until: no further pair begins after this moment, such as `2030-12-31T06:00Z`.
        max_cost: no further pair begins after this cost, at `cost_per_hour`.
        cost_per_hour: of the whole machine; alone it has the report tell what the run cost.
        skip_failed: do not try again what failed before for a reason of its own; it counts as failed.
        shard: a part of the manifest, such as `0/4`; None for all of it.
        wait: how long to wait for another run over the same pairs, such as `10m`; None for not at all.
        metrics: a file `*.prom` on the worker that is to have the run's counters for Prometheus.
        job: what is equal for all attempts at this very run, which take over from one another at once; None
            for the flow run, whose retries are such attempts.
        only: patterns of names; only pairs that fit one are made.
        limit: only the first so many of the pairs that are to do.
        failed: only pairs whose last try failed and left a record.
        force: what is done is made again.
        preview: everything small and fast, in an output of its own beside the real one.
    """
    heed_ending()
    outlive_console()
    leave_out_own_failures()
    try:
        options = run_options(
            shard=shard,
            device=device,
            workers=workers,
            max_time=max_time,
            until=until,
            max_cost=max_cost,
            cost_per_hour=None if max_cost is None else cost_per_hour,  # else it is for the report alone
            skip_failed=skip_failed,
            wait=wait,
            metrics=metrics,
            only=only,
            limit=limit,
            failed=failed,
            force=force,
        )
        loaded = with_batch(load_manifest(manifest), batch)
        loaded = preview_of(loaded) if preview else loaded
        key = artifact_key(manifest)
        introduce(loaded.source, loaded.output, options["shard"])
        with counted(FlowRunLog(get_run_logger(), Progress(key))) as log:
            report = run_shard(loaded, **options, job=job or str(flow_run.id or ""), listener=log)
    except (BatchError, StylizeError) as error:
        return Failed(name="NothingStarted", message=str(error))
    publish(report, key=key, cost_per_hour=cost_per_hour)
    return _state(report)


# Why so many: those of the shards' flow, and how the night is divided.
@flow(name="stylize-fleet", persist_result=False, validate_parameters=False)
def stylize_fleet(
    manifest: str,
    deployment: str = SHARD_DEPLOYMENT,
    shards: int | None = None,
    slots: int | None = None,
    device: str | None = None,
    workers: int | None = None,
    batch: str | None = None,
    max_time: str | None = None,
    until: str | None = None,
    cost_per_hour: float | None = None,
    skip_failed: bool = False,
    wait: str | None = "1h",
) -> State[Any]:
    """Do everything that a manifest asks for and is not done yet, in shards on the machines of a work pool.

    Ends as `stylize_batch` does, whose parameters of the same names it hands on. It needs no GPU, and a slot
    of another pool than its shards have.

    Args:
        manifest: path or `s3://` URI of the manifest, as the machines of both pools see it.
        deployment: of `stylize_batch`, as `flow/deployment`.
        shards: how many; None for what the last run measured, see `stylize shards`.
        slots: how many shards are at work at the same time; None for what the pool says.
        max_time: no further pair begins after this time, counted from here.
        cost_per_hour: of one machine; the report tells what all of them cost together.
    """
    heed_ending()
    outlive_console()
    leave_out_own_failures()
    of_every_shard: dict[str, Any] = {
        "manifest": manifest,
        "device": device,
        "workers": workers,
        "batch": batch,
        "cost_per_hour": cost_per_hour,
        "skip_failed": skip_failed,
        "wait": wait,
    }
    try:
        loaded = load_manifest(manifest)
        key = artifact_key(manifest)
        introduce(loaded.source, loaded.output)
        of_every_shard["until"] = sooner(until, max_time)
        of_pool = slots_of(deployment)
        fleet = Fleet(loaded, of_pool if slots is None else slots, shards, skip_failed)
        with counted(FlowRunLog(get_run_logger(), Progress(key))) as log:
            submissions = Submissions(
                deployment,
                of_every_shard,
                fleet=str(flow_run.id),
                name=partial(run_name, loaded.source, loaded.output),
                locks=Locks(open_storage(loaded.output)),
                note=log.note,
            )
            with submissions.cancelled_along():
                report = run_fleet(fleet, submissions.ended, log)
    except (BatchError, StylizeError) as error:
        return Failed(name="NothingStarted", message=str(error))
    publish(report, key=key, cost_per_hour=cost_per_hour)
    return _state(report)


def _state(report: Report) -> State[Any]:
    """The state that says how a run ended; where SIGTERM ended it, Prefect knows why, and what follows.

    Raises:
        Abort: the flow run is being cancelled, and its worker will say that it is.
    """
    if report.reason == TERMINATED:
        if is_being_cancelled(flow_run.id):
            raise Abort("cancelled")
        signal.raise_signal(signal.SIGTERM)
    if report.exit_code == ALL_DONE:
        return Completed(message=report.sentence())
    return Failed(name="PartialFailure", message=report.sentence())
