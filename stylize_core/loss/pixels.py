"""What is minimised of the pixels themselves: roughness, and values that no file can hold.

Both are sums over places, taken in strips of rows where a picture is large, so that they need little memory
beside it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional

from stylize_core.chunks import total
from stylize_core.settings.style import StyleSettings

STRIP_PX = 2**22
"""So many places at most are looked at together, if there are several rows of them."""


class Variation(Protocol):
    """A form of total variation, of pictures or of rows of pictures that are so high."""

    def __call__(self, image_bchw: Tensor, height: int = 0) -> Tensor:
        """One value per picture, [B]."""
        ...


def total_variation(image_bchw: Tensor, height: int = 0) -> Tensor:
    """Mean squared difference of neighbours, [B]: 0 for a flat picture; does not grow with the picture.

    >>> total_variation(torch.tensor([[[[0.0, 1.0], [0.0, 1.0]]]]))
    tensor([1.])

    Args:
        image_bchw: the picture, or rows of it.
        height: of the whole picture, where these are rows of it.
    """
    channels, rows, width = image_bchw.shape[1:]
    height = height or rows
    across = image_bchw[..., :, 1:] - image_bchw[..., :, :-1]
    down = image_bchw[..., 1:, :] - image_bchw[..., :-1, :]
    return _mean(across, channels * height * (width - 1)) + _mean(down, channels * (height - 1) * width)


def half_squares(image_bchw: Tensor, height: int = 0) -> Tensor:
    """`½ Σ ((x - right)² + (x - below)²)` over all places that have both neighbours, [B].

    neural-style has its gradient, the differences themselves. A sum over places: it grows with the picture.
    """
    here = image_bchw[..., :-1, :-1]
    across, down = here - image_bchw[..., :-1, 1:], here - image_bchw[..., 1:, :-1]
    return (across.square() + down.square()).sum((1, 2, 3)) / 2


def absolute(image_bchw: Tensor, height: int = 0) -> Tensor:
    """`Σ |x - right| + Σ |x - below|`, [B]: lets edges stand where squares would blur them; a sum as well."""
    across = image_bchw[..., :, 1:] - image_bchw[..., :, :-1]
    down = image_bchw[..., 1:, :] - image_bchw[..., :-1, :]
    return across.abs().sum((1, 2, 3)) + down.abs().sum((1, 2, 3))


def nine_point(image_bchw: Tensor, height: int = 0) -> Tensor:
    """Mean squared differences of all eight neighbours, [B], so that no direction is smoothed more.

    Two thirds of those beside and below each other and a sixth of those across corners, the edge repeated
    around the picture; mean values, which do not grow with it.
    """
    channels, rows, width = image_bchw.shape[1:]
    height = height or rows
    wide = functional.pad(image_bchw, (1, 1, 1, 1), "replicate")
    here = wide[..., 1:-1, 1:-1]
    beside, across = channels * height * width, channels * (height + 1) * (width + 1)
    straight = _mean(wide[..., 1:-1, 2:] - here, beside) + _mean(wide[..., 2:, 1:-1] - here, beside)
    falling, rising = wide[..., 1:, 1:] - wide[..., :-1, :-1], wide[..., 1:, :-1] - wide[..., :-1, 1:]
    return straight * (2 / 3) + (_mean(falling, across) + _mean(rising, across)) / 6


VARIATIONS: Mapping[str, Variation] = {
    "mean": total_variation,
    "half_squares": half_squares,
    "absolute": absolute,
    "nine_point": nine_point,
}


def weighted_variation(
    image_bchw: Tensor, settings: StyleSettings, gradient_bchw: Tensor | None = None
) -> Tensor:
    """The settings' total variation times its weight, [B]; its gradient is added to the one given.

    Rows are taken in strips that share a row with the next one, whose own variation is then taken off again.
    """
    form, height = VARIATIONS[settings.tv_form], image_bchw.shape[2]
    losses = []
    for first, end in _strips(image_bchw):
        losses.append(_part(form, settings.tv_weight, image_bchw, gradient_bchw, first, min(end + 1, height)))
        if end < height:
            losses.append(_part(form, -settings.tv_weight, image_bchw, gradient_bchw, end, end + 1))
    return total(losses)


# Why so many: a form with its weight, on some rows of a picture and of its gradient.
def _part(
    form: Variation, weight: float, image_bchw: Tensor, gradient_bchw: Tensor | None, first: int, end: int
) -> Tensor:
    rows_bchw = image_bchw[:, :, first:end].detach()
    if gradient_bchw is None:
        return weight * form(rows_bchw, image_bchw.shape[2])
    with torch.enable_grad():
        rows_bchw = rows_bchw.requires_grad_()
        loss_b = weight * form(rows_bchw, image_bchw.shape[2])
        (slope_bchw,) = torch.autograd.grad(loss_b.sum(), rows_bchw)
    gradient_bchw[:, :, first:end].add_(slope_bchw)
    return loss_b.detach()


def penalised_excess(image_bchw: Tensor, weight: float | Tensor, gradient_bchw: Tensor) -> Tensor:
    """The mean squared excess over 0..1 times its weight, [B]; its gradient is added to the one given.

    The weight is a number or one per picture, [B].

    A file cannot hold what lies outside, and cutting it off at the end alone would undo much of the
    optimisation. The square is smooth, so unlike clamping on the way it leaves a quasi-Newton method its
    curvature.
    """
    if not isinstance(weight, Tensor) and not weight:
        return torch.zeros_like(image_bchw[:, 0, 0, 0])
    steep = weight[:, None, None, None] if isinstance(weight, Tensor) else weight
    size, squares = image_bchw[0].numel(), []
    for first, end in _strips(image_bchw):
        outside = excess(image_bchw[:, :, first:end])
        squares.append(outside.square().sum((1, 2, 3)))
        gradient_bchw[:, :, first:end].add_(steep * (outside * (2 / size)))
    return weight * (total(squares) / size)


def excess(image_bchw: Tensor) -> Tensor:
    """How far each value lies outside 0..1, with its sign; [B, 3, H, W], 0 inside."""
    return image_bchw - image_bchw.clamp(0, 1)


def _strips(image_bchw: Tensor) -> Iterator[tuple[int, int]]:
    """All rows of pictures, from and to, in strips."""
    height, width = image_bchw.shape[-2:]
    step = max(1, STRIP_PX // width)
    for first in range(0, height, step):
        yield first, min(first + step, height)


def _mean(difference_bchw: Tensor, count: int) -> Tensor:
    """The sum of squares by that number, [B]; 0 where a picture one pixel wide has no neighbours."""
    return difference_bchw.square().sum((1, 2, 3)) / max(1, count)
