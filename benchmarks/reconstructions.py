"""What layers know: how close reconstructions come to their picture, how large structures of textures are."""

from __future__ import annotations

import math
from typing import Any

import torch
from rich.table import Table
from torch import Tensor

from benchmarks.pictures import benchmark_settings, picture, weights_for
from stylize_core.networks.encoder import Encoder
from stylize_core.transfer import stylize

CONTENT_LAYERS = (
    "relu1_1", "relu1_2", "pool1", "relu2_1", "relu2_2", "pool2",
    "relu3_1", "relu3_2", "relu3_3", "relu3_4", "pool3",
)  # fmt: skip
STYLE_LAYERS = ("relu1_1", "relu2_1", "relu3_1")
UNLIKE = 0.1
STYLES = ("impasto", "ink_waves", "flow")


def content_table(*, size: int, steps: int) -> Table:
    """PSNR of pictures made from noise until one layer sees what it sees of the original."""
    original = picture("contents/town", size)
    table = Table(
        "layer", "PSNR, dB", "with tv_weight 0.1", title=f"mode: content, slim, {size} px, {steps} steps"
    )
    for layer in CONTENT_LAYERS:
        made = (
            _made(original, mode="content", content_layers=[layer], steps=steps, tv_weight=weight)
            for weight in (0.0, 0.1)
        )
        table.add_row(layer, *(f"{psnr(image, original):.1f}" for image in made))
    return table


def texture_table(*, size: int, steps: int) -> Table:
    """Correlation lengths of textures with one layer more each time, and of the style itself."""
    title = f"mode: texture, slim, {size} px, {steps} steps: correlation length in px"
    table = Table("style", *("to " + layer for layer in STYLE_LAYERS), "the style", title=title)
    for name in STYLES:
        style = picture(f"styles/{name}", size)
        lengths = [
            correlation_length(_made(style, mode="texture", style_layers=STYLE_LAYERS[:count], steps=steps))
            for count in range(1, len(STYLE_LAYERS) + 1)
        ]
        table.add_row(name, *(f"{length:.1f}" for length in (*lengths, correlation_length(style))))
    return table


def psnr(image: Tensor, original: Tensor) -> float:
    """The peak signal-to-noise ratio of pictures in 0..1, dB."""
    return -10 * math.log10(float((image - original).square().mean()))


def correlation_length(image_bchw: Tensor) -> float:
    """How far from a point a picture's brightness is still like it, px.

    The distance at which the autocorrelation, averaged over all directions, falls to a tenth; by the theorem
    of Wiener and Khinchin, of the picture with so much padding that no edge meets the opposite one.
    """
    brightness = image_bchw.double().mean((0, 1))
    brightness = brightness - brightness.mean()
    height, width = brightness.shape
    padded = (2 * height, 2 * width)
    sums, counts = (
        torch.fft.irfft2(torch.fft.rfft2(values, s=padded).abs().square(), s=padded)
        for values in (brightness, torch.ones_like(brightness))
    )
    y, x = (torch.fft.fftfreq(side, 1 / side).double() for side in padded)
    radius = torch.hypot(y[:, None], x[None])
    reach = min(height, width) // 2
    rings = radius.round().long().clamp_max(reach)
    correlation = torch.bincount(rings.flatten(), sums.flatten()) / torch.bincount(
        rings.flatten(), counts.flatten()
    )
    correlation = correlation[:reach] / correlation[0]
    below = int((correlation < UNLIKE).double().argmax())
    if below == 0:
        return float(reach)
    before, after = float(correlation[below - 1]), float(correlation[below])
    return below - 1 + (before - UNLIKE) / (before - after)


def _made(source: Tensor, **settings: Any) -> Tensor:
    chosen = benchmark_settings(**settings)
    encoder = Encoder(weights_for("slim", None), layers=chosen.layers, pooling=chosen.pooling)
    return stylize(source, source, settings=chosen, encoder=encoder).image_bchw
