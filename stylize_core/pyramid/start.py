"""The picture that an optimisation starts from."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from stylize_core.loss.colour import grey, recoloured
from stylize_core.settings.style import StyleSettings

# How strong the noise is that a content is reconstructed from: what a layer does not see stays as it was.
FAINT_NOISE = 0.1


def starting_picture(
    content_bchw: Tensor, settings: StyleSettings, *, init_bchw: Tensor | None = None
) -> Tensor:
    """Where the optimisation starts, in the shape of the content; its luminance, if that is all that counts.

    Noise is uniform around grey, drawn on the CPU from the seed, the same for every row and on every device.
    """
    start = _start_in_colour(content_bchw, settings, init_bchw)
    return grey(start) if settings.colour == "luminance" else start


def _start_in_colour(content_bchw: Tensor, settings: StyleSettings, init_bchw: Tensor | None) -> Tensor:
    if settings.start == "content":
        return content_bchw.clone()
    if settings.start == "noise":
        generator = torch.Generator().manual_seed(settings.seed)
        noise = torch.rand(content_bchw.shape[1:], generator=generator)
        if settings.mode == "content":
            noise = torch.lerp(torch.full_like(noise, 0.5), noise, FAINT_NOISE)
        return noise.expand_as(content_bchw).to(content_bchw, copy=True)
    if init_bchw is None:
        raise ValueError(f"init: {settings.init} needs init_bchw")
    if settings.init == "style":
        init_bchw = recoloured(init_bchw.to(content_bchw), content_bchw, settings)
    height, width = content_bchw.shape[-2:]
    return cover(init_bchw.to(content_bchw), height=height, width=width)


def cover(image_bchw: Tensor, *, height: int, width: int) -> Tensor:
    """The picture scaled, aspect kept, until it covers height x width px, and cut around its middle."""
    old_height, old_width = image_bchw.shape[-2:]
    factor = max(height / old_height, width / old_width)
    scaled = functional.interpolate(
        image_bchw,
        size=(max(height, round(old_height * factor)), max(width, round(old_width * factor))),
        mode="bicubic",
        antialias=True,
    ).clamp(0, 1)
    top, left = (scaled.shape[-2] - height) // 2, (scaled.shape[-1] - width) // 2
    return scaled[..., top : top + height, left : left + width].contiguous()
