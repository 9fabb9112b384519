"""What some settings do to the result: how far each solver gets, and how far each way keeps the colours."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import torch
from rich.table import Table
from torch import Tensor

from benchmarks.pictures import benchmark_settings, objective_for, picture, weights_for
from benchmarks.precision import PAIRS
from stylize_core.device import choose_precision
from stylize_core.loss.colour import luminance
from stylize_core.networks.encoder import encoder_for
from stylize_core.optim.minimise import minimise
from stylize_core.settings.recipes import defaults_of
from stylize_core.settings.style import StyleSettings
from stylize_core.transfer import stylize

SOLVERS: dict[str, dict[str, Any]] = {
    "lbfgs": {},
    "history 40": {"history": 40},
    "history 100": {"history": 100},
    "adam": {"optimizer": "adam"},
    "gd": {"optimizer": "gd"},
}
COLOURS = ("style", "luminance", "match")
MORE_PAIRS = (*PAIRS, ("contents/landscape", "styles/flow"), ("contents/still_life", "styles/ink_waves"))
ONCE = defaults_of(1)
DEFAULTS: dict[str, dict[str, Any]] = {
    "once": {key: ONCE[key] for key in ("coarsest", "diagonal_gain")},
    "now": {},
    "now, history 40": {"history": 40},
}
"""Ways to one and the same objective, today's: what a recipe says of the solver and of the sizes."""


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


def defaults_table(*, sizes: Sequence[int], steps: int) -> Table:
    """The objective as saved, judged in float32, and the seconds of `steps` evaluations, pair by pair.

    The pictures are made as workers make them, by what the defaults once said of sizes and solver and by what
    they say now.
    """
    title = f"slim, the objective as saved after {steps} evaluations, and seconds"
    columns = [word for way in DEFAULTS for word in (way, "s")]
    table = Table("px", "pair", *columns, title=title)
    for size in sizes:
        for pair in MORE_PAIRS:
            content, style = (picture(name, size) for name in pair)
            judge = objective_for(
                weights_for("slim", None), StyleSettings(size=size), content, style, torch.float32
            )
            cells = []
            for chosen in DEFAULTS.values():
                began = time.perf_counter()
                made = _stylised(content, style, StyleSettings(size=size, steps=steps, **chosen))
                seconds = time.perf_counter() - began
                cells += [f"{float(judge(made)[0]):.4g}", f"{seconds:.1f}"]
            table.add_row(str(size), _name(pair), *cells)
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
    return _stylised(content, style, chosen)


def _stylised(content: Tensor, style: Tensor, settings: StyleSettings) -> Tensor:
    """What a worker on a CPU makes of them, cut to 0..1."""
    precision = choose_precision(
        settings.precision, torch.device("cpu"), size=settings.picture_size.expected_px
    )
    encoder = encoder_for(
        settings, weights_for("slim", None), device=torch.device("cpu"), precision=precision
    )
    return stylize(content, style, settings=settings, encoder=encoder).image_bchw.clamp(0, 1)


def _chroma(image_bchw: Tensor) -> Tensor:
    """What a picture has beyond its luminance, [B, 3, H, W]."""
    return image_bchw.clamp(0, 1) - luminance(image_bchw.clamp(0, 1))


def _name(pair: tuple[str, str]) -> str:
    return " x ".join(name.split("/")[1] for name in pair)
