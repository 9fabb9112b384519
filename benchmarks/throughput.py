"""Pairs per hour: one run over 16 pairs against a fresh process for each pair, plan and start-up included."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.table import Table

from benchmarks.pictures import IMAGES

MANIFEST = """version: 1
output: {folder}
settings: {{encoder: slim, size: {size}, steps: {steps}}}
contents: [{images}/contents/town.jpg, {images}/contents/landscape.jpg,
           {images}/contents/still_life.jpg, {images}/styles/impasto.jpg]
styles: [{images}/styles/*.jpg]
"""


def throughput_table(*, size: int, steps: int) -> Table:
    """Wall seconds of both ways, and their ratio."""
    with tempfile.TemporaryDirectory() as folder:
        together = _together(Path(folder), size, steps)
        alone = _alone(Path(folder), size, steps)
    table = Table("way", "seconds", "pairs/hour", "ratio", title=f"16 pairs, slim, {size} px, {steps} steps")
    table.add_row("a process per pair", f"{alone:.1f}", f"{16 * 3600 / alone:.0f}", "1.00")
    table.add_row("one run", f"{together:.1f}", f"{16 * 3600 / together:.0f}", f"{alone / together:.2f}")
    return table


def _together(folder: Path, size: int, steps: int) -> float:
    manifest = folder / "m.yaml"
    manifest.write_text(MANIFEST.format(folder=folder / "out", size=size, steps=steps, images=IMAGES))
    return _timed("run", str(manifest))


def _alone(folder: Path, size: int, steps: int) -> float:
    contents = [*sorted((IMAGES / "contents").glob("*.jpg")), IMAGES / "styles/impasto.jpg"]
    total = 0.0
    for number, content in enumerate(contents):
        for style in sorted((IMAGES / "styles").glob("*.jpg")):
            out = folder / f"{number}_{style.stem}.png"
            settings = ("-s", f"size={size}", "-s", f"steps={steps}")
            total += _timed("one", str(content), str(style), "-o", str(out), *settings)
    return total


def _timed(*arguments: str) -> float:
    began = time.perf_counter()
    command = [sys.executable, "-c", "from flows.cli import main; main()", *arguments]
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - began
