"""A run over a shard of a manifest, from its lock to its report; the same for the command and for every flow.

Neither torch nor Prefect is needed here: pairs are made by the workers of an engine. What an engine says
decides nothing: a pair is done when its record says so.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from flows.engines.base import Engine, WorkerSpec
from flows.engines.local import LocalEngine
from flows.errors import StorageError, WorkerStopped
from flows.manifest.model import Manifest
from flows.model.events import Listener
from flows.model.observed import Observed
from flows.model.pair import Outcome
from flows.model.selection import EVERYTHING, Selection
from flows.model.shard import WHOLE, Shard
from flows.planning.plan import Plan, make_plan
from flows.planning.selecting import without_failed
from flows.records.checkpoints import forget_checkpoints
from flows.records.report import End, Report, RunFacts, Tally, report_name, summed_up
from flows.running.budget import UNLIMITED, Budget, watched
from flows.running.estimating.experience import remember
from flows.running.estimating.prospects import prospect_of
from flows.running.listeners import Listeners
from flows.running.looking.page import Night, draw_page
from flows.running.metrics import published
from flows.running.platforms import job_of_this_process
from flows.running.recorded import as_recorded
from flows.running.reporting import Tracing, write_report
from flows.running.sheets import make_sheets
from flows.running.signals import StopSignals
from flows.running.workload import jobs, networks, workers_for
from flows.storage.access import use_access
from flows.storage.base import Storage
from flows.storage.location import check_working_folder
from flows.storage.lock import hold_output
from flows.storage.opening import open_storage
from flows.storage.retry import retries_so_far

OBSERVED_KEPT = 1000
"""Of so many of a run's last pairs it is known what they took; what estimates rest on is a few of these."""


# Why so many: the options of a run; each has a default that suits a program.
def run_shard(
    manifest: Manifest,
    shard: Shard = WHOLE,
    *,
    device: str | None = None,
    workers: int | None = None,
    budget: Budget = UNLIMITED,
    selection: Selection = EVERYTHING,
    skip_failed: bool = False,
    wait_s: float = 0.0,
    job: str = "",
    metrics: Path | None = None,
    listener: Listener,
    engine: Engine | None = None,
) -> Report:
    """Do what a shard of a manifest asks for and is not done yet; the report is written and returned.

    With nothing to do no worker is started. In a program's main thread a first Ctrl-C or SIGTERM ends the run
    after the step in flight; what is done stays done.

    Args:
        device: `auto`, `cpu`, `cuda`, `cuda:<n>` or `mps`; None for the manifest's.
        workers: how many workers; None for one per device, on the CPU for what `cpu_workers` says.
        budget: counts from here; once it is used up no further pair begins, and those in flight get a minute.
        selection: which of the shard's pairs are asked for.
        skip_failed: leave out pairs that failed before, for a reason that trying again does not mend; they
            count as failed.
        wait_s: how long to wait for another run over the same pairs to end.
        job: what is equal for all attempts at this very run, so that a later one takes over at once; empty
            for what the platform of a job array says.
        metrics: a file that is to have the counters for Prometheus, from the plan on; None for none.
        listener: told of every step; one that raises is told no more, and the run goes on.
        engine: None for worker processes on this machine.

    Raises:
        AlreadyRunning: another run holds the output.
        BadArguments: a pattern of the selection fits no pair.
        ManifestError: the manifest cannot be expanded.
        StorageError: the output cannot be reached or written.
        StylizeError: there is no such device, or weights are not what was promised.
    """
    began, tracing = Beginning(), Tracing()
    listener = Listeners(listener, tracing)
    use_access(manifest.s3)
    with StopSignals() as signals, _held(manifest, shard, wait_s, job, listener) as storage:
        listener.phase("checking inputs")
        plan = make_plan(manifest, shard=shard, selection=selection)
        plan = without_failed(plan) if skip_failed else plan
        for warning in plan.warnings:
            listener.note(f"warning: {warning}")
        with suppress(StorageError):  # for want of time, a run that was killed may not have come to it
            forget_checkpoints(storage, (one.identity for one in plan.pairs if one.status == "done"))
        engine = engine or LocalEngine(on_progress=listener.pair_progress, note=listener.note)
        run = Run(plan, engine, listener, began)
        signals.govern(run)
        so_far = partial(run.report, manifest, shard, began)
        try:
            with (
                published(metrics, so_far, listener.note),
                watched(budget, spent_s=began.seconds, wind_down=run.wind_down, stop=run.stop_if_busy),
            ):
                run.make_pairs(manifest, device=device or manifest.device, workers=workers)
                if not run.stopped:
                    make_sheets(plan, run.tally, engine, storage, listener.note)
                remember(run.observed, start_s=run.start_s, devices=run.devices)
                report, name = so_far(), report_name(shard)
                foreign = plan.replace_foreign
                if write_report(report, name, storage, listener.note, replace_foreign=foreign):
                    tracing.write(shard, storage, listener.note, replace_foreign=foreign)
                    if manifest.html and shard == WHOLE and report.planned > report.done_before:
                        night = Night(manifest, plan, run.tally, began.at)
                        draw_page(night, storage, run.goes_on, listener.note)
                return report
        finally:
            engine.close()
            tracing.close()
            if plan.todo:  # a worker that was killed may have left a file, for the next run at the latest
                with suppress(StorageError):
                    storage.remove_abandoned()


# Why so many: the course of a run, and how each way of ending early changes it.
class Run:
    """What becomes of the pairs of a plan.

    Attributes:
        tally: how the pairs ended so far.
        devices: of each worker, as records name them; empty before they are started.
        stopped: whether the run ends early.
        start_s: from the run's beginning to its first pair; None before.
        observed: what the pairs made last took.
    """

    def __init__(
        self, plan: Plan, engine: Engine, listener: Listener, began: Beginning | None = None
    ) -> None:
        self._plan, self._engine, self._listener = plan, engine, Listeners(listener)
        self._began = began or Beginning()
        self.tally = Tally()
        self._counting = threading.Lock()
        self._end: End = "finished"
        self._reason = self._enough = ""
        self.devices: tuple[str, ...] = ()
        self._busy = self._stopping = False
        self._retries_of_workers = 0
        self._given_up: list[Outcome] = []
        self.observed: deque[Observed] = deque(maxlen=OBSERVED_KEPT)
        self.start_s: float | None = None

    def make_pairs(self, manifest: Manifest, *, device: str, workers: int | None) -> None:
        """Start the workers, check all weights before any pair depends on them, and do the pairs."""
        if self._plan.todo:
            check_working_folder()
        if wanted := len(self._plan.todo) + len(self._plan.refused):
            self._listener.expect(wanted)
        for one in self._plan.refused:
            self._settle(Outcome(one.name, "failed", one.kind, one.message))
        if not self._plan.todo:
            return
        self._busy = True
        with suppress(WorkerStopped):
            self._start(manifest, workers_for(self._plan, manifest, device, workers))
            for outcome in self._engine.outcomes(jobs(self._plan, manifest)):
                self._settle(outcome)
        self._busy = False
        self._ask_records()
        wanted = len(self._plan.todo) + len(self._plan.refused)
        if self._enough and not self.stopped and self.tally.ended < wanted:
            self._end, self._reason = "stopped", self._enough

    def _start(self, manifest: Manifest, spec: WorkerSpec) -> None:
        """Start the workers, load every network, and say how long all will take."""
        count = f"{len(spec.slots)} workers" if len(spec.slots) > 1 else "a worker"
        self._listener.phase(f"starting {count} on {', '.join(dict.fromkeys(spec.slots))}")
        self.devices = self._engine.start(spec)
        for settings in networks(self._plan):
            self._listener.phase(f"loading the network {settings.encoder}")
            self._engine.check_weights(settings)
        self._listener.foresee(prospect_of(self._plan, manifest, devices=self.devices))
        self._listener.phase("")
        self.start_s = self._began.seconds

    @property
    def stopped(self) -> bool:
        """Whether the run ends early."""
        return self._end != "finished"

    def goes_on(self) -> bool:
        """Whether nobody waits for the run to end; one whose budget is used up may still take its time."""
        return not self._stopping

    def stop(self, end: End, reason: str) -> None:
        """End early: pairs in flight are given up within a step or so. Signal handlers may call it."""
        self._stopping = True
        if self._end == "finished":
            self._end, self._reason = end, reason
        self._engine.stop()

    def wind_down(self, reason: str) -> None:
        """Let the pairs in flight end, and no further one begin; the run has ended early if any are left."""
        self._enough = reason
        self._engine.wind_down()
        self._listener.note(f"{reason}; no further pair begins")

    def stop_if_busy(self, reason: str) -> None:
        """Give up pairs that are still in flight when a budget's time of grace is over."""
        if self._busy:
            self.stop("stopped", reason)

    def report(self, manifest: Manifest, shard: Shard, began: Beginning) -> Report:
        """What has become of the pairs so far; any thread may ask."""
        facts = RunFacts(
            manifest=manifest.source,
            output=self._plan.output,
            shard=str(shard),
            planned=self._plan.counts["planned"],
            selection=self._plan.selection.words(),
            not_asked=self._plan.not_asked,
            done_before=self._plan.counts["done"],
            end=self._end,
            reason=self._reason,
            devices=self.devices,
            warnings=self._plan.warnings,
            storage_retries=began.storage_retries + self._retries_of_workers,
            seconds=began.seconds,
            started_at=began.at,
        )
        with self._counting:
            return summed_up(facts, self.tally)

    def _settle(self, outcome: Outcome) -> None:
        """Keep how a pair ended, and tell it; what is fatal ends the run and is no pair's own."""
        self._retries_of_workers += outcome.retries
        if outcome.fatal:
            if not self.stopped:
                self._listener.note(f"the run stops: {outcome.message}")
            self.stop("stopped", outcome.message)
            outcome = replace(outcome, status="stopped", kind="", message="", fatal=False)
        if outcome.status == "stopped":
            self._given_up.append(outcome)
        else:
            self._count(outcome)

    def _ask_records(self) -> None:
        """Settle the pairs that workers were told to give up: their records know whether they have ended."""
        if self._given_up:
            self._engine.close()  # from now on nothing is written any more
            for outcome in as_recorded(self._given_up, self._plan):
                self._count(outcome)

    def _count(self, outcome: Outcome) -> None:
        if outcome.observed is not None:
            self.observed.append(outcome.observed)
        if outcome.status != "stopped":
            with self._counting:
                self.tally.add(outcome)
        self._listener.pair_ended(outcome)


class Beginning:
    """When a run began, by both clocks, and how often storage had been asked again by then."""

    def __init__(self) -> None:
        self.at = datetime.now(UTC)
        self._clock, self._retries = time.monotonic(), retries_so_far()

    @property
    def seconds(self) -> float:
        """How long ago that was."""
        return time.monotonic() - self._clock

    @property
    def storage_retries(self) -> int:
        """How often this process had to ask storage again since then."""
        return retries_so_far() - self._retries


@contextmanager
def _held(manifest: Manifest, shard: Shard, wait_s: float, job: str, listener: Listener) -> Iterator[Storage]:
    """Hold the shard of the output, rid of what killed runs left in it."""
    storage = open_storage(manifest.output)
    with hold_output(storage, shard, job=job or job_of_this_process(), wait_s=wait_s):
        if removed := storage.remove_abandoned():
            listener.note(f"{removed} temporary file(s) of a killed run removed")
        yield storage
