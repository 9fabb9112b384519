"""Whole commands on a batch of 16 pairs, with the time and the memory that they cost."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.table import Table

from benchmarks.pictures import IMAGES

ROOT = Path(__file__).parents[2]
PAIRS = 16
MANIFEST = """version: 1
output: {output}
settings: {{encoder: slim, size: {size}, steps: {steps}}}
contents: [{images}/contents/town.jpg, {images}/contents/landscape.jpg,
           {images}/contents/still_life.jpg, {images}/styles/impasto.jpg]
styles: [{images}/styles/*.jpg]
"""
# In a process between, because a process counts the memory of the one that it was forked from as its own.
MEASURE = """
import os, subprocess, sys, time
began = time.perf_counter()
start, *arguments = sys.argv[1:]
command = [sys.executable, "-c", start, *arguments]
program = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
_, status, usage = os.wait4(program.pid, 0)
print(time.perf_counter() - began, usage.ru_maxrss)
program.returncode = os.waitstatus_to_exitcode(status)
sys.exit(program.returncode)
"""


@dataclass(frozen=True, slots=True)
class Cost:
    """What a command took: wall seconds, and the memory of the largest process among it and its children."""

    seconds: float
    peak_bytes: int


def write_manifest(folder: Path, *, output: str, size: int, steps: int, images: Path = IMAGES) -> Path:
    """A manifest of four of the project's pictures in its four styles."""
    path = folder / f"{output}.yaml"
    path.write_text(MANIFEST.format(output=folder / output, size=size, steps=steps, images=images))
    return path


def stylize(*arguments: str, checkout: Path = ROOT) -> Cost:
    """Run the command `stylize` of a checkout in a process of its own.

    Raises:
        subprocess.CalledProcessError: it did not succeed.
    """
    environment = {**os.environ, "PYTHONPATH": str(checkout)}
    told = subprocess.run(
        measuring(_start(checkout), *arguments),
        check=True, stdout=subprocess.PIPE, text=True, env=environment, cwd=checkout,
    ).stdout  # fmt: skip
    return cost_of(told)


def measuring(start: str, *arguments: str) -> list[str]:
    """A command that runs some lines of Python in a process of their own, and prints what that cost."""
    return [sys.executable, "-c", MEASURE, start, *arguments]


def cost_of(told: str) -> Cost:
    """What such a command printed."""
    seconds, peak = told.split()
    return Cost(float(seconds), int(peak) * (1 if sys.platform == "darwin" else 1024))


def in_rounds(ways: Mapping[str, Callable[[int], Cost]], rounds: int) -> dict[str, list[Cost]]:
    """The cost of each way per round; the ways, which are told the round, alternate."""
    costs: dict[str, list[Cost]] = {name: [] for name in ways}
    for number in range(rounds):
        for name, way in ways.items():
            costs[name].append(way(number))
    return costs


def compared(first: str, costs: Mapping[str, Sequence[Cost]], *, title: str) -> Table:
    """The ways in a table, the first being what the others are compared with."""
    table = Table(first, "seconds", "spread", "peak memory", "pairs/hour", "ratio", title=title)
    base = median_s(next(iter(costs.values())))
    for way, found in costs.items():
        seconds = median_s(found)
        table.add_row(way, *row(found), f"{PAIRS * 3600 / seconds:.0f}", f"{base / seconds:.2f}")
    return table


def row(costs: Sequence[Cost]) -> tuple[str, str, str]:
    """Median seconds, their spread, and the peak memory, as cells of a table."""
    seconds = [cost.seconds for cost in costs]
    spread = f"{min(seconds):.1f}-{max(seconds):.1f}"
    return (
        f"{statistics.median(seconds):.1f}",
        spread,
        f"{max(cost.peak_bytes for cost in costs) / 2**20:.0f} MB",
    )


def median_s(costs: Sequence[Cost]) -> float:
    """The median of the seconds."""
    return statistics.median(cost.seconds for cost in costs)


def _start(checkout: Path) -> str:
    """The lines that run the command of a checkout, wherever that one has it."""
    scripts = tomllib.loads((checkout / "pyproject.toml").read_text())["project"]["scripts"]
    module, _, function = scripts["stylize"].partition(":")
    return f"from {module} import {function}; {function}()"
