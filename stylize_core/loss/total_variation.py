"""How rough a picture is, in the forms in which programs write it: one value per picture of the batch."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from torch import Tensor
from torch.nn import functional

from stylize_core.loss.functional import total_variation


def half_squares(image_bchw: Tensor) -> Tensor:
    """`½ Σ ((x - right)² + (x - below)²)` over all places that have both neighbours, [B].

    neural-style has its gradient, the differences themselves. A sum over places: it grows with the picture.
    """
    here = image_bchw[..., :-1, :-1]
    across, down = here - image_bchw[..., :-1, 1:], here - image_bchw[..., 1:, :-1]
    return (across.square() + down.square()).sum((1, 2, 3)) / 2


def absolute(image_bchw: Tensor) -> Tensor:
    """`Σ |x - right| + Σ |x - below|`, [B]: lets edges stand where squares would blur them; a sum as well."""
    across = image_bchw[..., :, 1:] - image_bchw[..., :, :-1]
    down = image_bchw[..., 1:, :] - image_bchw[..., :-1, :]
    return across.abs().sum((1, 2, 3)) + down.abs().sum((1, 2, 3))


def nine_point(image_bchw: Tensor) -> Tensor:
    """Mean squared differences of all eight neighbours, [B], so that no direction is smoothed more.

    Two thirds of those beside and below each other and a sixth of those across corners, the edge repeated
    around the picture; mean values, which do not grow with it.
    """
    wide = functional.pad(image_bchw, (1, 1, 1, 1), "replicate")
    here = wide[..., 1:-1, 1:-1]
    straight = _mean(wide[..., 1:-1, 2:] - here) + _mean(wide[..., 2:, 1:-1] - here)
    falling, rising = wide[..., 1:, 1:] - wide[..., :-1, :-1], wide[..., 1:, :-1] - wide[..., :-1, 1:]
    return straight * (2 / 3) + (_mean(falling) + _mean(rising)) / 6


def _mean(difference_bchw: Tensor) -> Tensor:
    return difference_bchw.square().mean((1, 2, 3))


VARIATIONS: Mapping[str, Callable[[Tensor], Tensor]] = {
    "mean": total_variation,
    "half_squares": half_squares,
    "absolute": absolute,
    "nine_point": nine_point,
}
