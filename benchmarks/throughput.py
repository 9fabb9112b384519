"""Pairs per hour: one run over 16 pairs against a fresh process for each pair, plan and start-up included."""

from __future__ import annotations

import tempfile
from pathlib import Path

from rich.table import Table

from benchmarks.many_pairs.batch import PAIRS, Cost, compared, in_rounds, stylize, write_manifest
from benchmarks.pictures import IMAGES


def throughput_table(*, size: int, steps: int, rounds: int) -> Table:
    """Wall seconds of both ways, and their ratio."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ways = {
            "a process per pair (`stylize one`)": lambda number: _alone(folder / str(number), size, steps),
            "one run": lambda number: _together(folder, f"out{number}", size, steps),
        }
        costs = in_rounds(ways, rounds)
    return compared("way", costs, title=f"{PAIRS} pairs, slim, {size} px, {steps} steps")


def _together(folder: Path, output: str, size: int, steps: int) -> Cost:
    return stylize("run", str(write_manifest(folder, output=output, size=size, steps=steps)))


def _alone(folder: Path, size: int, steps: int) -> Cost:
    contents = [*sorted((IMAGES / "contents").glob("*.jpg")), IMAGES / "styles/impasto.jpg"]
    settings = ("-s", f"size={size}", "-s", f"steps={steps}")
    costs = []
    for number, content in enumerate(contents):
        for style in sorted((IMAGES / "styles").glob("*.jpg")):
            out = folder / f"{number}_{style.stem}.png"
            costs.append(stylize("one", str(content), str(style), "-o", str(out), *settings))
    return Cost(sum(cost.seconds for cost in costs), max(cost.peak_bytes for cost in costs))
