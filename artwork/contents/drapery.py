"""Cloth of the still life as shapes: the table with its linen, and the curtain behind."""

import numpy as np

from artwork.noise import Array
from artwork.tone import smoothstep

_EDGE = -1.02  # z of the table's front edge


def table(p: Array) -> Array:
    """The table block with a linen cloth laid over its front and left, in folds."""
    x, y, z = p.T
    drop = np.clip(-y, 0, 1)
    top = _cloth_share(x, z) * (0.02 + 0.030 * _folds(x, z))
    hang = _cloth_share(x, np.full_like(z, -1.0)) * (
        0.02 + 0.05 * (1 + np.sin(x * 17 + 2.2 * np.sin(x * 5 + y * 2))) * smoothstep(0, 0.3, drop)
    )
    over, front = y - top, _EDGE - hang - z
    outside = np.hypot(np.maximum(over + 0.03, 0), np.maximum(front + 0.03, 0))
    return np.asarray((outside + np.minimum(np.maximum(over, front) + 0.03, 0) - 0.03) * 0.72)


def _folds(x: Array, z: Array) -> Array:
    """Creases of the cloth on the table, about 0..2."""
    a = np.sin(5.1 * x + 7.3 * z + 1.6 * np.sin(3.1 * x - 2.2 * z + 1))
    b = np.sin(9.7 * x - 4.1 * z + 1.9 * np.sin(2.3 * z + 4.4 * x))
    return np.asarray(0.65 * (1 - np.abs(a)) ** 2 * 2 + 0.5 * (1 - np.abs(b)) ** 2)


def _cloth_share(x: Array, z: Array) -> Array:
    edge = 0.50 + 0.12 * np.sin(z * 4 + 1) - 0.55 * (z + 1.0)
    return smoothstep(edge + 0.05, edge - 0.01, x) * smoothstep(0.55, 0.50, z + 0.25 * x)


def curtain(p: Array) -> Array:
    """A heavy curtain behind everything, gathered to the upper right."""
    x, y, z = p.T
    u = x + 0.16 * (y - 1) ** 2 * np.sign(x + 0.4) * 0.5 + 0.06 * np.sin(y * 2.3)
    fold = 0.075 * np.sin(u * 5.6 + 0.9 * np.sin(u * 2.7 + 0.5 * y)) + 0.022 * np.sin(
        u * 13.1 + 1.1 * np.sin(y * 1.9 + u * 3)
    )
    return np.asarray((1.75 + fold - z) * 0.62)


def is_linen(p: Array) -> Array:
    """1 where the table is covered by the cloth, 0 where the wood shows."""
    return _cloth_share(p[:, 0], np.where(p[:, 1] < -0.03, -1.0, p[:, 2]))
