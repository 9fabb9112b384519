"""The small network: its first weights, the balance of its channels, its file."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from stylize_core.architecture import Architecture, Convolution, convolutions
from stylize_core.errors import BadWeights

ARCHITECTURES: Mapping[int, Architecture] = {3: "slim", 5: "vgg19"}


def architecture_of(widths: Sequence[int]) -> Architecture:
    """The plan that a student with these channels per block follows.

    Raises:
        BadWeights: neither three nor five blocks, or a block without channels.
    """
    if len(widths) not in ARCHITECTURES or min(widths) < 1:
        raise BadWeights(f"widths {','.join(map(str, widths))}: give three or five positive numbers")
    return ARCHITECTURES[len(widths)]


def followed(widths: Sequence[int]) -> list[Convolution]:
    """The convolutions of a student with these channels per block."""
    return [one for one in convolutions(architecture_of(widths)) if one.block <= len(widths)]


def first_parameters(widths: Sequence[int], *, generator: torch.Generator) -> dict[str, Tensor]:
    """Random weights that keep the features' level from layer to layer (He et al. 2015, arXiv 1502.01852)."""
    parameters, channels = {}, 3
    for convolution in followed(widths):
        width = widths[convolution.block - 1]
        weight = torch.randn(width, channels, 3, 3, generator=generator) * math.sqrt(2 / (9 * channels))
        parameters[f"features.{convolution.index}.weight"] = weight.contiguous(
            memory_format=torch.channels_last
        )
        parameters[f"features.{convolution.index}.bias"] = torch.zeros(width)
        channels = width
    return parameters


def rescaled(parameters: Mapping[str, Tensor], factors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same network with its features multiplied by positive factors, layer name to [C].

    A ReLU commutes with positive factors, so the next convolution undoes them exactly.
    """
    architecture = _architecture(parameters)
    result: dict[str, Tensor] = {}
    undo = torch.ones(3)
    for convolution in convolutions(architecture):
        stem = f"features.{convolution.index}"
        if f"{stem}.weight" not in parameters:
            break
        factor = factors[convolution.relu]
        weight = parameters[f"{stem}.weight"] * factor.view(-1, 1, 1, 1) / undo.view(1, -1, 1, 1)
        result |= {f"{stem}.weight": weight, f"{stem}.bias": parameters[f"{stem}.bias"] * factor}
        undo = factor
    return result


def write_student(path: Path, parameters: Mapping[str, Tensor], *, facts: Mapping[str, str]) -> None:
    """A safetensors file with torchvision's keys; its metadata are architecture, convention and `facts`."""
    architecture = _architecture(parameters)
    tensors = {name: value.detach().to(torch.float32).contiguous() for name, value in parameters.items()}
    metadata = {"architecture": architecture, "convention": "torchvision", **facts}
    path.write_bytes(in_order(safetensors.torch.save(tensors, metadata=metadata)))


def in_order(data: bytes) -> bytes:
    """The same file with its header in one order; the library shuffles the metadata anew in every process."""
    length = int.from_bytes(data[:8], "little")
    header = json.dumps(json.loads(data[8 : 8 + length]), sort_keys=True, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)
    return len(header).to_bytes(8, "little") + header + data[8 + length :]


def read_student(path: Path) -> tuple[dict[str, Tensor], Architecture]:
    """The parameters out of a file of `write_student`, and their plan.

    Raises:
        BadWeights: not such a file.
    """
    data = path.read_bytes()
    try:
        parameters = safetensors.torch.load(data)
    except safetensors.SafetensorError as error:
        raise BadWeights(f"{path} is no safetensors file: {error}") from error
    return parameters, _architecture(parameters)


def _architecture(parameters: Mapping[str, Tensor]) -> Architecture:
    return ARCHITECTURES[5] if "features.34.weight" in parameters else ARCHITECTURES[3]
