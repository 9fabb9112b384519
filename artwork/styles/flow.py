"""A swirling night over wheat fields: thousands of curved oil strokes that follow a field of vortices."""

import numpy as np

from artwork.noise import Array, fractal
from artwork.styles.brush import Brush, Canvas, blank, curves, scatter, stroke, varnish
from artwork.tone import colour, mix, ramp, shrink, smoothstep

_ASPECT = 0.8
# Lamps of the sky: centre x, y, radius, spin.
_LIGHTS = (
    (0.79, 0.135, 0.085, 1.0),
    (0.13, 0.12, 0.045, -1.0),
    (0.44, 0.07, 0.03, 1.0),
    (0.95, 0.36, 0.03, 1.0),
    (0.60, 0.33, 0.035, -1.0),
    (0.05, 0.37, 0.028, 1.0),
)
_EDDIES = ((0.34, 0.27, 0.16, 1.0), (0.545, 0.20, 0.10, -1.0), (0.17, 0.33, 0.09, -1.0))
_SKY = (
    (0.0, "#0c1a4d"),
    (0.25, "#1c3f8f"),
    (0.45, "#2f6dba"),
    (0.6, "#6fa9d6"),
    (0.75, "#b9d8de"),
    (0.9, "#e9e3ae"),
    (1.0, "#f4d35a"),
)
_GLOW = ((0.0, "#fff6c8"), (0.3, "#ffe27a"), (0.6, "#f3b63a"), (0.85, "#d9d690"), (1.0, "#7fb3cf"))
_HILLS = ((0.0, "#0b1c33"), (0.35, "#143a52"), (0.6, "#1f5f5e"), (0.8, "#3f8a66"), (1.0, "#8fb36a"))
_WHEAT = ((0.0, "#5a3a12"), (0.3, "#a86a17"), (0.55, "#d99a24"), (0.8, "#f2c744"), (1.0, "#fbe89a"))
_TREE = ((0.0, "#070d12"), (0.4, "#12281f"), (0.75, "#2b4a2c"), (1.0, "#6d7a3a"))


def draw(width: int) -> Array:
    """The painting, sRGB 0..1 (H, W, 3), 5:4."""
    wide = width * 2
    canvas = blank(wide, round(wide * _ASPECT), colour("#1b2c55"))
    rng = np.random.default_rng(11)
    for brush, spacing in (
        (Brush(0.11, 0.026, body=0.7, dry=0.15), 0.016),
        (Brush(0.085, 0.0135, body=1.0, dry=0.35), 0.0098),
        (Brush(0.055, 0.0085, body=1.25, dry=0.45, unmixed=0.8), 0.0088),
    ):
        _layer(canvas, brush, spacing=spacing, rng=rng)
    return shrink(varnish(canvas, strength=1.1, azimuth=130, gloss=0.35), 2)


def sky(width: int) -> Array:
    """Where there is nothing but sky in the painting, 0..1 (H, W), soft at its edges."""
    y, x = np.mgrid[0 : round(width * _ASPECT), 0:width].astype(np.float32) / width
    return np.asarray(smoothstep(0.40, 0.36, y) * smoothstep(0.84, 0.80, x))


def _layer(canvas: Canvas, brush: Brush, *, spacing: float, rng: np.random.Generator) -> None:
    starts = scatter(canvas, rng, spacing=spacing)
    lengths = brush.length * rng.uniform(0.5, 1.25, len(starts)) * _room(starts)
    paths = curves(_direction, starts, lengths=lengths, pieces=12)
    first, second = _colours(starts, rng), _colours(starts + rng.normal(0, 0.012, starts.shape), rng)
    for path, main, other in zip(paths, first, second, strict=True):
        stroke(canvas, path, brush, colours=(main, other), rng=rng)


def _room(points: Array) -> Array:
    """Shorter strokes close to the lamps, so that the rings stay round."""
    x, y = points.T
    room = np.ones_like(x)
    for cx, cy, radius, _ in _LIGHTS:
        room = np.minimum(room, np.clip(np.hypot(x - cx, y - cy) / (radius * 1.3), 0.3, 1))
    return np.asarray(room)


def _regions(x: Array, y: Array) -> tuple[Array, Array, Array]:
    """How much of hill, wheat and tree there is at each point, 0 or 1."""
    hill = y > 0.475 + 0.055 * np.sin(x * 7.0 + 0.8) + 0.03 * np.sin(x * 17 + 2)
    wheat = y > 0.585 + 0.03 * np.sin(x * 5.0 + 2.2) + 0.012 * np.sin(x * 19)
    lean = 0.905 + 0.012 * np.sin(y * 24)
    slim = 0.052 * np.clip((y - 0.14) * 3.6, 0, 1) ** 0.8 * (1 + 0.22 * np.sin(y * 55))
    return hill.astype(np.float32), wheat.astype(np.float32), (np.abs(x - lean) < slim).astype(np.float32)


def _stream(x: Array, y: Array) -> Array:
    """The stream function of the sky: a drift that waves, and eddies that decay with distance."""
    value = 0.55 * (y + 0.05 * np.sin(x * 7 + 1) + 0.02 * np.sin(x * 15 + y * 6))
    for cx, cy, radius, spin in (*_LIGHTS, *_EDDIES):
        distance = ((x - cx) ** 2 + (y - cy) ** 2) / (radius * 1.25) ** 2
        value = value + spin * radius * 1.5 * np.exp(-distance)
    return value + 0.02 * fractal(x * 4, y * 4, octaves=2, seed=31)


def _direction(x: Array, y: Array) -> Array:
    step = 1e-3
    down = _stream(x, y + step) - _stream(x, y - step)
    right = _stream(x + step, y) - _stream(x - step, y)
    sky = np.arctan2(-right, down)
    hill, wheat, tree = _regions(x, y)
    ridge = np.arctan(0.38 * np.cos(x * 7.0 + 0.8) + 0.4 * np.cos(x * 17 + 2)) + 0.5 * (y - 0.5)
    gust = fractal(x * 5, y * 7, octaves=2, seed=41)
    stalks = -1.15 + 0.75 * gust + 0.8 * (x - 0.5)
    flame = -np.pi / 2 + 0.55 * np.sin(y * 40 + x * 60)
    angle = np.where(hill > 0, ridge, sky)
    return np.where(tree > 0, flame, np.where(wheat > 0, stalks, angle))


def _colours(points: Array, rng: np.random.Generator) -> Array:
    x, y = points[:, 0], points[:, 1]
    toss = rng.normal(0, 0.09, len(points))
    hill, wheat, tree = _regions(x, y)
    rgb = mix(_sky(x, y, toss), ramp(0.45 + toss + 0.45 * np.sin(y * 90 + x * 22), _HILLS), hill)
    near = (y - 0.58) * 0.9
    field = (
        0.55
        + 1.3 * toss
        + 0.45 * fractal(x * 6, y * 11, octaves=3, seed=51)
        + 0.2 * np.sin(y * 60 + x * 9)
        - near * 0.2
    )
    rgb = mix(rgb, ramp(field, _WHEAT), wheat)
    poppies = (wheat > 0) & (rng.uniform(0, 1, len(points)) < 0.035)
    rgb[poppies] = colour("#c0392b") * rng.uniform(0.8, 1.15, (int(poppies.sum()), 1))
    rgb = mix(rgb, ramp(0.35 + 1.6 * toss + 0.3 * np.sin(x * 160), _TREE), tree)
    return np.clip(rgb + rng.normal(0, 0.018, rgb.shape), 0, 1)


def _sky(x: Array, y: Array, toss: Array) -> Array:
    bands = 0.5 + 0.5 * np.sin(_stream(x, y) * 95 + 1.5 * fractal(x * 3, y * 3, octaves=2, seed=61))
    value = 0.10 + 0.42 * bands + toss + 0.28 * smoothstep(0.25, 0.50, y)
    for cx, cy, radius, _ in _EDDIES:
        value = value + 0.22 * np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (radius * 0.9) ** 2)
    rgb = ramp(np.clip(value, 0, 0.88), _SKY)
    for cx, cy, radius, _ in _LIGHTS:
        reach = np.hypot(x - cx, y - cy) / (radius * 1.35)
        ring = reach + 0.09 * np.sin(reach * 26) + toss * 0.8
        rgb = mix(rgb, ramp(ring, _GLOW), smoothstep(1.15, 0.75, reach + toss))
    return rgb
