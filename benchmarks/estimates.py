"""What was estimated before runs, and during them, against what happened; by a calibration alone.

Seven runs: small and large pictures, both kinds of networks, pairs that fail, a run that is broken off and
goes on. Before each what the last one measured is forgotten, so all rest on the one calibration.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import safetensors.torch
from rich.table import Table

from benchmarks.pictures import IMAGES, weights_for
from flows.cli.counts import Counts
from flows.manifest.load import load_manifest
from flows.model.estimate import Prospect
from flows.model.events import PairProgress
from flows.model.pair import Outcome
from flows.planning.plan import make_plan
from flows.records.experience import FOLDER, experience_file
from flows.records.store import read_record
from flows.running.budget import Budget
from flows.running.estimating.calibration import measure
from flows.running.estimating.prospects import prospect_of
from flows.running.run import run_shard
from flows.storage.opening import open_storage

CONTENTS = ("town", "landscape", "still_life")
TENTH = 0.1


@dataclass(frozen=True, slots=True)
class Case:
    """One run: its settings, how many contents, and of those how many are broken."""

    name: str
    settings: str
    contents: int
    styles: int = 1
    broken: int = 0
    broken_off: bool = False


@dataclass(slots=True)
class Watching:
    """A listener that asks after a tenth of the work how long the rest will take, and then sees."""

    counts: Counts = field(default_factory=Counts)
    asked_at: float = 0.0
    said_s: float | None = None
    ended_at: float = 0.0

    def phase(self, text: str) -> None:
        """Of no use here."""

    def foresee(self, prospect: Prospect) -> None:
        """What is expected."""
        self.counts.foresee(prospect)

    def expect(self, pairs: int) -> None:
        """So many pairs are to do."""
        self.counts.expected = pairs

    def pair_progress(self, progress: PairProgress) -> None:
        """Ask once."""
        self.counts.progress(progress)
        if self.said_s is None and self.counts.share >= TENTH:
            self.asked_at, self.said_s = time.monotonic(), self.counts.forecast.seconds_left

    def pair_ended(self, outcome: Outcome) -> None:
        """See when the last one has."""
        self.counts.ended(outcome)
        self.ended_at = time.monotonic()

    def note(self, text: str) -> None:
        """Of no use here."""


def estimates_table() -> Table:
    """Seconds, memory and the time left after a tenth of the work: estimated, measured, and their ratio."""
    table = Table("run", "pairs", "seconds", "measured", "ratio", "memory", "measured", "ratio",
                  "left after a tenth", "measured", "ratio",
                  title="estimated by one calibration, and measured")  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="stylize-estimates-") as name, _experience_in(Path(name)):
        folder = Path(name)
        cases = _cases(_vgg_file(folder))
        for case in cases:
            _write(case, folder)
        _calibrate(cases, folder)
        for case in cases:
            table.add_row(*_row(case, folder))
    return table


def _cases(vgg: str) -> list[Case]:
    slim, large = "encoder: slim", f"encoder: vgg19, weights: {vgg}, coarsest: 96"
    return [
        Case("slim, 128 px", f"{slim}, size: 128, steps: 200", contents=4, styles=4),
        Case("slim, 512 px", f"{slim}, size: 512, steps: 200", contents=3),
        Case("slim, 896 px, noise", f"{slim}, size: 896, steps: 100, init: noise", contents=1),
        Case("vgg19, 288 px", f"{large}, size: 288, steps: 60", contents=1),
        Case("vgg19, 512 px, Adam", f"{large}, size: 512, steps: 50, optimizer: adam", contents=1),
        Case("slim, 320 px, 1 of 12 fails", f"{slim}, size: 320, steps: 100", contents=12, broken=1),
        Case("slim, 320 px, broken off", f"{slim}, size: 320, steps: 200", contents=8, broken_off=True),
    ]


def _vgg_file(folder: Path) -> str:
    """Random weights of VGG-19, which cost as much as any, as a manifest names them."""
    data = safetensors.torch.save({**weights_for("vgg19", None).parameters})
    (folder / "vgg19.safetensors").write_bytes(data)
    digest = hashlib.sha256(data).hexdigest()
    return f"{{file: {folder}/vgg19.safetensors, sha256: {digest}}}"


def _write(case: Case, folder: Path) -> None:
    """The case's pictures and its manifest."""
    home = _home(case, folder)
    (home / "in").mkdir(parents=True)
    for number in range(case.contents):
        picture = IMAGES / f"contents/{CONTENTS[number % len(CONTENTS)]}.jpg"
        path = home / f"in/{number}.jpg"
        if number < case.broken:
            path.write_bytes(picture.read_bytes()[:2000])
        else:
            shutil.copyfile(picture, path)
    styles = [str(path) for path in sorted((IMAGES / "styles").glob("*.jpg"))][: case.styles]
    (home / "m.yaml").write_text(
        f"version: 1\noutput: out\ndevice: cpu\nsettings: {{{case.settings}}}\n"
        f"contents: ['in/*']\nstyles: {styles}\n"
    )


def _home(case: Case, folder: Path) -> Path:
    return folder / case.name.replace(" ", "-").replace(",", "")


@contextmanager
def _experience_in(folder: Path) -> Iterator[None]:
    """Nothing of what this user's runs have measured counts, and nothing is added to it."""
    before = os.environ.get(FOLDER)
    os.environ[FOLDER] = str(folder / "measured")
    try:
        yield
    finally:
        os.environ.pop(FOLDER)
        if before is not None:
            os.environ[FOLDER] = before


def _calibrate(cases: list[Case], folder: Path) -> None:
    """As `stylize plan --calibrate` does it, for every kind of pairs that the cases have."""
    for case in (cases[0], cases[1], cases[3], cases[4]):
        manifest = load_manifest(str(_home(case, folder) / "m.yaml"))
        measure(make_plan(manifest), manifest, Watching())
    shutil.copyfile(experience_file(), folder / "calibrated.json")


def _row(case: Case, folder: Path) -> list[str]:
    shutil.copyfile(folder / "calibrated.json", experience_file())
    manifest = load_manifest(str(_home(case, folder) / "m.yaml"))
    if case.broken_off:
        limit = 0.4 * (prospect_of(make_plan(manifest), manifest).seconds or 1.0)
        run_shard(manifest, budget=Budget(limit, "enough for a test"), listener=Watching())
        shutil.copyfile(folder / "calibrated.json", experience_file())
    plan = make_plan(manifest)
    expected, watching = prospect_of(plan, manifest), Watching()
    report = run_shard(manifest, listener=watching)
    storage = open_storage(manifest.output)
    records = [read_record(storage, planned.pair.record_name) for planned in plan.todo]
    peak = max((record.peak_memory_bytes or 0 for record in records if record), default=0)
    memory = max(one.memory_bytes or 0 for one in expected.pairs)
    left_s = watching.ended_at - watching.asked_at
    return [
        case.name,
        str(len(plan.todo)),
        *_compared(expected.seconds, report.seconds, "{:.1f}"),
        *_compared(memory / 1e6, peak / 1e6, "{:.0f} MB"),
        *_compared(watching.said_s, left_s, "{:.1f}"),
    ]


def _compared(said: float | None, measured: float, form: str) -> tuple[str, str, str]:
    if said is None or not measured:
        return ("none" if said is None else form.format(said)), form.format(measured), ""
    return form.format(said), form.format(measured), f"{said / measured:.2f}"
