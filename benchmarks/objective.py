"""Time to the same objective: plain PyTorch's 200 evaluations against ours until it is reached."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

import torch
from rich.table import Table

from benchmarks.pictures import benchmark_settings, picture, weights_for
from benchmarks.plain import PlainVGG, plain_loss, plain_optimisation
from stylize_core.architecture import Architecture
from stylize_core.loss.targets import Targets, style_targets
from stylize_core.networks.encoder import Encoder
from stylize_core.optim.watching import StepProgress
from stylize_core.pyramid.level import Level, ViewSpec, scaled
from stylize_core.pyramid.pyramid import Pyramid
from stylize_core.settings.style import StyleSettings

# Ways to go: number format, and number of sizes (0: as many as the size suggests).
WAYS = (
    ("chain, float32, one size", torch.float32, 1),
    ("chain, bfloat16, one size", torch.bfloat16, 1),
    ("chain, bfloat16, from coarse to fine", torch.bfloat16, 0),
)


class _Reached(Exception):
    pass


def objective_table(encoder: Architecture, *, size: int, steps: int, file: str | None) -> Table:
    """Seconds and evaluations to the objective that plain PyTorch has after `steps` evaluations.

    There are two goals by the float32 objective: that of the picture as it is saved, cut to 0..1, and that of
    the raw pixels, which no file can hold. Ours counts its penalty for such pixels against itself. With
    several sizes only the loss at the last one counts, and the evaluations and seconds of all.
    """
    settings = benchmark_settings(encoder, size=size, steps=steps)
    weights = weights_for(encoder, file)
    content, style = picture("contents/town", size), picture("styles/flow", size)
    loss = plain_loss(PlainVGG(weights, settings.layers), content, style, settings)
    image, seconds = plain_optimisation(loss, content, steps=steps)
    with torch.no_grad():
        goals = {"as saved": float(loss(image.clamp(0, 1))), "raw": float(loss(image))}
    table = Table("goal", "way", "evaluations", "seconds", "ratio", title=f"{encoder}, {size} px")
    for goal, value in goals.items():
        name = f"{value:.4g} ({goal})"
        table.add_row(name, "plain PyTorch, float32", str(steps), f"{seconds:.1f}", "1.00")
        for way, dtype, scales in WAYS:
            chosen = replace(settings, scales=scales, steps=2 * steps if scales == 1 else steps)
            encoder_in = Encoder(weights, layers=settings.layers, dtype=dtype)
            evaluations, ours, reached = _until(value, encoder_in, chosen, content, style)
            ratio = f"{seconds / ours:.2f}" if reached else "not reached"
            table.add_row("", way, str(evaluations), f"{ours:.1f}", ratio)
    return table


def _until(
    goal: float, encoder: Encoder, settings: StyleSettings, content: torch.Tensor, style: torch.Tensor
) -> tuple[int, float, bool]:
    """Evaluations and seconds until the smallest loss at full size is at most `goal`, and whether it was."""

    def measured(view: ViewSpec) -> tuple[Targets, Sequence[Targets]]:
        network = encoder.exact() if view.exact else encoder
        return style_targets(network, scaled(style, view.share), settings), ()

    began = time.perf_counter()
    final = Level(content, measured(ViewSpec())[0], (), replace(settings, margin=0))
    pyramid = Pyramid(final, measured, torch.clone)
    last = pyramid.stages(encoder)[-1]
    step = 0

    def watch(progress: StepProgress) -> None:
        nonlocal step
        step = progress.step
        if step > last.first and progress.loss[0] <= goal:
            raise _Reached

    try:
        pyramid.descend(encoder, callback=watch, frames=None)
    except _Reached:
        return step, time.perf_counter() - began, True
    return step, time.perf_counter() - began, False
