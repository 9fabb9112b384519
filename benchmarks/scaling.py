"""One run with one worker process, with two, with four: what each further one adds."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path

from rich.table import Table

from benchmarks.many_pairs.batch import PAIRS, Cost, compared, in_rounds, stylize, write_manifest
from flows.worker.devices import slots, usable_cores


def scaling_table(*, size: int, steps: int, rounds: int) -> Table:
    """Wall seconds by the number of workers; on a CPU each has its share of the cores."""
    devices = slots("auto")
    most = usable_cores() if devices == ("cpu",) else len(devices)
    counts = [count for count in (1, 2, 4, 8) if count <= most]
    with tempfile.TemporaryDirectory() as folder:
        ways = {str(count): partial(_run, Path(folder), count, size, steps) for count in counts}
        costs = in_rounds(ways, rounds)
    title = f"{PAIRS} pairs, slim, {size} px, {steps} steps, start-up included"
    return compared("workers", costs, title=title)


def _run(folder: Path, workers: int, size: int, steps: int, number: int) -> Cost:
    path = write_manifest(folder, output=f"out{workers}_{number}", size=size, steps=steps)
    return stylize("run", str(path), "--workers", str(workers))
