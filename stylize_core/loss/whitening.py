"""Differences of a style's statistics in the style's own axes, strong ones damped, for the first steps.

Gram matrices have a few strong axes, such as the mean brightness, and many weak ones, and the pull on each is
as steep as the axes themselves: an optimisation that follows the steepest finishes what is strong long before
what is weak has begun. A change E of `F Fᵀ` pulls features by `(E + Eᵀ) F`, and so moves `F Fᵀ` itself by
about `E G + G E`: in the axes of G, with eigenvalues l, by l_i + l_j for the product of axes i and j.
Dividing there by about as much lets all of them come along together. Whitening and colouring transforms (Li
et al. 2017, arXiv 1705.08086) take the same axes; here they weigh a loss, which leads to the same pictures
once it is weighed as ever again.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from stylize_core.device import exact

KNEE = 0.03
"""The share of the strongest pull from which on pulls are levelled; there the weight is 1."""


@dataclass(frozen=True, slots=True)
class Axes:
    """The axes of B target matrices.

    Attributes:
        basis_bcc: the axes, in columns.
        weight_bcc: what the squared difference in the product of two axes counts, 0..2.
    """

    basis_bcc: Tensor
    weight_bcc: Tensor

    @staticmethod
    def of(target_bcc: Tensor) -> Axes:
        """Those of Gram matrices [B, C, C]; of a matrix of zeros any, all alike."""
        values_bc, basis_bcc = torch.linalg.eigh(exact(target_bcc))
        values_bc = values_bc.clamp_min(0)
        pull_bcc = (values_bc[:, :, None] + values_bc[:, None, :]) / 2
        strongest_b11 = values_bc.amax(1)[:, None, None].clamp_min(torch.finfo(target_bcc.dtype).tiny)
        weight_bcc = 2 / (1 + pull_bcc / strongest_b11 / KNEE)
        return Axes(basis_bcc.to(target_bcc), weight_bcc.to(target_bcc))

    def weighed(self, apart_bcc: Tensor) -> Tensor:
        """Half the gradient of the weighed squares by the symmetric differences [B, C, C]."""
        turned_bcc = self.basis_bcc.mT @ apart_bcc @ self.basis_bcc
        return self.basis_bcc @ (turned_bcc * self.weight_bcc) @ self.basis_bcc.mT
