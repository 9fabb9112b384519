"""Large pictures: what a process holds at most, and what a megapixel takes, as a whole and in tiles."""

from __future__ import annotations

import argparse
import multiprocessing
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from benchmarks.pictures import picture, weights_for
from flows.worker.torch_environment import keep_memory
from stylize_core.architecture import Architecture
from stylize_core.demand.rungs import WHOLE, Rung
from stylize_core.device import choose_precision
from stylize_core.networks.encoder import Encoder
from stylize_core.optim.watching import Checkpoints
from stylize_core.pyramid.level import ViewSpec, resized, targets_seen
from stylize_core.settings.style import StyleSettings
from stylize_core.transfer import stylize

_PEAK = re.compile(r"VmHWM:\s*([0-9]+) kB")


@dataclass(frozen=True, slots=True)
class Case:
    """One picture, px, and the way in which it is made, with so many evaluations at the full size."""

    encoder: Architecture
    width: int
    height: int
    rung: Rung = WHOLE
    evaluations: int = 12

    @property
    def words(self) -> str:
        """What `--case` is compared with."""
        return f"{self.encoder} {self.width}x{self.height} {self.rung.words()}"


CASES = (
    Case("slim", 2048, 1536),
    Case("slim", 2048, 1536, Rung(512)),
    Case("vgg19", 1024, 768),
    Case("vgg19", 1024, 768, Rung(512)),
    Case("vgg19", 2048, 1536),
    Case("vgg19", 2048, 1536, Rung(512)),
    Case("slim", 4096, 3072, Rung(512, history=4)),
    Case("slim", 4096, 3072),
    Case("slim", 8192, 6144, Rung(512, history=1), evaluations=4),
    Case("slim", 16000, 12000, Rung(512, history=1), evaluations=3),
)

HEADING = """\
| network | picture, px | made | precision | peak, GB | s for an evaluation of 1 megapixel |
| --- | --- | --- | --- | --- | --- |"""


def add_options(parser: argparse.ArgumentParser) -> None:
    """What can be asked of `large`."""
    parser.add_argument("--megapixels", type=float, default=13, help="the largest picture for large")
    parser.add_argument("--case", help="for large: only rows with these words, such as 'slim 8192x6144'")
    parser.add_argument(
        "--precision", choices=("auto", "fp32", "bf16"), default="auto", help="of the network, for large"
    )


def large_rows(options: argparse.Namespace) -> Iterator[str]:
    """Each case in a process of its own: its peak, and seconds for an evaluation of a megapixel."""
    yield HEADING
    spawn = multiprocessing.get_context("spawn")
    for case in CASES:
        megapixels = case.width * case.height / 1e6
        if options.case not in case.words if options.case else megapixels > options.megapixels:
            continue
        with spawn.Pool(1) as pool:
            precision, peak, seconds = pool.apply(_made, (case, options.weights, options.precision))
        size, made = f"{case.width}x{case.height}", case.rung.words()
        pace = f"{seconds / megapixels:.3f}"
        yield f"| {case.encoder} | {size} | {made} | {precision} | {peak / 1e9:.2f} | {pace} |"


def _made(case: Case, file: str | None, precision: str) -> tuple[str, int, float]:
    """The precision, the most that this process has held by the end, bytes, and seconds for an evaluation."""
    asked = StyleSettings(encoder=case.encoder, size=case.width, steps=case.evaluations, scales=1)
    settings = case.rung.settings(asked)
    keep_memory(in_tiles=bool(case.rung.tile_px))  # as the workers do
    if precision == "auto":
        precision = choose_precision("auto", torch.device("cpu"), size=case.width)
    encoder = Encoder(
        weights_for(case.encoder, file),
        layers=settings.layers,
        dtype=torch.bfloat16 if precision == "bf16" else torch.float32,
    )
    content, style = _enlarged(case.width, case.height), picture("styles/flow", 512)
    ends = list[float]()
    every = Checkpoints(lambda _: ends.append(time.monotonic()))
    view = ViewSpec(tile_px=case.rung.tile_px)
    targets = targets_seen(view, encoder, style, settings, meant_px=case.width)  # as the workers do
    stylize(
        content, targets, settings=settings, encoder=encoder, checkpoints=every, tile_px=case.rung.tile_px
    )
    found = _PEAK.search(Path("/proc/self/status").read_text())
    return precision, int(found[1]) * 1024 if found else 0, (ends[-1] - ends[0]) / (len(ends) - 1)


def _enlarged(width: int, height: int) -> Tensor:
    return resized(picture("contents/town", 1024), height, width).clamp_(0, 1)
