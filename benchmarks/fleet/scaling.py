"""One manifest through a fleet with one worker, and with two: what the second machine adds."""

from __future__ import annotations

import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.table import Table

from benchmarks.fleet.parent import POOL, report_of_fleet, run_parent, site
from benchmarks.pictures import IMAGES

if TYPE_CHECKING:
    from prefect_site import Site

CONTENTS = 16
SHARDS = 8
STEPS = 50
WORTH_IT = 0.9
"""The efficiency that two workers on two cores have at least."""
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


def fleet_speeds(*, rounds: int, steps: int = STEPS) -> Mapping[int, Sequence[Speed]]:
    """Nights with one worker and with two.

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
    return found


def efficiency(found: Mapping[int, Sequence[Speed]]) -> float:
    """Pairs per hour of two workers against twice those of one; 1 if the second adds as much as the first."""
    return _rate(found[2]) / _rate(found[1]) / 2


def fleet_scaling_table(found: Mapping[int, Sequence[Speed]], *, steps: int = STEPS) -> Table:
    """The nights, and the efficiency."""
    pairs = found[1][0].pairs
    title = f"{pairs} pairs, slim, {SIZE_PX} px, {steps} steps, {SHARDS} shards"
    table = Table("workers", "seconds", "pairs/hour", "load of the machine", title=title)
    for workers, speeds in found.items():
        seconds = ", ".join(f"{speed.seconds:.0f}" for speed in speeds)
        loads = ", ".join(f"{speed.load:.1f}" for speed in speeds)
        table.add_row(str(workers), seconds, f"{_rate(speeds):.0f}", loads)
    table.add_section()
    table.add_row("efficiency", "", f"{efficiency(found):.2f}", "")
    return table


def _rate(speeds: Sequence[Speed]) -> float:
    return statistics.median(speed.per_hour for speed in speeds)


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
