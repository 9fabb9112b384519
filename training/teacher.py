"""The network to learn from."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from stylize_core.errors import BadWeights
from stylize_core.networks.encoder import vgg_features
from stylize_core.networks.weights import CONVENTIONS, Weights, weights_from_bytes


def read_teacher(path: Path) -> Weights:
    """VGG-19 convolutions in torchvision's convention, safetensors or .pth; they may end after any block.

    Raises:
        BadWeights: not such a file.
    """
    data = path.read_bytes()
    return weights_from_bytes(
        data,
        sha256=hashlib.sha256(data).hexdigest(),
        architecture="vgg19",
        convention="torchvision",
        source=path.name,
    )


class Teacher:
    """The frozen network, run in bfloat16: its rounding is far below what a small student can follow.

    Raises:
        BadWeights: it ends before the deepest of `layers`.
    """

    def __init__(self, weights: Weights, *, layers: Sequence[str]) -> None:
        missing = [layer for layer in layers if layer not in weights.layers]
        if missing:
            raise BadWeights(
                f"{weights.source} ends at {weights.layers[-1]} and cannot teach {missing[0]}; "
                "give a longer teacher, or widths for fewer blocks"
            )
        self.layers = tuple(layers)
        self._parameters = {name: _halved(value) for name, value in weights.parameters.items()}

    @torch.no_grad()
    def __call__(self, prepared_bchw: Tensor) -> dict[str, Tensor]:
        """Its features of prepared pictures, layer name to [B, T, h, w], bfloat16."""
        return vgg_features(
            prepared_bchw.bfloat16(), self._parameters, layers=self.layers, architecture="vgg19"
        )


def _halved(value: Tensor) -> Tensor:
    layout = torch.channels_last if value.ndim == 4 else torch.contiguous_format
    return value.bfloat16().contiguous(memory_format=layout)


def prepared(image_bchw: Tensor) -> Tensor:
    """RGB 0..1 as torchvision's weights expect it; the student is bound to the same."""
    convention = CONVENTIONS["torchvision"]
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (convention.mean, convention.std))
    return ((image_bchw - mean) / std).contiguous(memory_format=torch.channels_last)
