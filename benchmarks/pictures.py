"""What the benchmarks work on: the project's own pictures, weights of the right shape, our objective."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from stylize_core.architecture import Architecture, convolutions
from stylize_core.image.decode import decode_picture
from stylize_core.image.resize import resize
from stylize_core.loss.objective import Objective
from stylize_core.loss.targets import content_targets, style_targets
from stylize_core.networks.encoder import Encoder
from stylize_core.networks.weights import Weights, builtin_weights, weights_from_bytes
from stylize_core.settings.picture import PictureSettings
from stylize_core.settings.recipes import defaults_of
from stylize_core.settings.style import StyleSettings

IMAGES = Path(__file__).parents[1] / "manifests" / "images"

WIDTHS = (64, 128, 256, 512, 512)


def picture(name: str, long_edge: int) -> Tensor:
    """An example picture such as `contents/town`, [1, 3, H, W]."""
    path = IMAGES / f"{name}.jpg"
    decoded = decode_picture(path.read_bytes(), source=str(path), settings=PictureSettings())
    return resize(decoded, long_edge=long_edge, enlarge=True).rgb[None]


def benchmark_settings(encoder: Architecture = "slim", **given: Any) -> StyleSettings:
    """Settings over the recipe under which docs/performance.md and docs/guide.md were measured."""
    return StyleSettings(**{**defaults_of(1, encoder), "encoder": encoder, **given})


def weights_for(encoder: Architecture, file: str | None) -> Weights:
    """The built-in weights, a staged file, or random ones, which cost as much to evaluate."""
    if encoder == "slim":
        return builtin_weights()
    if file is not None:
        data = Path(file).read_bytes()
        digest = hashlib.sha256(data).hexdigest()
        return weights_from_bytes(
            data, sha256=digest, architecture=encoder, convention="torchvision", source=file
        )
    return _random(encoder)


def whole_weights_for(encoder: Architecture, file: str | None) -> Weights:
    """The same; what a file of the first few layers lacks is random, see `made_whole`."""
    weights = weights_for(encoder, file)
    return weights if file is None or encoder == "slim" else made_whole(weights)


def made_whole(weights: Weights) -> Weights:
    """Weights of a VGG with all of its layers: those that they lack are random, and the same at each time.

    With other random layers there are other objectives, which take other numbers of evaluations.
    """
    drawn = _random(weights.architecture).parameters
    return replace(weights, parameters={**drawn, **weights.parameters})


def objective_for(
    weights: Weights, settings: StyleSettings, content: Tensor, style: Tensor, dtype: torch.dtype
) -> Objective:
    """This project's objective for one pair, with the network in that number format."""
    encoder = Encoder(weights, layers=settings.layers, pooling=settings.pooling, dtype=dtype)
    return Objective(
        encoder=encoder,
        content=content_targets(encoder, content, settings),
        style=style_targets(encoder, style, settings),
        settings=settings,
    )


def _random(encoder: Architecture) -> Weights:
    generator, parameters, channels = torch.Generator().manual_seed(0), {}, 3
    for place in convolutions(encoder):
        width = WIDTHS[place.block - 1]
        spread = (2 / (9 * channels)) ** 0.5
        weight = torch.randn(width, channels, 3, 3, generator=generator) * spread
        parameters[f"features.{place.index}.weight"] = weight
        parameters[f"features.{place.index}.bias"] = torch.zeros(width)
        channels = width
    return Weights(encoder, "torchvision", parameters, sha256="0" * 64, source="random weights")
