"""The derivative of a ReLU: nothing comes through where it was silent."""

from __future__ import annotations

import torch
from torch import Tensor


def mask(gradient: Tensor, active: Tensor, *, into: Tensor) -> None:
    """Write a gradient where what the ReLU made is positive, else 0; into itself, if that is wanted."""
    torch.ops.aten.threshold_backward.grad_input(gradient, active, 0, grad_input=into)
