"""Style as a Gaussian: means and covariances of features, and how far two of them are apart.

The distance is Wasserstein's with p = 2, which for Gaussians has a closed form (Dowson and Landau 1982, The
Fréchet distance between multivariate normal distributions). Mroueh 2019 (Wasserstein Style Transfer,
arXiv 1905.12828) takes it for style.
"""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor

from stylize_core.device import exact
from stylize_core.loss.functional import SILENT_FEATURES, Form, gram_matrix

# Both pictures are judged with so much more variance in every direction, as a share of the style's mean
# variance: 1 % of its deviation. Flat pictures have covariances without inverse, and square roots of what
# float32 leaves of such ones would have gradients of pure rounding.
RIDGE = 1e-4

# Of Newton and Schulz's iteration: 40 bring 1e-14 to 1, the rest converges quadratically.
ROUNDS = 46


def moments(features_bchw: Tensor, *, share_b1hw: Tensor | None = None) -> Tensor:
    """Raw second moments with the means beside them: `[[E ffᵀ, E f], [E fᵀ, 1]]`.

    Being raw, those of a mixture of pictures are the mixture of theirs.

    Args:
        features_bchw: [B, C, H, W].
        share_b1hw: [B, 1, H, W] in 0..1, how much each place counts.

    Returns:
        [B, C+1, C+1]; zeros where no place counts.
    """
    ones_b1hw = torch.ones_like(features_bchw[:, :1])
    return gram_matrix(torch.cat([features_bchw, ones_b1hw], 1), share_b1hw=share_b1hw) * (
        features_bchw.shape[1] + 1
    )


def covariance_root(target_bdd: Tensor) -> Tensor:
    """The symmetric square root of the target's covariance with its ridge, [B, C, C] float64."""
    _, covariance_bcc = _gaussian(target_bdd)
    solvable_bcc, finite = _solvable(covariance_bcc + _ridge(covariance_bcc))
    values, vectors = torch.linalg.eigh(solvable_bcc)
    roots_bcc = (vectors * values.clamp_min(0).sqrt()[:, None]) @ vectors.mT
    return torch.where(finite[:, None, None], roots_bcc, torch.nan)


def wasserstein(moments_bdd: Tensor, target_bdd: Tensor, *, root_bcc: Tensor) -> Tensor:
    """`|m - m₂|² + tr(C + C₂ - 2 (C₂^½ C C₂^½)^½)`, [B]: 0 for equal statistics, in the features' units.

    Computed in float64, both covariances with the ridge. Where a moment is not finite, neither is the loss.

    Args:
        moments_bdd: of the pictures, as `moments` packs them.
        target_bdd: of the styles.
        root_bcc: `covariance_root` of the styles.
    """
    mean_bc, covariance_bcc = _gaussian(moments_bdd)
    target_mean_bc, target_covariance_bcc = _gaussian(target_bdd)
    ridge_bcc = _ridge(target_covariance_bcc)
    covariance_bcc = covariance_bcc + ridge_bcc
    overlap = _trace_of_root(root_bcc @ covariance_bcc @ root_bcc)
    traces = _trace(covariance_bcc) + _trace(target_covariance_bcc + ridge_bcc)
    distance = (mean_bc - target_mean_bc).square().sum(1) + traces - 2 * overlap
    return distance.to(moments_bdd)


def wasserstein_unit(target_bdd: Tensor, form: Form) -> Tensor:
    """What the distance from a style's moments is divided by, [B].

    `relative`: `|m₂|² + tr(C₂)`, which makes it free of units and equal at every size; `gatys`: 1; `mean`:
    the number of features, as in style-transfer-pytorch.
    """
    channels = target_bdd.shape[-1] - 1
    if form == "relative":
        return _trace(target_bdd[:, :-1, :-1]).clamp_min(SILENT_FEATURES * channels)
    return torch.full_like(target_bdd[:, 0, 0], 1 if form == "gatys" else channels)


def _gaussian(moments_bdd: Tensor) -> tuple[Tensor, Tensor]:
    """Mean [B, C] and covariance [B, C, C], float64."""
    moments_bdd = exact(moments_bdd)
    mean_bc = moments_bdd[:, -1, :-1]
    return mean_bc, moments_bdd[:, :-1, :-1] - mean_bc[:, :, None] * mean_bc[:, None]


def _ridge(covariance_bcc: Tensor) -> Tensor:
    channels = covariance_bcc.shape[-1]
    variance = (_trace(covariance_bcc) / channels).clamp_min(SILENT_FEATURES)
    identity = torch.eye(channels, dtype=covariance_bcc.dtype, device=covariance_bcc.device)
    return RIDGE * variance[:, None, None] * identity


def _trace(matrix_bcc: Tensor) -> Tensor:
    return matrix_bcc.diagonal(dim1=1, dim2=2).sum(1)


def _trace_of_root(matrix_bcc: Tensor) -> Tensor:
    """`tr(M^½)`, [B], of symmetric positive definite matrices; NaN for what is not finite.

    LAPACK's eigenvalues on a CPU. Elsewhere they would make the host wait for the device.
    """
    solvable_bcc, finite = _solvable(matrix_bcc)
    if matrix_bcc.device.type == "cpu":
        roots = _sum_of_root_values(solvable_bcc)
    else:
        roots = cast("Tensor", _RootTrace.apply(solvable_bcc))
    return torch.where(finite, roots, torch.nan)


def _sum_of_root_values(matrix_bcc: Tensor) -> Tensor:
    """The derivative needs eigenvectors but not theirs, so equal eigenvalues do no harm.

    Eigenvalues that rounding made tiny or negative count as a tiny one and have no gradient.
    """
    values = torch.linalg.eigvalsh(matrix_bcc)
    return cast("Tensor", values.clamp_min((RIDGE * SILENT_FEATURES) ** 2 / 100).sqrt().sum(1))


class _RootTrace(torch.autograd.Function):
    """`tr(M^½)`, [B], by products of matrices alone; its derivative is `½ M^-½`, which comes with the root.

    The coupled iteration of Newton and Schulz (Higham 2008, Functions of Matrices, equation 6.35), with as
    many rounds for every matrix, so that nothing is asked of the device on the way. In float64 they suffice
    for eigenvalues that are 1e14 apart: each round makes a small one 1.5² times as large beside the others.
    """

    @staticmethod
    def forward(ctx: Any, matrix_bcc: Tensor) -> Tensor:
        identity = torch.eye(matrix_bcc.shape[-1], dtype=matrix_bcc.dtype, device=matrix_bcc.device)
        size_b11 = torch.linalg.matrix_norm(matrix_bcc)[:, None, None].clamp_min(
            torch.finfo(torch.float32).tiny
        )
        root, inverse = matrix_bcc / size_b11, identity.expand_as(matrix_bcc)
        start = (1.5 * identity).expand_as(matrix_bcc)
        for _ in range(ROUNDS):
            turn = torch.baddbmm(start, inverse, root, alpha=-0.5)
            root, inverse = root @ turn, turn @ inverse
        ctx.save_for_backward(inverse / size_b11.sqrt())
        return _trace(root * size_b11.sqrt())

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Tensor:
        slope_bcc: Tensor = gradients[0][:, None, None] * ctx.saved_tensors[0] / 2
        return slope_bcc


def _solvable(matrix_bcc: Tensor) -> tuple[Tensor, Tensor]:
    """The matrices with 1 in place of those that are not finite, which LAPACK refuses; [B] which are."""
    finite = torch.isfinite(matrix_bcc).all(2).all(1)
    identity = torch.eye(matrix_bcc.shape[-1], dtype=matrix_bcc.dtype, device=matrix_bcc.device)
    return torch.where(finite[:, None, None], matrix_bcc, identity), finite
