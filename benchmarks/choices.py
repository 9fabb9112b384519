"""What some settings do to the result: how far each solver gets, and how far each way keeps the colours."""

from __future__ import annotations

from typing import Any

import torch
from rich.table import Table
from torch import Tensor

from benchmarks.pictures import benchmark_settings, objective_for, picture, weights_for
from benchmarks.precision import PAIRS
from stylize_core.loss.colour import luminance
from stylize_core.networks.encoder import Encoder
from stylize_core.optim.minimise import minimise
from stylize_core.transfer import stylize

SOLVERS: dict[str, dict[str, Any]] = {
    "lbfgs": {},
    "history 40": {"history": 40},
    "history 100": {"history": 100},
    "adam": {"optimizer": "adam"},
    "gd": {"optimizer": "gd"},
}
COLOURS = ("style", "luminance", "match")


def solvers_table(*, size: int, steps: int) -> Table:
    """The objective at the start and after `steps` evaluations in float32 with each solver, pair by pair."""
    title = f"slim, {size} px, the objective after {steps} evaluations"
    table = Table("pair", "at the start", *SOLVERS, title=title)
    for pair in PAIRS:
        content, style = (picture(name, size) for name in pair)
        losses = []
        for chosen in SOLVERS.values():
            settings = benchmark_settings(size=size, steps=steps, **chosen)
            objective = objective_for(weights_for("slim", None), settings, content, style, torch.float32)
            made, _ = minimise(objective, content.clone(), settings=settings)
            losses.append(float(objective(made)[0]))
        table.add_row(_name(pair), *(f"{loss:.4g}" for loss in (float(objective(content)[0]), *losses)))
    return table


def colours_table(*, size: int, steps: int) -> Table:
    """How far the chroma of a pixel moves away from the content's, on average, with each `colour`."""
    title = f"slim, {size} px, {steps} steps: mean distance of the chroma from the content's, 0..1"
    table = Table("pair", *COLOURS, title=title)
    for pair in PAIRS:
        content, style = (picture(name, size) for name in pair)
        moved = (
            _chroma(_made(content, style, size=size, steps=steps, colour=colour)) - _chroma(content)
            for colour in COLOURS
        )
        table.add_row(_name(pair), *(f"{float(step.square().sum(1).sqrt().mean()):.3f}" for step in moved))
    return table


def _made(content: Tensor, style: Tensor, **settings: Any) -> Tensor:
    chosen = benchmark_settings(precision="fp32", scales=1, **settings)
    encoder = Encoder(weights_for("slim", None), layers=chosen.layers, pooling=chosen.pooling)
    return stylize(content, style, settings=chosen, encoder=encoder).image_bchw


def _chroma(image_bchw: Tensor) -> Tensor:
    """What a picture has beyond its luminance, [B, 3, H, W]."""
    return image_bchw.clamp(0, 1) - luminance(image_bchw.clamp(0, 1))


def _name(pair: tuple[str, str]) -> str:
    return " x ".join(name.split("/")[1] for name in pair)
