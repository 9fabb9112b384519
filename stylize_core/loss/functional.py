"""The quantities of the 2015 paper as pure functions, one value per picture of the batch.

Gatys, Ecker and Bethge 2015, arXiv 1508.06576: equation 1 (content), 3 (Gram matrix), 4 and 5 (style).
"""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor

from stylize_core.device import wide

# A layer that is (almost) silent on the target would divide by nothing. These floors are mean squares, far
# below those of any picture with something in it.
SILENT_FEATURES = 1e-6
SILENT_GRAM = 1e-12

# So many places at least make a part of a sum over bfloat16 features.
PART = 1024


def gram_matrix(features_bchw: Tensor, *, share_b1hw: Tensor | None = None) -> Tensor:
    """Which features occur together, wherever: `F Fᵀ / (C N)` with N = H W (equation 3, normalised).

    >>> gram_matrix(torch.ones(1, 2, 3, 3))
    tensor([[[0.5000, 0.5000],
             [0.5000, 0.5000]]])

    Args:
        features_bchw: [B, C, H, W]; sums of formats below float32 are float32, as their own would overflow.
        share_b1hw: [B, 1, H, W] in 0..1, how much each place counts; N is then their sum. A picture without
            any place that counts has a Gram matrix of zeros.

    Returns:
        [B, C, C], symmetric, positive semi-definite.
    """
    _, channels, height, width = features_bchw.shape
    if share_b1hw is None:
        return cast("Tensor", _Products.apply(features_bchw)) / (channels * height * width)
    places = share_b1hw.sum((2, 3), keepdim=True).clamp_min(1e-6)
    shared = wide(features_bchw) * (share_b1hw / (channels * places)).sqrt()
    return cast("Tensor", _Products.apply(shared))


class _Products(torch.autograd.Function):
    """`F Fᵀ` for [B, C, H, W], with the one product that its derivative needs: `(D + Dᵀ) F`.

    The gradient has the format of the features and lies in memory as they do, so nothing is to be turned
    around before it is added to it.
    """

    @staticmethod
    def forward(ctx: Any, features_bchw: Tensor) -> Tensor:
        ctx.save_for_backward(features_bchw)
        if _channels_first(features_bchw):
            planes_bcn = wide(features_bchw.flatten(2))
            return planes_bcn @ planes_bcn.transpose(1, 2)
        places_bnc = features_bchw.permute(0, 2, 3, 1).flatten(1, 2)
        if places_bnc.dtype == torch.bfloat16:
            return _products_in_parts(places_bnc)
        places_bnc = wide(places_bnc)
        return places_bnc.transpose(1, 2) @ places_bnc

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Tensor:
        (features_bchw,) = ctx.saved_tensors
        (gradient_bcc,) = gradients
        both_bcc = (gradient_bcc + gradient_bcc.transpose(1, 2)).to(features_bchw.dtype)
        if _channels_first(features_bchw):
            return cast("Tensor", (both_bcc @ features_bchw.flatten(2)).unflatten(2, features_bchw.shape[2:]))
        back_bnc = features_bchw.permute(0, 2, 3, 1).flatten(1, 2) @ both_bcc
        return cast("Tensor", back_bnc.unflatten(1, features_bchw.shape[2:]).permute(0, 3, 1, 2))


def _products_in_parts(places_bnc: Tensor) -> Tensor:
    """`Σ f fᵀ` over the places, [B, C, C] float32, of bfloat16 features, which hardware multiplies fastest.

    It hands its sums back rounded to bfloat16, by 0.1 %; those of many parts, added in float32, are off by a
    fraction of that, far less than the features themselves.
    """
    batch, places, channels = places_bnc.shape
    size = max(PART, 4 * channels)
    whole = places - places % size
    parts_bpnc = places_bnc[:, :whole].reshape(batch, places // size, size, channels)
    rest_bnc = places_bnc[:, whole:]
    sums_bpcc, rest_bcc = parts_bpnc.mT @ parts_bpnc, rest_bnc.mT @ rest_bnc
    return sums_bpcc.float().sum(1) + rest_bcc.float()


def _channels_first(features_bchw: Tensor) -> bool:
    return features_bchw.is_contiguous() and features_bchw.shape[1] > 1


def relative_content_loss(features_bchw: Tensor, target_bchw: Tensor) -> Tensor:
    """`‖F - P‖² / ‖P‖²`, [B]: 0 at the content picture, 1 for a silent one; the same at every size."""
    floor = SILENT_FEATURES * target_bchw[0].numel()
    energy = target_bchw.square().sum((1, 2, 3)).clamp_min(floor)
    return (features_bchw - target_bchw).square().sum((1, 2, 3)) / energy


def relative_style_loss(gram_bcc: Tensor, target_bcc: Tensor) -> Tensor:
    """`‖G - A‖² / ‖A‖²`, [B], of normalised Gram matrices: 0 for equal statistics; the same at every size."""
    floor = SILENT_GRAM * target_bcc[0].numel()
    energy = target_bcc.square().sum((1, 2)).clamp_min(floor)
    return (gram_bcc - target_bcc).square().sum((1, 2)) / energy


def gatys_content_loss(features_bchw: Tensor, target_bchw: Tensor) -> Tensor:
    """`½ Σ (F - P)²`, [B] (equation 1). Grows with the picture, as in the paper."""
    return (features_bchw - target_bchw).square().sum((1, 2, 3)) / 2


def gatys_style_loss(gram_bcc: Tensor, target_bcc: Tensor) -> Tensor:
    """`1 / (4 C² N²) Σ (G - A)²`, [B] (equation 4).

    The paper's G and A are sums over N positions. Here each was divided by C and its own N already, which is
    the same for equal sizes and stays comparable for unequal ones; what remains of the factor is 1/4.
    """
    return (gram_bcc - target_bcc).square().sum((1, 2)) / 4


def mean_content_loss(features_bchw: Tensor, target_bchw: Tensor) -> Tensor:
    """`Σ (F - P)² / (C N)`, [B]: the mean squared difference, as most programs have it."""
    return (features_bchw - target_bchw).square().mean((1, 2, 3))


def mean_style_loss(gram_bcc: Tensor, target_bcc: Tensor) -> Tensor:
    """`Σ (G - A)² / C²`, [B], of Gram matrices that are divided by C N, as most programs have it."""
    return (gram_bcc - target_bcc).square().mean((1, 2))


def total_variation(image_bchw: Tensor) -> Tensor:
    """Mean squared difference of neighbours, [B]: 0 for a flat picture; does not grow with the picture.

    >>> total_variation(torch.tensor([[[[0.0, 1.0], [0.0, 1.0]]]]))
    tensor([1.])
    """
    across = image_bchw[..., :, 1:] - image_bchw[..., :, :-1]
    down = image_bchw[..., 1:, :] - image_bchw[..., :-1, :]
    return _mean_square(across) + _mean_square(down)


def excess(image_bchw: Tensor) -> Tensor:
    """How far each value lies outside 0..1, with its sign; [B, 3, H, W], 0 inside."""
    return image_bchw - image_bchw.clamp(0, 1)


def range_penalty(image_bchw: Tensor) -> tuple[Tensor, Tensor]:
    """The mean squared excess over 0..1, [B], and its gradient [B, 3, H, W].

    A file cannot hold what lies outside, and cutting it off at the end alone would undo much of the
    optimisation. The square is smooth, so unlike clamping on the way it leaves a quasi-Newton method its
    curvature.
    """
    outside = excess(image_bchw)
    return _mean_square(outside), outside * (2 / outside[0].numel())


def _mean_square(difference_bchw: Tensor) -> Tensor:
    """The mean square per picture, [B]; 0 where a picture one pixel wide has no neighbours."""
    return difference_bchw.square().sum((1, 2, 3)) / max(1, difference_bchw[0].numel())
