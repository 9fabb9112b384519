"""Tiny random networks and drawn pictures, so that the tests of the numerical core take milliseconds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from stylize_core.architecture import Architecture, ConventionName, convolutions
from stylize_core.networks.encoder import Encoder
from stylize_core.networks.weights import Weights
from stylize_core.settings.style import StyleSettings

WIDTHS = (4, 8, 8, 8, 8)


def torchvision_models() -> Any:
    """`torchvision.models`; only who asks for it waits the seconds that it takes to load."""
    import torchvision

    return torchvision.models


def tiny_state(architecture: str = "slim", *, layers: int | None = None, seed: int = 0) -> dict[str, Tensor]:
    """A narrow network's state dict under torchvision's names; NumPy's stable generator fills it."""
    rng, state, channels = np.random.default_rng(seed), {}, 3
    for convolution in convolutions(architecture)[:layers]:
        width = WIDTHS[convolution.block - 1]
        weight = rng.normal(0, (2 / (9 * channels)) ** 0.5, (width, channels, 3, 3))
        state[f"features.{convolution.index}.weight"] = torch.tensor(weight, dtype=torch.float32)
        state[f"features.{convolution.index}.bias"] = torch.tensor(
            rng.normal(0, 0.1, width), dtype=torch.float32
        )
        channels = width
    return state


def tiny_weights(
    architecture: Architecture = "slim",
    *,
    layers: int | None = None,
    seed: int = 0,
    dtype: torch.dtype = torch.float32,
    convention: ConventionName = "torchvision",
) -> Weights:
    """A narrow network, ending after so many convolutions."""
    state = tiny_state(architecture, layers=layers, seed=seed)
    return Weights(
        architecture=architecture,
        convention=convention,
        parameters={name: value.to(dtype) for name, value in state.items()},
        sha256="0" * 64,
        source="tiny.safetensors",
    )


def tiny_encoder(settings: StyleSettings, *, dtype: torch.dtype = torch.float32) -> Encoder:
    """The narrow network with what these settings need."""
    weights = tiny_weights(settings.encoder, dtype=dtype)
    return Encoder(weights, layers=settings.layers, pooling=settings.pooling, dtype=dtype)


def waves(angle: float, *, height: int = 24, width: int = 32, finer: float = 1.0) -> Tensor:
    """Coloured waves, [1, 3, H, W] in 0..1; the same picture at every size but for `finer`."""
    y, x = torch.meshgrid(
        (torch.arange(height, dtype=torch.float64) + 0.5) / height,
        (torch.arange(width, dtype=torch.float64) + 0.5) / width,
        indexing="ij",
    )
    turned = x * np.cos(angle) + y * np.sin(angle)
    planes = [0.5 + 0.45 * torch.sin(finer * (7 * turned * k + 3 * x * y + k)) for k in (0.7, 1.0, 1.9)]
    return torch.stack(planes)[None].float()


def speckles(seed: int, *, height: int = 24, width: int = 32) -> Tensor:
    """A picture of independent random pixels, [1, 3, H, W] in 0..1."""
    return torch.tensor(np.random.default_rng(seed).random((1, 3, height, width)), dtype=torch.float32)


class _Count(TorchFunctionMode):
    def __init__(self) -> None:
        super().__init__()
        self.convolutions = 0

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.convolutions += func is torch.nn.functional.conv2d
        return func(*args, **(kwargs or {}))


@contextmanager
def counted_convolutions() -> Iterator[_Count]:
    """Counts the convolutions that are really computed inside."""
    with _Count() as count:
        yield count
