"""Large pictures: what a process holds at most, and what a megapixel takes, as a whole and in tiles."""

from __future__ import annotations

import multiprocessing
import re
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from rich.table import Table
from torch import Tensor

from benchmarks.pictures import picture, weights_for
from stylize_core.architecture import Architecture
from stylize_core.demand.rungs import WHOLE, Rung
from stylize_core.device import choose_precision
from stylize_core.networks.encoder import Encoder
from stylize_core.pyramid.level import resized
from stylize_core.settings.style import StyleSettings
from stylize_core.transfer import stylize

EVALUATIONS = 8
_PEAK = re.compile(r"VmHWM:\s*([0-9]+) kB")


@dataclass(frozen=True, slots=True)
class Case:
    """One picture, px, and the way in which it is made."""

    encoder: Architecture
    width: int
    height: int
    rung: Rung = WHOLE


CASES = (
    Case("slim", 2048, 1536),
    Case("slim", 2048, 1536, Rung(512)),
    Case("vgg19", 1024, 768),
    Case("vgg19", 1024, 768, Rung(512)),
    Case("vgg19", 2048, 1536, Rung(512)),
    Case("slim", 4096, 3072, Rung(512, history=4)),
    Case("slim", 8192, 6144, Rung(512, history=2)),
)


def large_table(*, file: str | None, most_megapixels: float) -> Table:
    """Each case in a process of its own: its peak, and seconds for an evaluation of a megapixel."""
    table = Table(title=f"Large pictures, {EVALUATIONS} evaluations at the full size")
    for heading in ("network", "picture", "made", "peak, GB", "s for an evaluation of 1 megapixel"):
        table.add_column(heading, justify="left" if heading in ("network", "made") else "right")
    spawn = multiprocessing.get_context("spawn")
    for case in CASES:
        if case.width * case.height > most_megapixels * 1e6:
            continue
        with spawn.Pool(1) as pool:
            peak, seconds = pool.apply(_made, (case, file))
        pace = seconds / EVALUATIONS / (case.width * case.height / 1e6)
        size = f"{case.width}x{case.height}"
        table.add_row(case.encoder, size, case.rung.words(), f"{peak / 1e9:.2f}", f"{pace:.3f}")
    return table


def _made(case: Case, file: str | None) -> tuple[int, float]:
    """The most that this process has held by the end, bytes, and the seconds that the picture took."""
    asked = StyleSettings(encoder=case.encoder, size=case.width, steps=EVALUATIONS, scales=1)
    settings = case.rung.settings(asked)
    precision = choose_precision("auto", torch.device("cpu"), size=case.width)
    encoder = Encoder(
        weights_for(case.encoder, file),
        layers=settings.layers,
        dtype=torch.bfloat16 if precision == "bf16" else torch.float32,
    )
    content, style = _enlarged(case), picture("styles/flow", 512)
    began = time.monotonic()
    stylize(content, style, settings=settings, encoder=encoder, tile_px=case.rung.tile_px)
    found = _PEAK.search(Path("/proc/self/status").read_text())
    return int(found[1]) * 1024 if found else 0, time.monotonic() - began


def _enlarged(case: Case) -> Tensor:
    return resized(picture("contents/town", 1024), case.height, case.width).clamp(0, 1)
