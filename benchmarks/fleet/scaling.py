"""One manifest through a fleet with one worker, and with two: what the second machine adds."""

from __future__ import annotations

import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.table import Table

from benchmarks.fleet.parent import POOL, report_of_fleet, run_parent, site
from benchmarks.pictures import IMAGES

if TYPE_CHECKING:
    from prefect_site import Site

CONTENTS = 24
SHARDS = 8
STEPS = 60
SIZE_PX = 256
"""Pictures of this size are computed by one thread, so a worker with one process takes one core."""
MANIFEST = """version: 1
output: {output}
settings: {{encoder: slim, size: {size}, steps: {steps}}}
contents: [{folder}/contents/*]
styles: [{images}/styles/*.jpg]
"""


@dataclass(frozen=True, slots=True)
class Speed:
    """One night: pairs, seconds from the start of the parent's run to its report, load of the machine."""

    pairs: int
    seconds: float
    load: float

    @property
    def per_hour(self) -> float:
        """Pairs per hour."""
        return 3600 * self.pairs / self.seconds


def fleet_scaling_table(*, rounds: int, steps: int = STEPS) -> Table:
    """Pairs per hour with one worker and with two, and the efficiency: the ratio of these, halved.

    Each worker takes a shard at a time and has one thread. The two take turns, in another order each round;
    everything counts, from the parent's plan to its report, the start of each shard included.
    """
    found: dict[int, list[Speed]] = {1: [], 2: []}
    with tempfile.TemporaryDirectory() as name, site(Path(name, "site")) as (installation, _):
        folder = Path(name)
        (folder / "contents").mkdir()
        for number in range(CONTENTS):
            shutil.copy(IMAGES / "contents" / "town.jpg", folder / "contents" / f"{number:02d}.jpg")
        for number in range(rounds):
            for workers in (1, 2) if number % 2 == 0 else (2, 1):
                found[workers].append(_night(installation, folder, workers, number, steps))
    return _table(found, steps)


def _night(site: Site, folder: Path, workers: int, number: int, steps: int) -> Speed:
    output = folder / f"out{workers}_{number}"
    manifest = folder / f"{output.name}.yaml"
    manifest.write_text(
        MANIFEST.format(output=output, folder=folder, images=IMAGES, size=SIZE_PX, steps=steps)
    )
    names = [f"{output.name}-{index}" for index in range(workers)]
    for name in names:
        site.start_worker(name, POOL)
    _await_workers(site, names)
    try:
        run_parent(
            site,
            site.environment["PREFECT_API_URL"],
            lambda: time.sleep(1),
            manifest=str(manifest),
            shards=SHARDS,
            device="cpu",
            workers=1,
        )
        load = os.getloadavg()[1]
    finally:
        for name in names:
            site.end(name)
    report = report_of_fleet(site, output)
    if report["done"] != report["planned"]:
        raise RuntimeError(f"{report['done']} of {report['planned']} pairs were made: {report['reason']}")
    return Speed(report["done"], report["seconds"], load)


def _await_workers(site: Site, names: Sequence[str]) -> None:
    while not set(names) <= {one["name"] for one in site.ask(f"work_pools/{POOL}/workers/filter", {})}:
        time.sleep(1)


def _table(found: dict[int, list[Speed]], steps: int) -> Table:
    pairs = found[1][0].pairs
    title = f"{pairs} pairs, slim, {SIZE_PX} px, {steps} steps, {SHARDS} shards; all nights one after another"
    table = Table("workers", "seconds", "pairs/hour", "efficiency", "load of the machine", title=title)
    base = statistics.median(speed.per_hour for speed in found[1])
    for workers, speeds in found.items():
        rate = statistics.median(speed.per_hour for speed in speeds)
        table.add_row(
            str(workers),
            ", ".join(f"{speed.seconds:.0f}" for speed in speeds),
            f"{rate:.0f}",
            f"{rate / base / workers:.2f}",
            ", ".join(f"{speed.load:.1f}" for speed in speeds),
        )
    return table
