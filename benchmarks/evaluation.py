"""One loss and gradient: plain PyTorch against the hand-written chain, and both against the peak."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping

import torch
from rich.table import Table

from benchmarks.pictures import objective_for, picture, weights_for
from benchmarks.plain import PlainVGG, plain_loss
from stylize_core.architecture import Architecture, convolutions
from stylize_core.settings import StyleSettings
from stylize_core.weights import Weights

Work = Callable[[], object]


def evaluation_table(encoder: Architecture, *, size: int, rounds: int, file: str | None) -> Table:
    """Median seconds of each way, taken in turns, with the ratio to plain PyTorch."""
    settings = StyleSettings(encoder=encoder, size=size)
    weights = weights_for(encoder, file)
    content, style = picture("contents/town", size), picture("styles/flow", size)
    height, width = content.shape[-2:]
    ways = {"plain PyTorch, float32": _plain(weights, settings, content, style)}
    for name, dtype in (("chain, float32", torch.float32), ("chain, bfloat16", torch.bfloat16)):
        ways[name] = _ours(weights, settings, content, style, dtype)
    times = in_turns(ways, rounds)
    flops = 3 * _forward_flops(weights, settings.layers[-1], height * width)
    peaks = {dtype: convolution_peak(dtype, rounds) for dtype in (torch.float32, torch.bfloat16)}
    table = Table(
        "way", "median s", "spread s", "ratio", "GFLOP/s", "of the peak",
        title=f"one loss and gradient, {encoder} to {settings.layers[-1]}, {width}x{height} px, "
        f"{torch.get_num_threads()} threads",
    )  # fmt: skip
    base = statistics.median(times["plain PyTorch, float32"])
    for name, seconds in times.items():
        median = statistics.median(seconds)
        peak = peaks[torch.bfloat16 if "bfloat16" in name else torch.float32]
        rate = flops / median
        spread = f"{min(seconds):.3f}-{max(seconds):.3f}"
        table.add_row(
            name, f"{median:.3f}", spread, f"{base / median:.2f}", f"{rate / 1e9:.0f}", f"{rate / peak:.0%}"
        )
    return table


def in_turns(ways: Mapping[str, Work], rounds: int) -> dict[str, list[float]]:
    """Seconds of each way per round, one warm-up first; the ways alternate, so that drift hits all alike."""
    times: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds + 1):
        for name, work in ways.items():
            began = time.perf_counter()
            work()
            if number:
                times[name].append(time.perf_counter() - began)
    return times


def convolution_peak(dtype: torch.dtype, rounds: int) -> float:
    """FLOP/s of one large 3x3 convolution in channels-last: what this machine can do at all."""
    features = torch.randn(1, 256, 96, 128).to(dtype).contiguous(memory_format=torch.channels_last)
    kernel = torch.randn(256, 256, 3, 3).to(dtype).contiguous(memory_format=torch.channels_last)
    times = in_turns({"": lambda: torch.nn.functional.conv2d(features, kernel, padding=1)}, 3 * rounds)
    return 2 * 9 * 256 * 256 * 96 * 128 / min(times[""])


def _plain(weights: Weights, settings: StyleSettings, content: torch.Tensor, style: torch.Tensor) -> Work:
    loss = plain_loss(PlainVGG(weights, settings.layers), content, style, settings)
    image = content.clone().requires_grad_()
    return lambda: torch.autograd.grad(loss(image), image)


def _ours(
    weights: Weights, settings: StyleSettings, content: torch.Tensor, style: torch.Tensor, dtype: torch.dtype
) -> Work:
    objective = objective_for(weights, settings, content, style, dtype)
    return lambda: objective(content)


def _forward_flops(weights: Weights, deepest: str, pixels: int) -> float:
    total = 0.0
    for place in convolutions(weights.architecture):
        total += (
            2 * weights.parameters[f"features.{place.index}.weight"].numel() * pixels / 4 ** (place.block - 1)
        )
        if place.relu == deepest:
            break
    return total
