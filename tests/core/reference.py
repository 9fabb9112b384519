"""The numerical core once more: plain NumPy in float64, as slow and as close to the papers as can be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from stylize_core.architecture import convolutions

Array = NDArray[np.float64]

# What each convention does to an RGB picture in 0..1, as their authors publish it.
TORCHVISION_MEAN, TORCHVISION_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
CAFFE_MEAN_BGR = (103.939, 116.779, 123.68)
FEATURES_MEAN = (0.48235, 0.45882, 0.40784)


def array(values: Tensor) -> Array:
    """A copy of a tensor as float64."""
    return np.array(values.detach().double().numpy(), dtype=np.float64)


def raw_gram(features_chw: Array) -> Array:
    """Equation 3 of the paper: a sum over positions, divided by nothing."""
    flat = features_chw.reshape(features_chw.shape[0], -1)
    return np.array([[np.sum(a * b) for b in flat] for a in flat])


def gram(features_chw: Array, share_hw: Array | None = None) -> Array:
    """Equation 3 divided by channels and (counted) positions."""
    share = np.ones(features_chw.shape[1:]) if share_hw is None else share_hw
    weighted = features_chw * np.sqrt(share)
    return np.asarray(raw_gram(weighted) / (features_chw.shape[0] * share.sum()))


def relative(value: Array, target: Array) -> float:
    """Squared distance in units of the target."""
    return float(np.sum((value - target) ** 2) / np.sum(target**2))


def gatys_content(features: Array, target: Array) -> float:
    """Equation 1."""
    return float(np.sum((features - target) ** 2) / 2)


def gatys_style(features_chw: Array, target_chw: Array) -> float:
    """Equation 4, for features of equal size."""
    channels, places = features_chw.shape[0], features_chw[0].size
    difference = raw_gram(features_chw) - raw_gram(target_chw)
    return float(np.sum(difference**2) / (4 * channels**2 * places**2))


def total_variation(image_chw: Array) -> float:
    """Mean squared step to the right plus mean squared step down."""
    return float(np.mean(np.diff(image_chw, axis=2) ** 2) + np.mean(np.diff(image_chw, axis=1) ** 2))


def prepared(image_chw: Array, convention: str) -> Array:
    """The picture as networks of that convention were trained to see it."""
    if convention == "caffe":
        return np.asarray(image_chw[::-1] * 255 - np.reshape(CAFFE_MEAN_BGR, (3, 1, 1)))
    if convention == "features":
        return np.asarray((image_chw - np.reshape(FEATURES_MEAN, (3, 1, 1))) * 255)
    return np.asarray(
        (image_chw - np.reshape(TORCHVISION_MEAN, (3, 1, 1))) / np.reshape(TORCHVISION_STD, (3, 1, 1))
    )


def vgg(
    image_chw: Array, parameters: Mapping[str, Tensor], *, architecture: str, pooling: str, gain: float
) -> dict[str, Array]:
    """All features of a prepared picture; the first layer repeats the edge, the others see zeros."""
    found, features, block = {}, image_chw, 1
    for convolution in convolutions(architecture):
        if convolution.block != block:
            features = found[f"pool{block}"] = _pooled(features, pooling, gain)
            block = convolution.block
        border: Any = "edge" if convolution.index == 0 else "constant"
        padded = np.pad(features, ((0, 0), (1, 1), (1, 1)), mode=border)
        windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))
        weight = array(parameters[f"features.{convolution.index}.weight"])
        bias = array(parameters[f"features.{convolution.index}.bias"])
        features = np.maximum(np.einsum("cyxij,ocij->oyx", windows, weight) + bias[:, None, None], 0)
        found[convolution.relu] = features
    return found | {f"pool{block}": _pooled(features, pooling, gain)}


def _pooled(features_chw: Array, pooling: str, gain: float) -> Array:
    channels, height, width = features_chw.shape
    even = features_chw[:, : height // 2 * 2, : width // 2 * 2]
    blocks = even.reshape(channels, height // 2, 2, width // 2, 2)
    return np.asarray(blocks.max((2, 4)) if pooling == "max" else blocks.mean((2, 4)) * gain)


def two_loop(gradient: Array, pairs: Sequence[tuple[Array, Array]], scale: float) -> Array:
    """The direction of L-BFGS by the two-loop recursion (Nocedal and Wright 2006, algorithm 7.4)."""
    q, alphas = gradient.copy(), []
    for s, y in reversed(pairs):
        alpha = (s @ q) / (s @ y)
        q -= alpha * y
        alphas.append(alpha)
    r = scale * q
    for (s, y), alpha in zip(pairs, reversed(alphas), strict=True):
        r += s * (alpha - (y @ r) / (s @ y))
    return -r
