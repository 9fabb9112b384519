"""Small drawn pictures and small random teachers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from stylize_core.architecture import convolutions
from stylize_core.settings.picture import PictureSettings

# torch is imported where it is used: every pytest that a test starts reads this module, and few need that.
if TYPE_CHECKING:
    from torch import Tensor

TeacherFile = Callable[[int], Path]


def stripes(angle: float, *, height: int = 90, width: int = 130) -> Tensor:
    """A picture of coloured waves, [3, height, width], RGB 0..1."""
    import torch

    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    phase = (x * torch.cos(torch.tensor(angle)) + y * torch.sin(torch.tensor(angle))) / 5
    return torch.stack([(phase * k + k).sin() * 0.5 + 0.5 for k in (0.7, 1.0, 1.9)])


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder with four pictures of coloured waves."""
    from stylize_core.image.encode import encode_picture

    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(4):
        data = encode_picture(stripes(0.7 * number), alpha=None, settings=PictureSettings(), facts={})
        (folder / f"waves_{number}.png").write_bytes(data)
    return folder


@pytest.fixture
def teacher_file(tmp_path: Path) -> TeacherFile:
    """Writes a random narrow VGG-19 that ends after so many blocks."""
    import safetensors.torch
    import torch

    def write(blocks: int) -> Path:
        generator, state, channels = torch.Generator().manual_seed(blocks), {}, 3
        for convolution in convolutions("vgg19"):
            if convolution.block > blocks:
                break
            width = 4 + 2 * convolution.block
            weight = torch.randn(width, channels, 3, 3, generator=generator) * (2 / (9 * channels)) ** 0.5
            state[f"features.{convolution.index}.weight"] = weight
            state[f"features.{convolution.index}.bias"] = torch.zeros(width)
            channels = width
        path = tmp_path / f"teacher_{blocks}.safetensors"
        safetensors.torch.save_file(state, path)
        return path

    return write
