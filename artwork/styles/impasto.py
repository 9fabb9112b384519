"""Autumn birches by a pond, in slabs of thick paint set with a palette knife and lit from the side."""

import numpy as np

from artwork.noise import Array, fractal
from artwork.styles.brush import Brush, Canvas, blank, curves, scatter, stroke, varnish
from artwork.tone import colour, mix, ramp, shrink, smoothstep

_ASPECT = 0.8
_BANK = 0.56  # where the far bank meets the water
# Birches: x at the foot, x at the top, foot y, width.
_TRUNKS = (
    (0.10, 0.13, 0.66, 0.030),
    (0.235, 0.20, 0.60, 0.018),
    (0.33, 0.35, 0.575, 0.012),
    (0.71, 0.69, 0.585, 0.014),
    (0.80, 0.83, 0.62, 0.022),
    (0.93, 0.90, 0.70, 0.034),
    (0.52, 0.53, 0.565, 0.008),
    (0.60, 0.605, 0.57, 0.009),
)
_LEAVES = (
    (0.0, "#3a1420"),
    (0.18, "#7a1f1c"),
    (0.36, "#b83a1b"),
    (0.52, "#dd6a1e"),
    (0.68, "#eb9a28"),
    (0.84, "#f4c542"),
    (1.0, "#fbe9a6"),
)
_DEPTH = ((0.0, "#2a1b35"), (0.4, "#54344f"), (0.7, "#8a4a48"), (1.0, "#c98a5a"))
_LIGHT = ((0.0, "#d98b4a"), (0.5, "#f0c98a"), (1.0, "#fdf3d6"))
_GROUND = ((0.0, "#3b1f1c"), (0.35, "#7c3a1c"), (0.65, "#c2711f"), (1.0, "#ecb24a"))
_BARK = ((0.0, "#4a3b45"), (0.35, "#a59aa0"), (0.7, "#e9dfd0"), (1.0, "#fffaf0"))


def draw(width: int) -> Array:
    """The painting, sRGB 0..1 (H, W, 3), 5:4."""
    wide = width * 2
    canvas = blank(wide, round(wide * _ASPECT), colour("#5a2d22"))
    rng = np.random.default_rng(23)
    for brush, spacing in (
        (Brush(0.075, 0.042, body=0.8, taper=0.1, dry=0.25, unmixed=0.6), 0.021),
        (Brush(0.040, 0.024, body=1.3, taper=0.05, dry=0.35, unmixed=0.7), 0.0135),
    ):
        _slabs(canvas, brush, spacing=spacing, rng=rng)
    _trunks(canvas, rng)
    _slabs(canvas, Brush(0.021, 0.0135, body=2.0, taper=0.05, dry=0.3, unmixed=0.8), spacing=0.0145, rng=rng)
    return shrink(varnish(canvas, strength=1.5, azimuth=145, gloss=0.5), 2)


def _slabs(canvas: Canvas, brush: Brush, *, spacing: float, rng: np.random.Generator) -> None:
    starts = scatter(canvas, rng, spacing=spacing)
    if brush.breadth < 0.02:
        starts = starts[_trunk_nearness(starts) > rng.uniform(0.6, 1.6, len(starts))]
    lengths = brush.length * rng.uniform(0.6, 1.5, len(starts))
    swing = rng.normal(0, 0.28, len(starts)).astype(np.float32)
    paths = curves(lambda x, y: _direction(x, y) + swing, starts, lengths=lengths, pieces=4)
    first = _colours(starts, rng)
    second = _colours(starts + rng.normal(0, 0.02, starts.shape).astype(np.float32), rng)
    for path, main, other in zip(paths, first, second, strict=True):
        stroke(canvas, path, brush, colours=(main, other), rng=rng)


def _direction(x: Array, y: Array) -> Array:
    crown = 0.9 * np.sin(x * 9 + 2) + 1.6 * fractal(x * 3, y * 3, octaves=2, seed=71)
    water = 0.12 * fractal(x * 4, y * 9, octaves=2, seed=72)
    return np.where(y > _shore(x), water, np.where(y > _BANK - 0.05, 0.35 * np.sin(x * 11), crown))


def _shore(x: Array) -> Array:
    """The lower edge of the far bank; the near banks come in from both sides."""
    return np.asarray(_BANK + 0.012 * np.sin(x * 23) + 0.42 * np.abs(x - 0.5) ** 2.2)


def _scene(x: Array, y: Array, toss: Array) -> Array:
    """What the light brings from the wood: colour of leaves, gaps and ground above the water."""
    glow = np.exp(-(((x - 0.54) / 0.17) ** 2) - ((y - 0.36) / 0.26) ** 2)
    clumps = fractal(x * 5, y * 5.5, octaves=4, seed=81) + 0.5 * fractal(x * 14, y * 14, octaves=2, seed=82)
    leaves = ramp(0.48 + 0.42 * clumps + 0.33 * glow + toss - 0.12 * np.abs(x - 0.54) * 2, _LEAVES)
    gaps = smoothstep(0.05, -0.45, clumps - 0.25 * glow + toss)
    rgb = mix(leaves, ramp(0.35 + toss + 0.6 * glow, _DEPTH), gaps * 0.85)
    sky = smoothstep(0.2, 0.75, glow + 0.35 * clumps) * smoothstep(0.56, 0.44, y)
    rgb = mix(rgb, ramp(0.55 + toss + 0.3 * clumps, _LIGHT), sky * 0.9)
    ground = ramp(0.4 + 0.5 * clumps + toss + 0.3 * glow, _GROUND)
    return mix(rgb, ground, smoothstep(_BANK - 0.06, _BANK - 0.02, y + 0.03 * clumps))


def _colours(points: Array, rng: np.random.Generator) -> Array:
    x, y = points[:, 0], points[:, 1]
    toss = rng.normal(0, 0.11, len(points)).astype(np.float32)
    rgb = _scene(x, y, toss)
    wobble = 0.02 * np.sin(y * 130 + x * 9)
    mirrored = _scene(x + wobble, 2 * _BANK - y - 0.02 + 0.25 * np.abs(x - 0.5) ** 2.2, toss)
    lake = mix(
        mirrored * 0.82,
        colour("#3c6c8c"),
        np.clip(0.26 + 1.1 * toss + 0.30 * smoothstep(0.62, 0.82, y), 0, 0.75),
    )
    upturned = np.stack([x + wobble * 0.4, 2 * _shore(x) - y], -1)
    pale = smoothstep(0.75, 0.45, _trunk_nearness(upturned)) * smoothstep(0.82, 0.60, y)
    lake = mix(lake, ramp(0.55 + toss, _BARK), pale * 0.75)
    rgb = mix(rgb, lake, (y > _shore(x)).astype(np.float32))
    floating = (y > _shore(x) + 0.02) & (rng.uniform(0, 1, len(points)) < 0.06)
    rgb[floating] = ramp(rng.uniform(0.4, 1, int(floating.sum())), _LEAVES)
    return np.clip(rgb + rng.normal(0, 0.02, rgb.shape), 0, 1)


def _trunk_nearness(points: Array) -> Array:
    """Distance to the nearest birch in units of its width."""
    nearest = np.full(len(points), 9.0, np.float32)
    for foot, top, low, breadth in _TRUNKS:
        centre = top + (foot - top) * points[:, 1] / low
        nearest = np.where(
            points[:, 1] < low, np.minimum(nearest, np.abs(points[:, 0] - centre) / breadth), nearest
        )
    return nearest


def _trunks(canvas: Canvas, rng: np.random.Generator) -> None:
    for foot, top, low, breadth in sorted(_TRUNKS, key=lambda trunk: trunk[3]):
        y = -0.01
        while y < low:
            centre = top + (foot - top) * y / low + 0.12 * breadth * np.sin(y * 37)
            _bark(canvas, (float(centre), y), breadth, rng=rng)
            y += breadth * rng.uniform(0.28, 0.5)
        _litter(canvas, (foot, low), breadth, rng=rng)


def _litter(canvas: Canvas, at: tuple[float, float], breadth: float, *, rng: np.random.Generator) -> None:
    """Fallen leaves heaped over the foot of a trunk."""
    brush = Brush(breadth, breadth * 0.45, body=1.6, taper=0.1)
    for _ in range(12):
        x, y = at[0] + rng.normal(0, breadth * 0.7), at[1] + rng.uniform(-0.35, 0.5) * breadth
        reach = breadth * rng.uniform(0.25, 0.5)
        path = np.array([[x - reach, y], [x + reach, y + rng.normal(0, 0.3) * reach]], np.float32)
        tones = ramp(rng.uniform(0.15, 0.85, 2), _GROUND if rng.uniform() < 0.6 else _LEAVES)
        stroke(canvas, path, brush, colours=(tones[0], tones[1]), rng=rng)


def _bark(canvas: Canvas, at: tuple[float, float], breadth: float, *, rng: np.random.Generator) -> None:
    """A ring of slabs across the trunk: shaded on the right, sometimes a black scar."""
    brush = Brush(breadth, breadth * 0.55, body=1.1, taper=0.05, dry=0.3, unmixed=0.5)
    for side, light in ((0.22, 0.25), (-0.2, 0.85)):
        x = at[0] + side * breadth * 1.1
        reach = breadth * rng.uniform(0.28, 0.42)
        path = np.array(
            [[x - reach, at[1]], [x, at[1] + reach * 0.25], [x + reach, at[1] + reach * 0.1]], np.float32
        )
        tone = ramp(np.array([light + rng.normal(0, 0.12), light - 0.3]), _BARK)
        stroke(canvas, path, brush, colours=(tone[0], tone[1]), rng=rng)
    if rng.uniform() < 0.14:
        path = np.array(
            [[at[0] - breadth * 0.5, at[1]], [at[0], at[1] + 0.004], [at[0] + breadth * 0.2, at[1]]],
            np.float32,
        )
        scar = Brush(breadth, breadth * 0.28, body=0.9, taper=0.7)
        stroke(canvas, path, scar, colours=(colour("#231a22"), colour("#4a2f2a")), rng=rng)
