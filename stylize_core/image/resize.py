"""Pictures in another size."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from stylize_core.image.decode import Picture

SLENDER_RATIO = 5
"""Longer than this number of times its width a picture is none that `size` was thought for."""
STROKES_NEED_PX = 128


def resize(picture: Picture, *, long_edge: int, enlarge: bool) -> Picture:
    """The picture with its longer side at `long_edge` px, by Lanczos on float samples; aspect kept.

    A smaller picture stays as it is unless `enlarge` is set: a style is enlarged only while it is measured.
    Either way the decision is recorded.
    """
    height, width = picture.rgb.shape[1:]
    longest = max(width, height)
    if longest == long_edge:
        return picture
    size = fitted_size(width, height, long_edge=long_edge)
    grown = f"enlarged from {width}x{height} to {size[0]}x{size[1]} px"
    if longest < long_edge and not enlarge:
        return replace(picture, decisions=(*picture.decisions, f"{grown} where it is measured"))
    said = (grown,) if longest < long_edge else ()
    return replace(
        picture,
        rgb=_lanczos(picture.rgb, size),
        alpha=None if picture.alpha is None else _lanczos(picture.alpha, size),
        decisions=picture.decisions + said,
    )


def brought_to(
    picture: Picture, long_edge: int, *, used: tuple[int, int], enlarge: bool
) -> tuple[Picture, str]:
    """The picture in the size that it is used in, and why that is no good size for it; empty if it is.

    `used` are its width and height as its file has them, px; what was decided stands in the picture.
    """
    sized = resize(picture, long_edge=long_edge, enlarge=enlarge)
    warning = slender(sized, *used)
    return (replace(sized, decisions=(*sized.decisions, warning)) if warning else sized), warning


def slender(picture: Picture, width: int, height: int) -> str:
    """Why a picture, once `width` x `height` px, has no room for strokes at its size; empty if it has."""
    made = picture.rgb.shape[2], picture.rgb.shape[1]
    if max(made) < SLENDER_RATIO * min(made) or min(made) >= STROKES_NEED_PX:
        return ""
    return (
        f"{width}x{height} px is long and thin: at {made[0]}x{made[1]} px strokes lack room, which take some "
        f"{STROKES_NEED_PX} px on the short side; crop it (a style: `style_crop`), or ask for more pixels by "
        "`megapixels` or `size` (a style: `style_scale`)"
    )


def fitted_size(width: int, height: int, *, long_edge: int) -> tuple[int, int]:
    """Width and height with the longer side at `long_edge`, rounded to the nearest px and at least 1."""
    longest = max(width, height)
    across, down = (max(1, (2 * side * long_edge + longest) // (2 * longest)) for side in (width, height))
    return across, down


def _lanczos(planes: Tensor, size: tuple[int, int]) -> Tensor:
    resized = np.empty((len(planes), size[1], size[0]), np.float32)
    for channel, plane in enumerate(planes):
        resized[channel] = np.asarray(Image.fromarray(plane.numpy()).resize(size, Image.Resampling.LANCZOS))
    return torch.from_numpy(resized).clamp_(0, 1)
