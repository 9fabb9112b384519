"""The quantities of the 2015 paper as pure functions, one value per picture of the batch.

Gatys, Ecker and Bethge 2015, arXiv 1508.06576: equation 1 (content), 3 (Gram matrix), 4 and 5 (style).
"""

from __future__ import annotations

from typing import Any, Literal, cast

import torch
from torch import Tensor

from stylize_core.chunks import total
from stylize_core.device import wide
from stylize_core.loss.products import products, sent_back

# A layer that is (almost) silent on the target would divide by nothing. These floors are mean squares, far
# below those of any picture with something in it.
SILENT_FEATURES = 1e-6
SILENT_GRAM = 1e-12

Form = Literal["relative", "gatys", "mean"]


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
    """`products` for automatic differentiation."""

    @staticmethod
    def forward(ctx: Any, features_bchw: Tensor) -> Tensor:
        ctx.save_for_backward(features_bchw)
        return products(features_bchw)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Tensor:
        (features_bchw,) = ctx.saved_tensors
        return sent_back(features_bchw, gradients[0])


def content_loss(features_bchw: Tensor, target_bchw: Tensor, form: Form = "relative") -> Tensor:
    """`‖F - P‖²` in units of `content_unit`, [B].

    `relative`: 0 at the content picture, 1 for a silent one; the same at every size. `gatys`: `½ Σ (F - P)²`
    (equation 1), which grows with the picture, as in the paper. `mean`: the mean squared difference, as most
    programs have it.
    """
    return (features_bchw - target_bchw).square().sum((1, 2, 3)) / content_unit(target_bchw, form)


def style_loss(gram_bcc: Tensor, target_bcc: Tensor, form: Form = "relative") -> Tensor:
    """`‖G - A‖²` of normalised Gram matrices in units of `style_unit`, [B].

    `relative`: 0 for equal statistics, 1 for a silent picture; the same at every size. `gatys`:
    `1 / (4 C² N²) Σ (G - A)²` (equation 4): the paper's G and A are sums over N positions; here each was
    divided by C and its own N already, which is the same for equal sizes and stays comparable for unequal
    ones; what remains of the factor is 1/4. `mean`: `Σ (G - A)² / C²`, as most programs have it.
    """
    return (gram_bcc - target_bcc).square().sum((1, 2)) / style_unit(target_bcc, form)


def content_unit(target_bchw: Tensor, form: Form, *, rows: int = 0) -> Tensor:
    """What the squared distance from a content's features is divided by, [B].

    Args:
        rows: so many of the features are looked at together; 0 for all.
    """
    one_b = torch.ones_like(wide(target_bchw[:, 0, 0, 0]))
    if form == "gatys":
        return one_b * 2
    if form == "mean":
        return one_b * target_bchw[0].numel()
    strips = torch.split(target_bchw, rows or target_bchw.shape[2], 2)
    return total([energy(strip, SILENT_FEATURES) for strip in strips])


def style_unit(target_bcc: Tensor, form: Form) -> Tensor:
    """What the squared distance from a style's Gram matrix is divided by, [B]."""
    one_b = torch.ones_like(target_bcc[:, 0, 0])
    if form == "gatys":
        return one_b * 4
    return energy(target_bcc, SILENT_GRAM) if form == "relative" else one_b * target_bcc[0].numel()


def energy(target: Tensor, least: float) -> Tensor:
    """`‖target‖²` of every row, [B], at least as if each of its numbers had the square `least`."""
    return wide(target).square().sum(tuple(range(1, target.dim()))).clamp_min(least * target[0].numel())
