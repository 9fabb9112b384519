"""Seeded gradient noise (Perlin, "Improving Noise", SIGGRAPH 2002) in the plane, and sums of it."""

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[np.floating]
Indices: TypeAlias = npt.NDArray[np.integer]
Names: TypeAlias = npt.NDArray[np.str_]

_TABLE = 1024


def perlin(x: Array, y: Array, *, seed: int) -> Array:
    """Smooth noise at the points (x, y), about -1 to 1, one bump per unit; the same for the same seed."""
    turn, gradients = _tables(seed)
    column, row = np.floor(x), np.floor(y)
    right, down = (x - column).astype(np.float32), (y - row).astype(np.float32)
    column, row = column.astype(np.int32), row.astype(np.int32)

    def corner(step_x: int, step_y: int) -> Array:
        cell = turn[(turn[(column + step_x) & (_TABLE - 1)] + row + step_y) & (_TABLE - 1)]
        return np.asarray(gradients[0][cell] * (right - step_x) + gradients[1][cell] * (down - step_y))

    ease_x, ease_y = _ease(right), _ease(down)
    top = corner(0, 0) * (1 - ease_x) + corner(1, 0) * ease_x
    bottom = corner(0, 1) * (1 - ease_x) + corner(1, 1) * ease_x
    return (top * (1 - ease_y) + bottom * ease_y) * np.float32(1.5)


def fractal(x: Array, y: Array, *, octaves: int, seed: int, gain: float = 0.5) -> Array:
    """Noise summed over octaves, each about twice as fine and `gain` times as strong; about -1 to 1."""
    total, strength, scale = np.zeros(np.broadcast(x, y).shape, np.float32), 1.0, 1.0
    for octave in range(octaves):
        total = total + strength * perlin(
            x * scale + 17.3 * octave, y * scale - 9.1 * octave, seed=seed + octave
        )
        strength, scale = strength * gain, scale * 2.03
    return total * np.float32((1 - gain) / (1 - gain**octaves))


def ridged(x: Array, y: Array, *, octaves: int, seed: int, gain: float = 0.5) -> Array:
    """Noise with sharp crests, 0 to about 1: detail gathers on the crests, as on weathered mountains."""
    total, strength, scale, weight = np.zeros_like(x, np.float32), 1.0, 1.0, np.float32(1)
    for octave in range(octaves):
        wave = 1 - np.abs(perlin(x * scale + 5.7 * octave, y * scale + 3.9 * octave, seed=seed + octave))
        crest = wave * wave * weight
        total = total + strength * crest
        weight = np.clip(crest * 1.6, 0, 1)
        strength, scale = strength * gain, scale * 2.07
    return total * np.float32((1 - gain) / (1 - gain**octaves))


def _tables(seed: int) -> tuple[Indices, tuple[Array, Array]]:
    rng = np.random.default_rng(seed)
    angles = rng.uniform(0, 2 * np.pi, _TABLE)
    order = rng.permutation(_TABLE).astype(np.int32)
    return order, (np.cos(angles).astype(np.float32), np.sin(angles).astype(np.float32))


def _ease(t: Array) -> Array:
    return t * t * t * (t * (t * 6 - 15) + 10)
