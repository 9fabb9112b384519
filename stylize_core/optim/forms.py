"""Coordinates in which a solver goes farther along large forms, which are what splines over knots can draw.

The objective is most curved along what is some pixels wide, while the way from a photograph to a painting is
longest along what is tens of pixels wide. A solver that begins by taking all for alike spends its steps on
the former.
"""

from __future__ import annotations

import math
from functools import lru_cache, partial

import torch
from torch import Tensor

from stylize_core.device import finest
from stylize_core.optim.base import on_host

KNOTS_PX = 10
"""How far apart the knots are, px; with more or fewer, losses after as many steps were higher."""

# Matrices of as many lengths of sides, sizes on the way included, as are met in turn.
_KEPT = 16


def raise_forms_(planes_bchw: Tensor, gain: float) -> Tensor:
    """Multiply the large forms of planes [B, C, H, W], up to `gain` where nothing is finer, in place.

    The factor is `1 + (gain - 1) sinc(10 x)^8 sinc(10 y)^8` within 3 % of the rise at frequencies x and y,
    cycles per px, with sinc(x) = sin(πx) / (πx): half of it is left at waves of 43 px. As a matrix it is
    symmetric, with eigenvalues from 1 to `gain`; along the frame it rises less.

    >>> import torch
    >>> flat, fine = torch.ones(64, 64), torch.tensor([[1.0, -1.0] * 32]).repeat(64, 1)
    >>> made = raise_forms_(torch.stack([flat, fine])[None].clone(), 3.0)
    >>> [round(float(value), 2) for value in made[0, :, 32, 32]]
    [3.0, 1.0]
    """
    height, width = planes_bchw.shape[-2:]
    down, across = (_splines(side, planes_bchw.dtype, planes_bchw.device) for side in (height, width))
    # A processor's library may add up the rows of a batch in another order than one alone.
    for planes in planes_bchw.unbind() if on_host(planes_bchw) else [planes_bchw]:
        low = down @ (down.mT @ (planes @ across))
        planes.view(-1, width).addmm_(low.flatten(0, -2), across.mT, alpha=gain - 1)
    return planes_bchw


@lru_cache(_KEPT)
def _splines(side: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Cubic B-splines around equidistant knots, in columns, [side, knots + 2]; beyond the edge is nothing.

    They are worth as much as makes the largest eigenvalue of their products with themselves 1: the largest
    sum over a spline, as all splines at a place add up to 1.
    """
    knots = math.ceil((side - 1) / KNOTS_PX) + 1
    number = partial(torch.arange, dtype=finest(device), device=device)
    apart = (number(side)[:, None] / KNOTS_PX - number(-1, knots + 1)).abs()
    near, far = 2 / 3 - apart**2 + apart**3 / 2, (2 - apart).clamp_min(0) ** 3 / 6
    splines = torch.where(apart < 1, near, far)
    return (splines / splines.sum(0).amax().sqrt()).to(dtype)
