"""The ways to compute a 3x3 convolution, and which of them is the fastest for given channels and hardware."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional

from stylize_core.architecture import goes_winograds_way
from stylize_core.device import multiplied_in
from stylize_core.networks.winograd import Winograd


class Filter(Protocol):
    """A convolution with a frozen kernel."""

    def __call__(self, features_bchw: Tensor) -> Tensor:
        """Results [B, K, h, w] of features [B, C, H, W], both with all channels of a place side by side."""
        ...

    def turned(self) -> Filter:
        """What carries gradients back: the derivative by the features, which is a convolution as well."""
        ...


def convolution(
    weight_kc33: Tensor,
    bias_k: Tensor | None,
    *,
    padding: int,
    device: torch.device | str,
    dtype: torch.dtype,
) -> Filter:
    """The fastest way that is known for a frozen kernel, on this device and in this number format.

    Args:
        weight_kc33: the kernels.
        bias_k: added to every result; none if left out.
        padding: zeros around the features, px.
        device: where features will lie.
        dtype: their number format.
    """
    on_cpu, (made, given) = torch.device(device).type == "cpu", weight_kc33.shape[:2]
    if padding == 1 and on_cpu and goes_winograds_way(given, made, number_bytes=dtype.itemsize):
        return Winograd(weight_kc33, bias_k, dtype=dtype)
    return Direct(weight_kc33, bias_k, padding=padding, device=device, dtype=dtype)


class Direct:
    """A convolution as PyTorch does it; kernels with all channels side by side make such results."""

    def __init__(
        self,
        weight_kc33: Tensor,
        bias_k: Tensor | None,
        *,
        padding: int,
        device: torch.device | str,
        dtype: torch.dtype,
    ) -> None:
        beside = weight_kc33.contiguous(memory_format=torch.channels_last)
        self._kernels = beside.to(device, dtype)
        self._bias = None if bias_k is None else bias_k.to(device, dtype)
        self._padding, self._factors = padding, multiplied_in(dtype, device)

    def turned(self) -> Direct:
        """Half a turn of every kernel, and results where features were."""
        kernels = self._kernels.flip(2, 3).transpose(0, 1)
        return Direct(kernels, None, padding=2 - self._padding, device=kernels.device, dtype=kernels.dtype)

    def __call__(self, features_bchw: Tensor) -> Tensor:
        """Results of features."""
        features, kernels = features_bchw.to(self._factors), self._kernels.to(self._factors)
        bias = None if self._bias is None else self._bias.to(self._factors)
        return functional.conv2d(features, kernels, bias, padding=self._padding).to(features_bchw.dtype)
