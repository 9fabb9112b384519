"""Time to the same objective: plain PyTorch's 200 evaluations against ours until it is reached."""

from __future__ import annotations

import time
from contextlib import suppress

import torch
from rich.table import Table

from benchmarks.pictures import objective_for, picture, weights_for
from benchmarks.plain import PlainVGG, plain_loss, plain_optimisation
from stylize_core.architecture import Architecture
from stylize_core.minimise import Progress, minimise
from stylize_core.settings import StyleSettings
from stylize_core.weights import Weights


class _Reached(Exception):
    pass


def objective_table(encoder: Architecture, *, size: int, steps: int, file: str | None) -> Table:
    """Seconds and evaluations to the objective that plain PyTorch has after `steps` evaluations.

    There are two goals by the float32 objective: that of the picture as it is saved, cut to 0..1, and that of
    the raw pixels, which no file can hold. Ours counts its penalty for such pixels against itself.
    """
    settings = StyleSettings(encoder=encoder, size=size, steps=4 * steps)
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
        for way, dtype in (("chain, float32", torch.float32), ("chain, bfloat16", torch.bfloat16)):
            evaluations, ours = _until(value, weights, settings, content, style, dtype)
            table.add_row("", way, str(evaluations), f"{ours:.1f}", f"{seconds / ours:.2f}")
    return table


def _until(
    goal: float,
    weights: Weights,
    settings: StyleSettings,
    content: torch.Tensor,
    style: torch.Tensor,
    dtype: torch.dtype,
) -> tuple[int, float]:
    """Evaluations and seconds until the smallest loss is at most `goal`."""
    objective = objective_for(weights, settings, content, style, dtype)
    reached = 0

    def watch(progress: Progress) -> None:
        nonlocal reached
        reached = progress.step
        if progress.loss[0] <= goal:
            raise _Reached

    began = time.perf_counter()
    with suppress(_Reached):
        minimise(objective, content.clone(), settings=settings, callback=watch)
    return reached, time.perf_counter() - began
