"""Batches so small that a pair takes a blink: pictures of 64 px, few steps of the built-in network."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from commands import ROOT
from PIL import Image
from processes import Family, family

from flows.engines.base import WorkerSpec
from flows.engines.local import LocalEngine, MakeWorker
from flows.engines.process import WorkerProcess
from flows.engines.process_worker import ProcessWorker
from flows.manifest.load import load_manifest
from flows.manifest.model import Manifest
from flows.model.events import PairProgress
from flows.model.pair import Outcome
from flows.model.selection import EVERYTHING, Selection
from flows.model.shard import WHOLE, Shard
from flows.records.record import Record, timeless
from flows.records.report import REPORT_NAME, Report, page_shard, report_shard
from flows.records.trace import trace_shard
from flows.running.run import run_shard
from flows.worker import link

if TYPE_CHECKING:
    from flows.worker.main import DeviceWorker

ABOUT_RUNS = frozenset({"report.json", "report.html", "trace.csv"})
"""What a run of the whole leaves beside the pictures and their records."""

FAST = "encoder: slim, size: 64, steps: 5"


def draw(path: Path, seed: int, *, width: int = 64, height: int = 48) -> Path:
    """A picture of waves that no other seed gives."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(waves(seed, width=width, height=height)).save(path)
    return path


def waves(seed: int, *, width: int = 64, height: int = 48) -> Any:
    """The pixels of `draw`, [H, W, 3] uint8."""
    y, x = np.mgrid[0:height, 0:width]
    planes = [np.sin(x / (3 + seed) + c) + np.cos(y / (5 + c) + seed) for c in range(3)]
    return np.rint((np.stack(planes, axis=-1) + 2) / 4 * 255).astype(np.uint8)


def small_batch(home: Path, *, photos: int = 2, paintings: int = 2) -> Path:
    """Draw the pictures of a batch below `home` and write its manifest, `m.yaml`."""
    for number in range(photos):
        draw(home / f"photos/p{number}.png", number)
    for number in range(paintings):
        draw(home / f"paintings/s{number}.png", 10 + number)
    return manifest(home)


def manifest(home: Path, entries: str = "", *, settings: str = FAST, output: str = "out") -> Path:
    """Write `m.yaml` below `home`; every photo in every style, unless `entries` says otherwise."""
    entries = entries or "contents: ['photos/*']\nstyles: ['paintings/*']"
    path = home / "m.yaml"
    path.write_text(f"version: 1\noutput: {output}\nsettings: {{{settings}}}\n{entries}\n")
    return path


def stylize(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own, to its end."""
    return subprocess.run(
        [sys.executable, "-c", "from flows.cli.app import main; main()", *map(str, arguments)],
        env={**_scrubbed(), "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def stylize_here(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """The same in this process, for tests to whom what the command does matters, and not how it begins."""
    from typer.testing import CliRunner  # not for programs of tests that do without it

    from flows.cli.app import app

    words = list(map(str, arguments))
    ended = CliRunner().invoke(app, words)
    if ended.exception and not isinstance(ended.exception, SystemExit):
        raise ended.exception
    return subprocess.CompletedProcess(words, ended.exit_code, ended.stdout, ended.stderr)


def stylize_family(*arguments: str | Path, **environment: str) -> AbstractContextManager[Family]:
    """The command in a process group of its own, all that it prints on its standard output."""
    given = ["stylize", *map(str, arguments)]
    script = (
        f"import sys; sys.stderr = sys.stdout; sys.argv = {given!r}\nfrom flows.cli.app import main; main()"
    )
    return family(script, **environment)


def _scrubbed() -> dict[str, str]:
    ours = ("PREFECT", "PYTHON")
    return {key: value for key, value in os.environ.items() if not key.startswith(ours)}


@dataclass
class Audience:
    """A listener that remembers everything, and may act on a pair's progress."""

    on_progress: Callable[[PairProgress], None] = lambda _: None
    outcomes: list[Outcome] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def expect(self, pairs: int) -> None:
        pass

    def pair_progress(self, progress: PairProgress) -> None:
        self.on_progress(progress)

    def pair_ended(self, outcome: Outcome) -> None:
        self.outcomes.append(outcome)

    def note(self, text: str) -> None:
        self.notes.append(text)

    def statuses(self) -> dict[str, str]:
        return {outcome.name: outcome.status for outcome in self.outcomes}


def run_here(
    path: Path,
    audience: Audience,
    *,
    workers: int = 1,
    at_start: Callable[[LocalEngine], None] | None = None,
) -> Report:
    """A whole run, started in this process; `at_start` gets the engine when its workers are ready."""
    engine = _Watched(audience, at_start, ProcessWorker)
    return run_shard(load_manifest(path), device="cpu", workers=workers, listener=audience, engine=engine)


def run_inside(
    given: Path | Manifest,
    audience: Audience,
    *,
    shard: Shard = WHOLE,
    selection: Selection = EVERYTHING,
    at_start: Callable[[LocalEngine], None] | None = None,
) -> Report:
    """The same without a process for the worker: for tests of what a run does with what was made.

    A process of its own costs as much as a hundred such pairs.
    """
    link.connect(audience.pair_progress, lambda: False)
    engine = _Watched(audience, at_start, worker_inside)
    try:
        return run_shard(
            load_manifest(given) if isinstance(given, Path) else given,
            shard,
            selection=selection,
            device="cpu",
            workers=1,
            listener=audience,
            engine=engine,
        )
    finally:
        link.connect(lambda _: None, lambda: False)
        link.stop_here(stopped=False)


def worker_inside(device: str, spec: WorkerSpec, on_progress: object) -> DeviceWorker:
    """A worker of an engine that is in this process; its progress goes where the link leads."""
    from flows.worker.main import DeviceWorker  # torch: not for programs of tests that do without it

    return DeviceWorker(device, threads=spec.threads, batch=spec.batch)


class _Watched(LocalEngine):
    """An engine that shows itself to a test between its start and its first pair."""

    def __init__(
        self, audience: Audience, at_start: Callable[[LocalEngine], None] | None, make_worker: MakeWorker
    ) -> None:
        super().__init__(on_progress=audience.pair_progress, note=audience.note, make_worker=make_worker)
        self._at_start = at_start

    def start(self, spec: WorkerSpec) -> tuple[str, ...]:
        devices = super().start(spec)
        if self._at_start:
            self._at_start(self)
        return devices


def processes_of(engine: LocalEngine) -> list[WorkerProcess]:
    """The processes of an engine's workers, which tests harm."""
    return [worker.process for worker in engine.workers if isinstance(worker, ProcessWorker)]


def pids_of(engine: LocalEngine) -> list[int]:
    """The process ids of an engine's living workers."""
    return [process.pid for process in processes_of(engine) if process.pid]


def record(home: Path, name: str) -> Record:
    """A pair's record below the output `out`."""
    return Record.parse((home / f"out/{name}.json").read_bytes())


def report(home: Path, output: str = "out") -> dict[str, Any]:
    """What the last run wrote about itself."""
    facts: dict[str, Any] = json.loads((home / output / REPORT_NAME).read_text())
    return facts


def tree(folder: Path) -> dict[str, bytes]:
    """Every file below the folder but those on runs; records without times and places."""
    files = (path for path in folder.rglob("*") if path.is_file() and not is_about_a_run(path))
    return {str(path.relative_to(folder)): _lasting(path) for path in files}


def written_at(folder: Path) -> dict[str, int]:
    """When each file below the folder was written, but for those on runs."""
    files = (path for path in folder.rglob("*") if path.is_file() and not is_about_a_run(path))
    return {str(path.relative_to(folder)): path.stat().st_mtime_ns for path in files}


def is_about_a_run(path: Path) -> bool:
    """Whether it is a report, a trace or a page, of which each run makes new ones."""
    return any(shard_of(path.name) for shard_of in (report_shard, trace_shard, page_shard))


def _lasting(path: Path) -> bytes:
    return timeless(path.read_bytes()) if path.suffix == ".json" else path.read_bytes()
