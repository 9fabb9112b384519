"""One loss and gradient: plain PyTorch against the hand-written chain, and both against the peak."""

from __future__ import annotations

from functools import partial

import torch
from rich.table import Table
from torch import Tensor
from torch.nn import functional

from benchmarks.pictures import benchmark_settings, objective_for, picture, weights_for
from benchmarks.plain import PlainVGG, plain_loss
from benchmarks.turns import Turns, Way, Work, take_turns
from stylize_core.architecture import Architecture, convolutions
from stylize_core.networks.weights import Weights
from stylize_core.settings.style import StyleSettings

PLAIN = "plain PyTorch, float32"
FORMATS = {"float32": torch.float32, "bfloat16": torch.bfloat16}
# One large 3x3 convolution in channels-last: what this machine can do at all. [C, H, W], as many C out as in.
PEAK = (256, 96, 128)


def evaluation_table(encoder: Architecture, *, size: int, rounds: int, file: str | None) -> Table:
    """Median seconds of each way, taken in turns, with the ratio to plain PyTorch and the memory in use."""
    settings = benchmark_settings(encoder, size=size)
    ways = {PLAIN: Way(partial(_plain, settings, file), prepared=False)}
    for name in FORMATS:
        ways[f"chain, {name}"] = Way(partial(chain, settings, file, name))
        ways[f"peak, {name}"] = Way(partial(_peak, name))
    found = take_turns(ways, rounds=rounds, threads=torch.get_num_threads())
    flops = evaluation_flops(weights_for(encoder, file), settings.layers[-1], size * _height(size))
    table = Table(
        "way", "median s", "spread s", "ratio", "GFLOP/s", "of the peak", "largest process",
        title=f"one loss and gradient, {encoder} to {settings.layers[-1]}, {size}x{_height(size)} px, "
        f"{torch.get_num_threads()} threads",
    )  # fmt: skip
    channels, height, width = PEAK
    for name in (PLAIN, *(f"chain, {name}" for name in FORMATS)):
        peak = 2 * 9 * channels**2 * height * width / min(found[f"peak, {name.split()[-1]}"].seconds)
        table.add_row(name, *_figures(found[name], found[PLAIN], flops, peak))
    return table


def _figures(turns: Turns, plain: Turns, flops: float, peak: float) -> tuple[str, ...]:
    rate = flops / turns.median
    return (
        f"{turns.median:.3f}",
        turns.spread,
        f"{plain.median / turns.median:.2f}",
        f"{rate / 1e9:.0f}",
        f"{rate / peak:.0%}",
        f"{turns.peak_bytes / 1e6:.0f} MB",
    )


def _plain(settings: StyleSettings, file: str | None) -> Work:
    content, style = _pictures(settings)
    network = PlainVGG(weights_for(settings.encoder, file), settings.layers)
    loss = plain_loss(network, content, style, settings)
    image = content.clone().requires_grad_()
    return lambda: torch.autograd.grad(loss(image), image)


def chain(settings: StyleSettings, file: str | None, dtype: str) -> Work:
    """One evaluation of our objective for a pair of example pictures."""
    content, style = _pictures(settings)
    weights = weights_for(settings.encoder, file)
    objective = objective_for(weights, settings, content, style, FORMATS[dtype])
    return lambda: objective(content)


def _peak(dtype: str) -> Work:
    channels, height, width = PEAK
    features = torch.randn(1, channels, height, width).to(FORMATS[dtype])
    kernel = torch.randn(channels, channels, 3, 3).to(FORMATS[dtype])
    features, kernel = (given.contiguous(memory_format=torch.channels_last) for given in (features, kernel))
    return lambda: functional.conv2d(features, kernel, padding=1)


def _pictures(settings: StyleSettings) -> tuple[Tensor, Tensor]:
    """A content picture of 4:3 and a style picture."""
    size = settings.picture_size.expected_px
    content = functional.interpolate(picture("contents/town", size), (_height(size), size), mode="bilinear")
    return content, picture("styles/flow", size)


def _height(size: int) -> int:
    return size * 3 // 4


def evaluation_flops(weights: Weights, deepest: str, pixels: int) -> float:
    """Of all convolutions and of their derivatives by what they see, 9 products per result and channel."""
    total = 0.0
    for place in convolutions(weights.architecture):
        kernel = weights.parameters[f"features.{place.index}.weight"]
        total += 2 * 2 * kernel.numel() * pixels / 4 ** (place.block - 1)
        if place.relu == deepest:
            break
    return total
