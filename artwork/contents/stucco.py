"""Surfaces of the town from across the harbour: stained plaster, tiles, glass, paint, stone and leaves."""

import numpy as np

from artwork.contents.blocks import CLOTH, GLASS, LEAF, PAINT, PLASTER, ROOF, STONE
from artwork.noise import Array, Indices, fractal
from artwork.tone import smoothstep


def textured(kinds: Indices, colours: Array, points: Array, normal: Array) -> tuple[Array, Array, Array]:
    """Linear diffuse colour (n, 3), mirror strength (n,) and a change of the light's cosine (n,)."""
    strength = np.ones(len(points), np.float32)
    gloss, bump = np.zeros(len(points), np.float32), np.zeros(len(points), np.float32)
    for kind, of in (
        (PLASTER, _plaster),
        (ROOF, _tiles),
        (STONE, _stone),
        (LEAF, _leaves),
        (PAINT, _paint),
        (CLOTH, _cloth),
    ):
        here = np.flatnonzero(kinds == kind)
        strength[here], bump[here] = of(points[here], normal[here])
    surface = np.clip(colours * strength[:, None], 0, 1) ** 2.2
    glass = np.flatnonzero(kinds == GLASS)
    surface[glass], gloss[glass] = _glass(colours[glass], points[glass])
    return surface, gloss, bump


def _plaster(p: Array, normal: Array) -> tuple[Array, Array]:
    x, y = p[:, 0] + p[:, 2], p[:, 1]
    blotch = fractal(x * 0.7, y * 0.5, octaves=5, seed=401)
    streak = fractal(x * 5, y * 0.4, octaves=3, seed=402)
    flaked = smoothstep(0.38, 0.5, fractal(x * 0.9, y * 0.9, octaves=5, seed=403))
    damp = smoothstep(1.6, 0.2, y - 1.2 + 0.8 * blotch)
    grain = fractal(x * 14, y * 14, octaves=2, seed=404)
    return 1 + 0.30 * blotch + 0.16 * streak - 0.20 * flaked - 0.28 * damp + 0.09 * grain, 0.07 * grain


def _tiles(p: Array, normal: Array) -> tuple[Array, Array]:
    along = np.hypot(p[:, 1], p[:, 2]) if len(p) else p[:, 1]
    side = np.where(np.abs(normal[:, 0]) > 0.3, p[:, 2], p[:, 0])
    row = along * 2.6
    wave = np.sin(side * 2 * np.pi * 2.6)
    course = row - np.floor(row)
    tone = fractal(np.floor(side * 2.6) * 0.71, np.floor(row) * 0.93, octaves=2, seed=411)
    moss = smoothstep(0.1, 0.6, fractal(side * 0.8, along * 0.8, octaves=4, seed=412))
    return 1 + 0.32 * tone - 0.20 * smoothstep(0.75, 1, course) + 0.10 * wave - 0.22 * moss, 0.16 * wave


def _stone(p: Array, normal: Array) -> tuple[Array, Array]:
    u, v = p[:, 0] * 1.25, np.where(np.abs(normal[:, 1]) > 0.5, p[:, 2], p[:, 1]) * 2.6
    row = np.floor(v)
    block = np.floor(u + 0.5 * (row % 2))
    tone = fractal(block * 0.77, row * 0.61, octaves=2, seed=421)
    joint = np.minimum(np.abs((u + 0.5 * (row % 2)) % 1 - 0.5) - 0.5, 0) * 2 + np.minimum(
        np.abs(v % 1 - 0.5) - 0.5, 0
    )
    line = smoothstep(-0.10, 0.0, np.maximum(joint, -1))
    weed = smoothstep(0.55, 0.1, p[:, 1] + 0.25 * fractal(p[:, 0] * 2, p[:, 1] * 2, octaves=3, seed=422))
    rough = fractal(p[:, 0] * 9, (p[:, 1] + p[:, 2]) * 9, octaves=3, seed=423)
    return (1 + 0.25 * tone + 0.16 * rough - 0.25 * line) * (1 - 0.6 * weed), 0.12 * rough


def _leaves(p: Array, normal: Array) -> tuple[Array, Array]:
    clump = fractal(p[:, 0] * 1.6 + p[:, 2], p[:, 1] * 1.6 - p[:, 2], octaves=5, seed=431, gain=0.65)
    return 0.92 + 0.75 * clump, 0.5 * clump


def _paint(p: Array, normal: Array) -> tuple[Array, Array]:
    slat = np.sin(p[:, 1] * 2 * np.pi * 7) * smoothstep(42, 43, p[:, 2])  # shutters, not boats
    worn = fractal(p[:, 0] * 5 + p[:, 2], p[:, 1] * 9, octaves=3, seed=441)
    return 1 + 0.18 * worn + 0.05 * slat, 0.06 * slat


def _cloth(p: Array, normal: Array) -> tuple[Array, Array]:
    fold = fractal(p[:, 0] * 6, p[:, 1] * 2, octaves=2, seed=451)
    return 1 + 0.12 * fold, 0.25 * fold


def _glass(colours: Array, p: Array) -> tuple[Array, Array]:
    """Dark rooms, some with a pale curtain; `colours` holds one random number per pane."""
    toss = colours[:, 0]
    curtain = smoothstep(0.55, 0.62, toss) * (0.75 + 0.25 * np.sin(p[:, 0] * 40))
    inside = np.array([0.030, 0.034, 0.042], np.float32) + curtain[:, None] * np.array(
        [0.34, 0.31, 0.26], np.float32
    )
    return inside, 0.22 + 0.35 * toss * (1 - curtain)
