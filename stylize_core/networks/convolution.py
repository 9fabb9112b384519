"""The ways to compute a 3x3 convolution, and which of them is the fastest for given channels and hardware."""

from __future__ import annotations

from functools import cache
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional

from stylize_core.networks.winograd import Winograd


class Filter(Protocol):
    """A convolution with a frozen kernel."""

    def __call__(self, features_bchw: Tensor) -> Tensor:
        """Results [B, K, h, w] of features [B, C, H, W]."""
        ...


# Fewer channels than these are faster the plain way (`python -m benchmarks evaluation`): in and out of one
# convolution, and in the widest of a network, whose other convolutions pay for NNPACK's order of memory.
LEAST_FOR_WINOGRAD = 128
LEAST_FOR_NNPACK = 128


def memory_format(widest: int, *, device: torch.device | str, dtype: torch.dtype) -> torch.memory_format:
    """How a network with so many channels at most is to keep its features.

    Returns:
        one plane per channel, which NNPACK wants, or all channels of a place side by side.
    """
    on_cpu = torch.device(device).type == "cpu"
    if on_cpu and dtype == torch.float32 and widest >= LEAST_FOR_NNPACK and has_nnpack():
        return torch.contiguous_format
    return torch.channels_last


def convolution(
    weight_kc33: Tensor,
    bias_k: Tensor | None,
    *,
    padding: int,
    order: torch.memory_format,
    device: torch.device | str,
    dtype: torch.dtype,
) -> Filter:
    """The fastest way that is known for a frozen kernel, on this device and in this number format.

    Args:
        weight_kc33: the kernels.
        bias_k: added to every result; none if left out.
        padding: zeros around the features, px.
        order: what `memory_format` says for the network.
        device: where features will lie.
        dtype: their number format.
    """
    if padding == 1 and order == torch.contiguous_format:
        return Nnpack(weight_kc33, bias_k)
    wide = min(weight_kc33.shape[:2]) >= LEAST_FOR_WINOGRAD
    if padding == 1 and wide and dtype == torch.bfloat16 and torch.device(device).type == "cpu":
        return Winograd(weight_kc33, bias_k, dtype=dtype)
    # What goes on in planes comes as planes: turned round afterwards it would take as long again.
    kernels = weight_kc33.contiguous(memory_format=torch.channels_last if padding else order)
    return Direct(kernels, bias_k, padding=padding, device=device, dtype=dtype)


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
        self._kernels = weight_kc33.to(device, dtype)
        self._bias = None if bias_k is None else bias_k.to(device, dtype)
        self._padding = padding

    def __call__(self, features_bchw: Tensor) -> Tensor:
        """Results of features."""
        return functional.conv2d(features_bchw, self._kernels, self._bias, padding=self._padding)


class Nnpack:
    """NNPACK's Winograd filtering for float32, with zeros of 1 px around the picture.

    It comes with PyTorch and rounds like the plain way, but PyTorch does not choose it by itself.
    """

    def __init__(self, weight_kc33: Tensor, bias_k: Tensor | None) -> None:
        self._kernels = weight_kc33.to("cpu", torch.float32).contiguous()
        bias = torch.zeros(len(weight_kc33)) if bias_k is None else bias_k
        self._bias = bias.to("cpu", torch.float32)

    def __call__(self, features_bchw: Tensor) -> Tensor:
        """Results of features, one picture at a time, so that a batch is the same as its pictures."""
        rows = [
            torch._nnpack_spatial_convolution(row[None], self._kernels, self._bias, padding=1)
            for row in features_bchw.contiguous()
        ]
        return rows[0] if len(rows) == 1 else torch.cat(rows)


@cache
def has_nnpack() -> bool:
    """Whether this build of PyTorch and this processor have NNPACK; the question also makes it ready."""
    return hasattr(torch, "_nnpack_spatial_convolution") and bool(torch._nnpack_available())
