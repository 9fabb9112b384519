"""What bf16 costs: the objective after equal evaluations, judged in fp32, beside that of fp32."""

from __future__ import annotations

import time
from dataclasses import replace

import torch
from rich.table import Table

from benchmarks.pictures import benchmark_settings, objective_for, picture, weights_for
from stylize_core.architecture import Architecture
from stylize_core.networks.weights import Weights
from stylize_core.optim.minimise import minimise
from stylize_core.settings.style import StyleSettings

PAIRS = (
    ("contents/town", "styles/flow"),
    ("contents/landscape", "styles/impasto"),
    ("contents/still_life", "styles/mosaic"),
    ("contents/town", "styles/ink_waves"),
)


def _settings(weights: Weights, size: int, steps: int) -> StyleSettings:
    """The defaults, or as deep as weights go that end before them."""
    settings = benchmark_settings(weights.architecture, size=size, steps=steps)
    if set(settings.layers) <= set(weights.layers):
        return settings
    return replace(settings, content_layers=(weights.layers[-2],), style_layers=weights.layers[::2])


def precision_table(encoder: Architecture, *, size: int, steps: int, file: str | None) -> Table:
    """Both objectives after `steps` evaluations and the seconds they took, pair by pair."""
    weights = weights_for(encoder, file)
    settings = _settings(weights, size, steps)
    title = f"{encoder}, {size} px, {steps} evaluations, judged in fp32"
    table = Table("pair", "fp32", "bf16", "difference", "time of bf16", title=title)
    for content_name, style_name in PAIRS:
        content, style = picture(content_name, size), picture(style_name, size)
        judge = objective_for(weights, settings, content, style, torch.float32)
        reached, seconds = [], []
        for dtype in (torch.float32, torch.bfloat16):
            objective = objective_for(weights, settings, content, style, dtype)
            began = time.perf_counter()
            image, _ = minimise(objective, content.clone(), settings=settings, exact=lambda: judge)  # noqa: B023
            seconds.append(time.perf_counter() - began)
            reached.append(float(judge(image)[0]))
        exact, small = reached
        name = f"{content_name.split('/')[1]} x {style_name.split('/')[1]}"
        shares = f"{small / exact - 1:+.2%}", f"{seconds[1] / seconds[0]:.2f}"
        table.add_row(name, f"{exact:.4g}", f"{small:.4g}", *shares)
    return table
