"""Time to the same objective: plain PyTorch's 200 evaluations against the fewest of ours that reach it."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from statistics import median
from typing import Literal

import torch
from rich.table import Table
from torch import Tensor

from benchmarks.fewest import fewest
from benchmarks.pictures import benchmark_settings, picture, whole_weights_for
from benchmarks.plain import PlainVGG, plain_loss, plain_optimisation
from benchmarks.turns import Way as Alone
from benchmarks.turns import once
from stylize_core.architecture import Architecture
from stylize_core.loss.targets import Targets
from stylize_core.networks.encoder import Encoder
from stylize_core.networks.weights import Weights
from stylize_core.pyramid.level import Level, ViewSpec, targets_seen
from stylize_core.pyramid.pyramid import Pyramid
from stylize_core.pyramid.sketch import sketched
from stylize_core.pyramid.start import starting_picture
from stylize_core.settings.style import StyleSettings

FORTIETHS = (*range(2, 33), 36, 40, 46, 52, 60, 80)
"""Evaluations that are tried, in fortieths of plain PyTorch's."""


@dataclass(frozen=True, slots=True)
class Way:
    """A number format, at which sizes, curvature pairs, from where, whitened, how far; see these settings."""

    name: str
    dtype: torch.dtype
    scales: int = 1
    coarsest: int = 0
    history: int = 10
    init: Literal["content", "slim"] = "content"
    whitening: float = 0.0
    forms_gain: float = 1.0


WAYS = {
    "fp32": Way("chain, float32, one size", torch.float32),
    "fp32-history-100": Way("chain, float32, one size, history 100", torch.float32, history=100),
    "fp32-whitened": Way("chain, float32, one size, whitened", torch.float32, whitening=0.7),
    "fp32-from-slim": Way("chain, float32, one size, from slim", torch.float32, history=40, init="slim"),
    "fp32-from-slim-whitened": Way(
        "chain, float32, one size, from slim, whitened", torch.float32, history=40, init="slim", whitening=0.6
    ),
    "fp32-whitened-forms": Way(
        "chain, float32, one size, whitened, forms", torch.float32, whitening=0.7, forms_gain=3
    ),
    "fp32-from-slim-whitened-forms": Way(
        "chain, float32, one size, from slim, whitened, forms",
        torch.float32,
        history=40,
        init="slim",
        whitening=0.6,
        forms_gain=3,
    ),
    "bf16": Way("chain, bfloat16, one size", torch.bfloat16),
    "bf16-from-256": Way("chain, bfloat16, from 256 px up", torch.bfloat16, scales=0, coarsest=256),
    "bf16-from-small": Way("chain, bfloat16, from the smallest size up", torch.bfloat16, scales=0),
    "bf16-from-slim": Way("chain, bfloat16, one size, from slim", torch.bfloat16, history=40, init="slim"),
}
CHOSEN = ("scales", "coarsest", "history", "init", "whitening", "forms_gain")
GOALS = ("saved", "raw")


@dataclass(frozen=True, slots=True)
class Task:
    """A pair, and how what comes of it is judged.

    Attributes:
        content_bchw: [1, 3, H, W], RGB in 0..1, from which all begin.
        style_bchw: [1, 3, h, w].
        judge: the objective of a result [1, 3, H, W], in float32.
    """

    weights: Weights
    settings: StyleSettings
    content_bchw: Tensor
    style_bchw: Tensor
    judge: Callable[[Tensor], float]

    def fewest_of(
        self, way: Way, counts: Sequence[int], goal: float, *, rounds: int
    ) -> tuple[int, float] | None:
        """The fewest of so many evaluations that come as far as the goal, and their seconds: the median."""

        @cache
        def tried(steps: int) -> tuple[float, float]:
            return self._made(way, steps)

        found = fewest(counts, lambda steps: tried(steps)[0] <= goal)
        if found is None:
            return None
        again = [self._made(way, found)[1] for _ in range(rounds - 1)]
        return found, median([tried(found)[1], *again])

    def _made(self, way: Way, steps: int) -> tuple[float, float]:
        """The objective after so many evaluations of all sizes together, and the seconds."""
        chosen = {name: getattr(way, name) for name in CHOSEN}
        settings = replace(self.settings, steps=steps, margin=0, **chosen)
        encoder = Encoder(self.weights, layers=settings.layers, dtype=way.dtype)

        def measured(view: ViewSpec) -> tuple[Targets, Sequence[Targets]]:
            return targets_seen(view, encoder, self.style_bchw, settings), ()

        began = time.perf_counter()
        final = Level(self.content_bchw, measured(ViewSpec())[0], (), settings)
        sketch = sketched(final, encoder, measured, None) if way.init == "slim" else None
        start = partial(starting_picture, settings=settings, init_bchw=sketch)
        best, _ = Pyramid(final, measured, start).descend(encoder, callback=None, frames=None)
        seconds = time.perf_counter() - began
        return self.judge(best), seconds


def add_options(parser: argparse.ArgumentParser) -> None:
    """Those that choose rows of the table, which takes long for a wide network."""
    parser.add_argument("--goals", nargs="+", choices=GOALS, default=GOALS, help="for the objective")
    parser.add_argument(
        "--ways",
        nargs="+",
        choices=WAYS,
        default=tuple(WAYS),
        help="for the objective; from slim only with --weights",
    )
    parser.add_argument(
        "--evaluations",
        nargs="+",
        type=int,
        help="for the objective: how many of ours are tried; else many, in some six tries a row",
    )


def chosen_table(options: argparse.Namespace) -> Table:
    """The table of a command line: of VGG-19 where it names weights, else of `slim`."""
    return objective_table(
        "vgg19" if options.weights else "slim",
        size=options.size,
        steps=options.steps,
        rounds=options.rounds,
        file=options.weights,
        goals=options.goals,
        ways=options.ways,
        tried=options.evaluations,
    )


# Why so many: what is measured, and which rows of it.
def objective_table(
    encoder: Architecture,
    *,
    size: int,
    steps: int,
    rounds: int,
    file: str | None,
    goals: Collection[str] = GOALS,
    ways: Collection[str] = tuple(WAYS),
    tried: Collection[int] | None = None,
) -> Table:
    """Seconds and evaluations to the objective that plain PyTorch has after `steps` evaluations.

    That has a process of its own, as its users start it; ours has what workers set. All are judged in float32
    by plain PyTorch's own objective, of two kinds of pixels: as they are saved, cut to 0..1, for which ours
    keeps its penalty on what is outside; and raw, where ours minimises the same sum.
    """
    settings = benchmark_settings(encoder, size=size, steps=steps)
    weights = whole_weights_for(encoder, file)
    content, style = _pictures(settings)
    loss = plain_loss(PlainVGG(weights, settings.layers), content, style, settings)
    plainly = Alone(partial(_plain, settings, file), prepared=False)
    plain, seconds = once(plainly, threads=torch.get_num_threads())

    @torch.no_grad()
    def as_saved(image: Tensor) -> float:
        return float(loss(image.clamp(0, 1)))

    @torch.no_grad()
    def raw(image: Tensor) -> float:
        return float(loss(image))

    counts = sorted(tried or {max(1, steps * part // 40) for part in FORTIETHS})
    table = Table("goal", "way", "evaluations", "seconds", "ratio", title=f"{encoder}, {size} px")
    judged: dict[str, tuple[str, Callable[[Tensor], float], StyleSettings]] = {
        "saved": ("as saved", as_saved, settings),
        "raw": ("raw pixels", raw, replace(settings, range_weight=0.0)),
    }
    for name, judge, chosen in (judged[goal] for goal in goals):
        task, goal = Task(weights, chosen, content, style, judge), judge(plain)
        table.add_row(f"{goal:.4g}, {name}", "plain PyTorch, float32", str(steps), f"{seconds:.1f}", "1.00")
        for way in (WAYS[key] for key in ways if not (encoder == "slim" and WAYS[key].init == "slim")):
            if found := task.fewest_of(way, counts, goal, rounds=rounds):
                table.add_row("", way.name, str(found[0]), f"{found[1]:.1f}", f"{seconds / found[1]:.2f}")
            else:
                table.add_row("", way.name, f"more than {counts[-1]}", "", "not reached")
    return table


def _plain(settings: StyleSettings, file: str | None) -> Callable[[], tuple[Tensor, float]]:
    """Plain PyTorch's picture and its seconds."""
    content, style = _pictures(settings)
    network = PlainVGG(whole_weights_for(settings.encoder, file), settings.layers)
    loss = plain_loss(network, content, style, settings)
    return partial(plain_optimisation, loss, content, steps=settings.steps)


def _pictures(settings: StyleSettings) -> tuple[Tensor, Tensor]:
    """A content and a style, in the size of the settings."""
    size = settings.picture_size.expected_px
    return picture("contents/town", size), picture("styles/flow", size)
