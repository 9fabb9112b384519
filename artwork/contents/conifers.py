"""The near shore of the lake: spruces painted branch by branch, and grass, blade by blade."""

import numpy as np
from PIL import Image, ImageDraw

from artwork.noise import Array, fractal
from artwork.tone import blur, mix, ramp, smoothstep

_SCALE = 3
# Spruces: x of the foot, y of the foot, height; fractions of the width.
_SPRUCES = (
    (0.855, 0.600, 0.27),
    (0.792, 0.610, 0.155),
    (0.905, 0.625, 0.40),
    (0.985, 0.640, 0.47),
    (0.945, 0.648, 0.25),
    (0.075, 0.610, 0.30),
    (0.012, 0.640, 0.42),
    (0.130, 0.618, 0.16),
    (0.048, 0.650, 0.20),
)
_NEEDLES = ((0.0, "#070b0a"), (0.45, "#16211a"), (0.75, "#3a4225"), (1.0, "#8d7a3d"))
_BLADES = ((0.0, "#0c0f08"), (0.45, "#2b2c14"), (0.75, "#6a5a24"), (1.0, "#d0a352"))


def plant(rgb: Array) -> Array:
    """The landscape (H, W, 3) with its near shore planted along the lower edge."""
    plants = _plants(*rgb.shape[:2])
    shadowed = rgb * (1 - 0.25 * blur(plants[..., 3], rgb.shape[1] / 60))[..., None]
    return np.asarray(mix(shadowed, plants[..., :3], plants[..., 3]))


def cover(high: int, wide: int) -> Array:
    """How much of each pixel of such a picture is hidden by the near shore, 0..1 (H, W)."""
    return _plants(high, wide)[..., 3]


def _plants(high: int, wide: int) -> Array:
    rng = np.random.default_rng(171)
    layer = Image.new("RGBA", (wide * _SCALE, high * _SCALE))
    pen = ImageDraw.Draw(layer)
    for spruce in sorted(_SPRUCES, key=lambda tree: tree[1]):
        _spruce(pen, spruce, wide * _SCALE, rng)
    _bank(pen, wide * _SCALE, high * _SCALE, rng)
    return np.asarray(layer.resize((wide, high), Image.Resampling.BOX), np.float32) / 255


def _spruce(
    pen: ImageDraw.ImageDraw, spruce: tuple[float, float, float], wide: int, rng: np.random.Generator
) -> None:
    x, foot, height = (value * wide for value in spruce)
    lean = rng.normal(0, 0.012)
    pen.line(
        [(x, foot), (x + lean * height, foot - height)], fill="#15110d", width=max(1, round(height * 0.006))
    )
    levels = int(38 + 64 * spruce[2])
    for level in np.linspace(0.015, 0.97, levels):
        y = foot - height * (1 - level)
        spread = height * 0.21 * level**0.85 * rng.uniform(0.65, 1.15)
        for side in rng.permutation([-1.0, 1.0, -0.6, 0.6, -0.3, 0.3]):
            if rng.uniform() < 0.94:
                _bough(pen, (x + lean * height * (1 - level), y), spread * side, wide, rng)


def _bough(
    pen: ImageDraw.ImageDraw, root: tuple[float, float], reach: float, wide: int, rng: np.random.Generator
) -> None:
    """One drooping branch with hanging needles, lighter where it faces the sun on the left."""
    size, drop = abs(reach), rng.uniform(0.25, 0.5)
    count = max(5, round(size / wide * 620))
    place = np.linspace(0, 1, count)
    xs = root[0] + reach * place
    ys = root[1] + size * drop * (place - 0.35 * place**2) + rng.normal(0, size * 0.02, count)
    lit = np.clip(0.42 - 0.42 * np.sign(reach) * place * (size > 0) + rng.normal(0, 0.16, count), 0, 1)
    tones = (ramp(lit, _NEEDLES) * 255).astype(int)
    thick = max(1, round(wide * 0.0011))
    for px, py, tone, at in zip(xs, ys, tones, place, strict=True):
        hang = size * (0.05 + 0.16 * (1 - at)) * rng.uniform(0.5, 1.5) + wide * 0.0015
        end = (px + np.sign(reach) * hang * rng.uniform(0.1, 0.9), py + hang)
        pen.line([(px, py), end], fill=tuple(tone.tolist()), width=thick)
        pen.line(
            [(px - reach / count, py), (px + reach / count, py)],
            fill=tuple((tone * 0.8).astype(int).tolist()),
            width=thick,
        )


def _shore(x: Array) -> Array:
    """The y of the bank's edge at x, in fractions of the width."""
    sides = 0.060 * smoothstep(0.40, 0.0, x) + 0.085 * smoothstep(0.55, 1.0, x)
    return 0.652 - sides + 0.012 * fractal(x * 6, x * 0 + 0.5, octaves=4, seed=181)


def _bank(pen: ImageDraw.ImageDraw, wide: int, high: int, rng: np.random.Generator) -> None:
    """Dark ground, then tufts of grass from back to front, the sunlit ones pale."""
    x = np.linspace(0, 1, 300)
    edge = [(float(a * wide), float(b * wide)) for a, b in zip(x, _shore(x), strict=True)]
    pen.polygon([*edge, (wide, high), (0, high)], fill="#14140c")
    spots = rng.uniform(-0.02, 1.02, min(15000, wide * 7))
    depth = rng.uniform(0, 1, len(spots))
    bottom = high / wide + 0.015
    y = _shore(spots) + (bottom - _shore(spots)) * depth**1.2
    tuft = fractal(spots * 26, y * 60, octaves=3, seed=191)
    sunny = fractal(spots * 5, y * 14, octaves=3, seed=192)
    order = np.argsort(y)
    tall = (
        (0.006 + 0.017 * np.clip(tuft + 0.25, 0, 1)) * (0.6 + 1.3 * depth) * rng.uniform(0.5, 1.2, len(spots))
    )
    tone = (ramp(0.38 + 0.7 * sunny + 0.35 * tuft + rng.normal(0, 0.16, len(spots)), _BLADES) * 255).astype(
        int
    )
    bend = rng.normal(0.15, 0.35, len(spots))
    for i in order:
        root, length = (spots[i] * wide, y[i] * wide), tall[i] * wide
        middle = (root[0] + bend[i] * length * 0.3, root[1] - length * 0.6)
        tip = (root[0] + bend[i] * length, root[1] - length)
        pen.line([root, middle, tip], fill=tuple(tone[i].tolist()), width=max(1, round(wide * 0.0007)))
