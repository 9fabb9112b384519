"""How long a device waits in a run: for pictures to be read and written, and for everything else."""

from __future__ import annotations

import shutil
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.table import Table

from benchmarks.many_pairs.batch import PAIRS, write_manifest
from benchmarks.pictures import IMAGES
from flows.engines.base import WorkerSpec
from flows.engines.groups import Group, SharedGroups, in_groups
from flows.engines.process_worker import ProcessWorker
from flows.engines.supervisor import Supervisor
from flows.manifest.load import load_manifest
from flows.model.pair import Job
from flows.planning.plan import make_plan
from flows.records.record import Record
from flows.worker.devices import slots

Seconds = dict[str, float]
DEVICE_PHASES = ("targets", "optimise")
PHASES = ("read", *DEVICE_PHASES, "encode", "write")


def pipeline_table(*, size: int, steps: int, rounds: int) -> Table:
    """The share of the time in which one warm device does not compute, pairs overlapping or not."""
    ways = {"one pair after another": False, "reading ahead, writing behind": True}
    device = slots("auto")[0]
    found: dict[str, list[Run]] = {way: [] for way in ways}
    with tempfile.TemporaryDirectory() as name, warm_worker(device) as worker:
        for number in range(rounds + 1):
            for way, overlapping in ways.items():
                output = f"{'ahead' if overlapping else 'alone'}{number}"
                images = Path(name) / f"images_{output}"  # new ones, which no worker has in its memory
                shutil.copytree(IMAGES, images)
                manifest = write_manifest(Path(name), output=output, size=size, steps=steps, images=images)
                measured = run_once(manifest, worker, overlapping=overlapping)
                if number:  # the first round warms the worker up
                    found[way].append(measured)
    table = Table(
        "way", "seconds", "device waits", "spread", *PHASES,
        title=f"{PAIRS} pairs on {device}, slim, {size} px, {steps} steps; seconds of each phase",
    )  # fmt: skip
    for way, runs in found.items():
        shares = [1 - sum(run.phases[name] for name in DEVICE_PHASES) / run.seconds for run in runs]
        walls = statistics.median(run.seconds for run in runs)
        sums = (f"{statistics.median(run.phases[name] for run in runs):.2f}" for name in PHASES)
        spread = f"{min(shares):.1%}-{max(shares):.1%}"
        table.add_row(way, f"{walls:.1f}", f"{statistics.median(shares):.1%}", spread, *sums)
    return table


@contextmanager
def warm_worker(device: str) -> Iterator[ProcessWorker]:
    """A worker in a process of its own, with torch loaded."""
    worker = ProcessWorker(device, WorkerSpec((device,)), lambda _: None)
    try:
        worker.describe()
        yield worker
    finally:
        worker.close()


@dataclass(frozen=True, slots=True)
class Run:
    """What a run cost: wall seconds, those of each phase as records have them, and the device's memory."""

    seconds: float
    phases: Seconds
    peak_bytes: int | None


def run_once(manifest: Path, worker: ProcessWorker, *, overlapping: bool) -> Run:
    """Do the pairs of a manifest.

    Raises:
        RuntimeError: one of them was not done.
    """
    plan = make_plan(load_manifest(str(manifest)))
    jobs = [Job(planned.pair, plan.output, planned.identity) for planned in plan.todo]
    groups = list(in_groups(jobs, worker.device, None))
    calls: list[list[Group]] = [groups] if overlapping else [[group] for group in groups]
    began = time.perf_counter()
    for given in calls:
        for outcome in Supervisor(worker, print, lambda: False).outcomes(SharedGroups(iter(given)).take):
            if outcome.status != "done":
                raise RuntimeError(f"{outcome.name}: {outcome.status} {outcome.message}")
    wall = time.perf_counter() - began
    phases: Seconds = defaultdict(float)
    peaks = []
    for job in jobs:
        record = Record.parse((Path(plan.output) / job.pair.record_name).read_bytes())
        peaks.append(record.peak_memory_bytes)
        for name, seconds in record.timings_s.items():
            phases[name] += seconds / (record.batch if name == "optimise" else 1)
    return Run(wall, phases, max((peak for peak in peaks if peak), default=None))
