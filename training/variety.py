"""Ways to vary a crop. All take and return [3, H, W], RGB near 0..1; the caller clamps."""

from __future__ import annotations

import random

import torch
from torch import Tensor
from torch.nn import functional


def with_other_colours(crop_chw: Tensor, dice: random.Random) -> Tensor:
    """Another saturation, contrast, brightness and tint."""
    grey = crop_chw.mean(0, keepdim=True)
    crop_chw = grey + (crop_chw - grey) * dice.uniform(0.5, 1.5)
    crop_chw = (crop_chw - 0.5) * dice.uniform(0.7, 1.3) + 0.5 + dice.uniform(-0.12, 0.12)
    return crop_chw * torch.tensor([dice.uniform(0.85, 1.15) for _ in range(3)]).view(3, 1, 1)


def with_other_picture(crop_chw: Tensor, other_chw: Tensor, dice: random.Random) -> Tensor:
    """Another picture shining through."""
    return torch.lerp(crop_chw, other_chw, dice.uniform(0.3, 0.7))


def with_flat_colours(crop_chw: Tensor, dice: random.Random, noise: torch.Generator) -> Tensor:
    """Patches or soft gradients of random colours, over the crop or instead of it."""
    cells = dice.randint(2, 7)
    colours = torch.rand(1, 3, cells, cells, generator=noise)
    mode = dice.choice(("nearest", "bicubic"))
    return torch.lerp(
        crop_chw, functional.interpolate(colours, size=crop_chw.shape[1:], mode=mode)[0], dice.uniform(0.3, 1)
    )


def with_noise(crop_chw: Tensor, dice: random.Random, noise: torch.Generator) -> Tensor:
    """Independent noise on every pixel, as in a picture that was started from noise."""
    return crop_chw + torch.randn(crop_chw.shape, generator=noise) * dice.uniform(0, 0.12)
