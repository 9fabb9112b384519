"""A run: the pairs to do in chunks, the workers that do them, and what became of each pair.

Engines (Prefect, or plain threads where Prefect is lost) only call `run_chunk`. What they return or raise
decides nothing: a pair is done when its record says so, and this object knows every outcome.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from flows.engines.process import DeviceChild
from flows.engines.supervisor import Feed, in_groups
from flows.errors import BatchError, StorageError, WorkerCrashed, WorkerStopped
from flows.manifest.load import Manifest
from flows.model.events import PairProgress
from flows.model.pair import Job, Outcome
from flows.model.sheet import Cell, Sheet, SheetJob
from flows.planning.plan import Plan, PlannedPair, make_plan
from flows.planning.sheets import is_current
from flows.planning.sheets_due import cell_of
from flows.records.record import Failure, Record, versions
from flows.records.report import REPORT_NAME, End, Report, Tally, summed_up
from flows.records.store import read_record, replace_record
from flows.running.budget import UNLIMITED, Budget, watched
from flows.storage.base import Storage, open_storage
from flows.storage.lock import hold_output
from flows.storage.retry import retries_so_far
from flows.text import safe_text
from flows.worker import calls as worker_calls
from flows.worker.devices import cpu_workers, slots, usable_cores

log = logging.getLogger("stylize.run")

CLOSE_S = 5.0
PAIRS_PER_CHUNK = 50
CHUNKS_PER_SLOT = 4


class Listener(Protocol):
    """Who wants to know how a run goes; called from several threads."""

    def pair_progress(self, progress: PairProgress) -> None:
        """A pair in flight got further."""

    def pair_ended(self, outcome: Outcome) -> None:
        """A pair is done, failed or was left."""

    def note(self, text: str) -> None:
        """Something worth a line in the log."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Pairs that one worker does one after another: the unit of Prefect's work."""

    number: int
    jobs: tuple[Job, ...]


class Run:
    """One run over a plan; use `open_run`.

    Args:
        manifest: for the report.
        plan: what is done and what is to do.
        device: `auto`, `cpu`, `cuda`, `cuda:<n>` or `mps`.
        workers: how many worker processes; None for one per device, on the CPU for what `cpu_workers` says.
        listener: told of every step; see `Listener`.
        retries_before: `retries_so_far()` when the run began to plan.
    """

    def __init__(
        self,
        manifest: Manifest,
        plan: Plan,
        *,
        device: str,
        workers: int | None,
        listener: Listener,
        retries_before: int,
    ) -> None:
        self.manifest, self.plan, self.listener = manifest, plan, listener
        on_cpu = cpu_workers([planned.pair.style_settings.size for planned in plan.todo])
        self.slots: tuple[str, ...] = slots(device, workers, cpu_workers=on_cpu) if plan.todo else ()
        self.chunks = _chunks(plan, len(self.slots), timeout_s=manifest.timeout_s)
        self.devices: tuple[str, ...] = ()
        self._storage = open_storage(plan.output)
        self._children: list[DeviceChild] = []
        self._idle: queue.SimpleQueue[DeviceChild] = queue.SimpleQueue()
        self._tally = Tally()
        self._begun: set[int] = set()
        self._ended: set[int] = set()
        self._lock = threading.Lock()
        self._retries_before, self._retries_of_workers = retries_before, 0
        self._end: End = "finished"
        self._reason = ""
        self._enough = ""
        self._started_at, self._clock = datetime.now(UTC), time.monotonic()

    def start_workers(self) -> None:
        """Start every worker, and check all weights before any pair depends on them.

        Raises:
            BatchError: a worker could not start.
            StylizeError: there is no such device, or weights are not what was promised.
        """
        for slot in self.slots:
            child = DeviceChild(
                slot,
                initializer=worker_calls.start,
                initargs=(slot, self._threads(), self.manifest.batch, log.getEffectiveLevel()),
                on_progress=self.listener.pair_progress,
            )
            self._children.append(child)
            self._idle.put(child)
        with ThreadPoolExecutor(len(self._children)) as threads:
            try:
                self.devices = tuple(threads.map(_described, self._children))
            except KeyboardInterrupt:
                self.close()  # so that the threads end, for which the block waits
                raise
        networks = {
            (s.encoder, s.weights, s.layers, s.mode == "dream" and tuple(s.dream_layer_weights)): s
            for s in (p.pair.style_settings for p in self.plan.todo)
        }
        for settings in networks.values():
            self._children[0].call(worker_calls.check_weights, settings)

    def run_chunk(self, number: int) -> dict[str, int]:
        """Do a chunk on the next idle worker; returns how many pairs ended in which way.

        Calling it again for a chunk that was begun does nothing.
        """
        with self._lock:
            if number in self._begun:
                return {}
            self._begun.add(number)
        child = self._idle.get()
        try:
            counts: Counter[str] = Counter()
            feed = Feed(child, self.listener.note, self._given_up, lambda: bool(self._enough))
            groups = in_groups(self.chunks[number].jobs, child.device, self.manifest.batch)
            for outcome in feed.outcomes(groups):
                counts[self._settle(outcome).status] += 1
            return dict(counts)
        finally:
            self._idle.put(child)
            self._ended.add(number)

    def stop(self, end: End, reason: str) -> None:
        """End early: pairs in flight are given up within a step or so, no further one begins.

        Takes no lock, so signal handlers may call it.
        """
        if self._end == "finished":
            self._end, self._reason = end, reason
        for child in self._children:
            child.stop()

    def wind_down(self, reason: str) -> None:
        """Let the pairs in flight end, and no further one begin; the run has ended early if any are left."""
        self._enough = reason
        self.listener.note(f"{reason}; no further pair begins")

    @property
    def stopped(self) -> bool:
        """Whether the run ends early."""
        return self._end != "finished"

    @property
    def unbegun(self) -> list[int]:
        """Chunks that no engine has called for yet."""
        return [chunk.number for chunk in self.chunks if chunk.number not in self._begun]

    def make_sheets(self) -> None:
        """Bring the contact sheets up to date once all pairs have ended; a sheet that fails is a note."""
        if self.stopped or not self.plan.sheets:
            return
        try:
            planned = {one.pair.name: one for one in self.plan.pairs}
            for sheet in self.plan.sheets:
                self._make_sheet(sheet, planned)
        except WorkerStopped:
            return

    def close(self) -> None:
        """End the worker processes, all within the time that one may take."""
        for child in self._children:
            child.stop()
        patient_until = time.monotonic() + CLOSE_S
        for child in self._children:
            child.close(grace_s=max(0.0, patient_until - time.monotonic()))

    @property
    def ended(self) -> bool:
        """Whether every chunk is done or given up."""
        return len(self._ended) == len(self.chunks)

    def report(self) -> Report:
        """What became of the pairs so far."""
        return summed_up(
            manifest=self.manifest.source,
            output=self.plan.output,
            planned=len(self.plan.pairs),
            done_before=len(self.plan.pairs) - len(self.plan.todo),
            tally=self._tally,
            end=self._end,
            reason=self._reason,
            devices=self.devices,
            warnings=self.plan.warnings,
            storage_retries=retries_so_far() - self._retries_before + self._retries_of_workers,
            seconds=time.monotonic() - self._clock,
            started_at=self._started_at,
        )

    def finish(self) -> Report:
        """Write the report beside the pictures and return it; a report that cannot be written is said.

        A run that had nothing to do leaves the report of the last one that had.
        """
        report = self.report()
        try:
            if not self.chunks and self._storage.stat(REPORT_NAME):
                return report
            self._storage.write(REPORT_NAME, report.to_bytes(), content_type="application/json")
        except BatchError as error:
            known = error.fatal and self.stopped
            self.listener.note(f"the report could not be written{' either' if known else f': {error}'}")
        return report

    def _make_sheet(self, sheet: Sheet, planned: Mapping[str, PlannedPair]) -> None:
        try:
            cells = tuple(self._cell(planned.get(name)) for name in sheet.pairs)
            job = SheetJob(self.plan.output, sheet, cells)
            if is_current(job, self._storage):
                return
            if not self._children:  # nothing was to do; no device is needed for this
                self._children.append(DeviceChild("cpu"))
            if self._children[0].call(worker_calls.make_sheet, job):
                self.listener.note(f"contact sheet {safe_text(sheet.name)}")
        except WorkerStopped:
            raise
        except Exception as error:  # a sheet is an extra: whatever became of it, the pictures are there
            log.info("sheet=%s", safe_text(sheet.name), exc_info=error)
            self.listener.note(safe_text(f"the contact sheet {sheet.name} was not made: {error}"))

    def _cell(self, planned: PlannedPair | None) -> Cell:
        """What a sheet shows of a pair."""
        if planned is None or planned.status == "done":
            return cell_of(planned)
        pair = planned.pair
        if kind := self._tally.kinds.get(pair.name):
            return Cell(words=f"failed: {kind}")
        record = read_record(self._storage, pair.record_name)
        return Cell(record.identity, pair.output_name) if record and record.output else Cell(words="not made")

    def _threads(self) -> int | None:
        """CPU threads of each worker where several share the CPU."""
        on_cpu = [slot for slot in self.slots if slot == "cpu"]
        return None if len(on_cpu) < 2 else max(1, usable_cores() // len(on_cpu))

    def _settle(self, outcome: Outcome) -> Outcome:
        """Keep how a pair ended, and tell it; what is fatal ends the run and is no pair's own."""
        with self._lock:
            self._retries_of_workers += outcome.retries
            if outcome.fatal:
                if not self.stopped:
                    self.listener.note(f"the run stops: {outcome.message}")
                self.stop("stopped", outcome.message)
                outcome = Outcome(outcome.name, "stopped", seconds=outcome.seconds)
            elif outcome.status == "stopped" and not self.stopped:  # somebody had enough
                self._end, self._reason = "stopped", self._enough
            elif outcome.status != "stopped":
                self._tally.add(outcome)
        self.listener.pair_ended(outcome)
        return outcome

    def _given_up(self, job: Job, crash: WorkerCrashed, attempts: int) -> Outcome:
        message = safe_text(f"{crash}; given up after {attempts} attempt{'s' * (attempts > 1)}")
        attempts += job.attempts
        failure = Failure(kind=crash.kind, message=message, attempts=attempts, phase="work")
        record = Record(
            status="failed",
            name=job.pair.name,
            identity=job.identity,
            failure=failure,
            versions=versions(),
        )
        try:
            replace_record(self._storage, job.pair.record_name, record)
        except BatchError as error:
            return Outcome(job.pair.name, "failed", error.kind, safe_text(str(error)), error.fatal)
        return Outcome(job.pair.name, "failed", crash.kind, message)


@contextmanager
def open_run(
    manifest: Manifest,
    *,
    device: str,
    workers: int | None,
    listener: Listener,
    budget: Budget = UNLIMITED,
) -> Iterator[Run]:
    """Hold the output, sweep what dead runs left, plan, and yield the run; its workers end with the block.

    What a worker left that was killed meanwhile is swept at the end.
    The budget counts from here. Once it is used up no further pair begins, and those in flight have a minute.

    Raises:
        AlreadyRunning: another run holds the output.
        ManifestError: the manifest cannot be expanded.
        StorageError: the output cannot be reached or written.
    """
    storage: Storage = open_storage(manifest.output)
    began, before = time.monotonic(), retries_so_far()
    with hold_output(storage):
        if swept := storage.sweep():
            listener.note(f"{swept} temporary file(s) of a killed run removed")
        plan = make_plan(manifest)
        run = Run(manifest, plan, device=device, workers=workers, listener=listener, retries_before=before)
        try:
            with watched(
                budget,
                spent_s=time.monotonic() - began,
                wind_down=run.wind_down,
                stop=lambda reason: None if run.ended else run.stop("stopped", reason),
            ):
                yield run
        finally:
            run.close()
            if run.chunks:  # a worker that was killed may have left a file, for the next run at the latest
                with suppress(StorageError):
                    storage.sweep()


def _described(child: DeviceChild) -> str:
    """Start the worker; its device."""
    return child.call(worker_calls.describe)


def _chunks(plan: Plan, slot_count: int, *, timeout_s: float) -> tuple[Chunk, ...]:
    """The pairs to do in the plan's order, in chunks small enough to keep every worker busy to the end.

    Between two chunks a worker waits for its last picture to be written, so a single one gets few chunks.
    """
    jobs = [Job(p.pair, plan.output, p.identity, p.attempts, timeout_s) for p in plan.todo]
    if not jobs:
        return ()
    share = CHUNKS_PER_SLOT * slot_count if slot_count > 1 else 1
    size = max(1, min(PAIRS_PER_CHUNK, -(-len(jobs) // share)))
    pieces: Sequence[tuple[Job, ...]] = [tuple(jobs[at : at + size]) for at in range(0, len(jobs), size)]
    return tuple(Chunk(number, piece) for number, piece in enumerate(pieces))
