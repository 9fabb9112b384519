"""The network to learn from."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from stylize_core.device import choose_precision
from stylize_core.errors import BadWeights
from stylize_core.networks.encoder import vgg_features
from stylize_core.networks.weights import CONVENTIONS, Weights, weights_from_bytes
from stylize_core.settings.picture_size import LARGEST_PX


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
    """The frozen network, in bfloat16 where the processor multiplies it: its rounding is far below what a
    small student can follow.

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
        coarse = choose_precision("auto", torch.device("cpu"), size=LARGEST_PX) == "bf16"
        self._dtype = torch.bfloat16 if coarse else torch.float32
        self._parameters = {name: self._laid_out(value) for name, value in weights.parameters.items()}

    @torch.no_grad()
    def __call__(self, prepared_bchw: Tensor) -> dict[str, Tensor]:
        """Its features of prepared pictures, layer name to [B, T, h, w]."""
        return vgg_features(
            prepared_bchw.to(self._dtype), self._parameters, layers=self.layers, architecture="vgg19"
        )

    def _laid_out(self, value: Tensor) -> Tensor:
        layout = torch.channels_last if value.ndim == 4 else torch.contiguous_format
        return value.to(self._dtype).contiguous(memory_format=layout)


def prepared(image_bchw: Tensor) -> Tensor:
    """RGB 0..1 as torchvision's weights expect it; the student is bound to the same."""
    convention = CONVENTIONS["torchvision"]
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (convention.mean, convention.std))
    return ((image_bchw - mean) / std).contiguous(memory_format=torch.channels_last)
