"""Sums over places of the products of features, and the gradient by the features that they send back."""

from __future__ import annotations

import torch
from torch import Tensor

from stylize_core.device import multiplied_in, wide

# So many places at least make a part of a sum over bfloat16 features.
PART = 1024


def products(features_bchw: Tensor) -> Tensor:
    """`F Fᵀ`, [B, C, C], for [B, C, H, W]; sums of formats below float32 are float32."""
    if channels_first(features_bchw):
        planes_bcn = wide(features_bchw.flatten(2))
        return planes_bcn @ planes_bcn.transpose(1, 2)
    places_bnc = features_bchw.permute(0, 2, 3, 1).flatten(1, 2)
    if multiplied_in(places_bnc.dtype, places_bnc.device) != torch.bfloat16:
        return wide(places_bnc).transpose(1, 2) @ wide(places_bnc)
    if places_bnc.is_cuda:
        return torch.bmm(places_bnc.mT, places_bnc, out_dtype=torch.float32)
    return torch.stack([products_in_parts(places_nc) for places_nc in places_bnc])


def sent_back(features_bchw: Tensor, slope_bcc: Tensor) -> Tensor:
    """The gradient by the features of what has the gradient `slope_bcc` by their products: `(D + Dᵀ) F`.

    It has the format of the features and lies in memory as they do, so nothing is to be turned around before
    it is added to another one.
    """
    dtype = features_bchw.dtype
    factors = multiplied_in(dtype, features_bchw.device)
    both_bcc = (slope_bcc + slope_bcc.transpose(1, 2)).to(dtype).to(factors)
    if channels_first(features_bchw):
        return (both_bcc @ features_bchw.flatten(2).to(factors)).view(features_bchw.shape).to(dtype)
    back_bnc = (features_bchw.permute(0, 2, 3, 1).flatten(1, 2).to(factors) @ both_bcc).to(dtype)
    height, width = features_bchw.shape[2:]
    return back_bnc.view(len(back_bnc), height, width, -1).permute(0, 3, 1, 2)


def products_in_parts(places_nc: Tensor) -> Tensor:
    """`Σ f fᵀ` over the places of one picture, [C, C] float32, of bfloat16 features.

    A processor multiplies those fastest but hands its sums back rounded to bfloat16, by 0.1 %; those of many
    parts, added in float32, are off by a fraction of that, far less than the features themselves. The parts
    of several pictures would have to be copied together first.
    """
    places, channels = places_nc.shape
    size = max(PART, 4 * channels)
    whole = places - places % size
    parts_pnc, rest_nc = places_nc[:whole].view(-1, size, channels), places_nc[whole:]
    sums_pcc, rest_cc = parts_pnc.mT @ parts_pnc, rest_nc.mT @ rest_nc
    return sums_pcc.float().sum(0) + rest_cc.float()


def channels_first(features_bchw: Tensor) -> bool:
    """Whether each channel is a plane in memory, or a part of one."""
    return features_bchw.shape[1] > 1 and (features_bchw.is_contiguous() or features_bchw.stride(1) > 1)
