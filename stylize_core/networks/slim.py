"""The built-in network beside a larger one, for the run before that `init: slim` asks for."""

from __future__ import annotations

from functools import lru_cache

import torch

from stylize_core.architecture import DEFAULT_CONTENT_LAYERS, DEFAULT_STYLE_LAYERS
from stylize_core.networks.encoder import Encoder
from stylize_core.networks.weights import builtin_weights


def slim_beside(encoder: Encoder) -> Encoder:
    """`slim` with its own layers, on the device and in the number formats of another network."""
    return _slim(encoder.device, encoder.dtype, encoder.precision == "tf32")


@lru_cache(2)  # a worker has one device, and one format or two
def _slim(device: torch.device, dtype: torch.dtype, tf32: bool) -> Encoder:
    layers = (*DEFAULT_CONTENT_LAYERS["slim"], *DEFAULT_STYLE_LAYERS["slim"])
    return Encoder(builtin_weights(), layers=layers, device=device, dtype=dtype, tf32=tf32)
