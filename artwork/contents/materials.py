"""What the still life is made of: the colour and gloss of every surface."""

import numpy as np

from artwork.contents.drapery import is_linen
from artwork.contents.window_light import Surface
from artwork.noise import Array, Names, fractal
from artwork.tone import mix, ramp, smoothstep


def look(names: Names, points: Array, centres: Array) -> Surface:
    """The surface at every point, by material name; `centres` are the middles of the solids hit."""
    albedo = np.zeros_like(points)
    mirror, sharp = np.zeros(len(points), np.float32), np.zeros(len(points), np.float32)
    through = np.zeros_like(points)
    for name in set(names.tolist()):
        here = names == name
        paint, mirror_of, sharp_of, glow = _MADE_OF[name]
        albedo[here] = paint(points[here], points[here] - centres[here]) ** 2.2
        mirror[here], sharp[here] = mirror_of, sharp_of
        through[here] = np.array(glow, np.float32)
    cloth = (names == "table") & (is_linen(points) > 0.5)
    mirror[cloth], sharp[cloth] = 0.0, 0.0
    return Surface(albedo, mirror, sharp, through)


def _table(p: Array, local: Array) -> Array:
    x, y, z = p.T
    grain = fractal(x * 0.9 + 0.15 * np.sin(z * 3), z * 16 + y * 16, octaves=5, seed=201)
    wood = ramp(
        0.5 + 0.75 * grain + 0.12 * fractal(x * 4, z * 60, octaves=2, seed=202),
        [(0, "#33190d"), (0.5, "#6a3a1e"), (1, "#9b6236")],
    )
    cross = fractal(x * 70, (z + y) * 8, octaves=2, seed=203) + fractal(
        x * 8, (z + y) * 70, octaves=2, seed=204
    )
    linen = ramp(0.5 + 0.35 * cross, [(0, "#c5bba6"), (0.5, "#e5dcc9"), (1, "#f6f0e2")])
    stripe = np.maximum(
        smoothstep(0.018, 0.014, np.abs(y + 0.20)), smoothstep(0.006, 0.004, np.abs(y + 0.245))
    )
    linen = mix(linen, np.array([0.22, 0.34, 0.58], np.float32), stripe * (y < -0.05) * 0.85)
    return mix(wood, linen, is_linen(p))


def _curtain(p: Array, local: Array) -> Array:
    x, y, _ = p.T
    nap = fractal(x * 5, y * 4, octaves=5, seed=210) + 0.4 * fractal(x * 60, y * 60, octaves=2, seed=211)
    base = ramp(0.5 + 0.55 * nap, [(0, "#4a4a3f"), (0.5, "#656452"), (1, "#7f7a62")])
    gloom = 1.06 - 0.34 * smoothstep(0.2, -1.3, x) - 0.25 * smoothstep(1.2, 2.5, y)
    return base * gloom[:, None]


def _jug(p: Array, local: Array) -> Array:
    angle, y = np.arctan2(local[:, 2], local[:, 0]), p[:, 1]
    glaze = ramp(
        0.5 + 0.6 * fractal(angle * 3, y * 9, octaves=4, seed=220),
        [(0, "#d9d6cb"), (0.5, "#ece8dc"), (1, "#f8f5ec")],
    )
    vine = np.abs(y - 0.34 - 0.075 * np.sin(angle * 7)) / 0.014
    petal = np.hypot((((angle * 7 / np.pi + 0.5) % 1) - 0.5) * 0.17, np.abs(y - 0.34) - 0.055) / 0.036
    rings = np.min(
        [
            np.abs(y - level) / thick
            for level, thick in ((0.10, 0.016), (0.135, 0.006), (0.54, 0.008), (0.575, 0.018), (0.86, 0.022))
        ],
        0,
    )
    brushed = np.minimum(np.minimum(vine, petal), rings)
    blue = ramp(
        0.5 + 0.8 * fractal(angle * 9, y * 26, octaves=3, seed=221),
        [(0, "#1b2f73"), (0.5, "#2c4c9c"), (1, "#6f8cc6")],
    )
    return mix(glaze, blue, smoothstep(1.15, 0.85, brushed))


def _bottle(p: Array, local: Array) -> Array:
    """Dark green glass with a cork above and a printed paper label in front."""
    y, angle = p[:, 1], np.arctan2(local[:, 0], -local[:, 2]) + 0.12
    glass = np.broadcast_to(np.array([0.10, 0.17, 0.09], np.float32), p.shape)
    paper = ramp(
        0.5 + 0.5 * fractal(angle * 9, y * 30, octaves=4, seed=225),
        [(0, "#cbb88d"), (0.5, "#ddcda6"), (1, "#eadfc0")],
    )
    script = smoothstep(0.12, 0.22, fractal(angle * 22, y * 40, octaves=2, seed=226)) * _bands(
        y, (0.49, 0.43, 0.33, 0.29), 0.014
    )
    rule = np.maximum(_bands(y, (0.545, 0.235), 0.005), smoothstep(0.02, 0.012, np.abs(np.abs(angle) - 0.72)))
    printed = mix(
        paper,
        np.array([0.36, 0.12, 0.10], np.float32),
        np.maximum(script * (np.abs(angle) < 0.6), rule) * 0.85,
    )
    label = smoothstep(0.175, 0.17, np.abs(y - 0.39)) * smoothstep(0.80, 0.785, np.abs(angle))
    cork = ramp(0.5 + 0.7 * fractal(angle * 8, y * 60, octaves=3, seed=227), [(0, "#8a6238"), (1, "#c79f6a")])
    return mix(mix(glass, printed, label), cork, smoothstep(1.236, 1.240, y))


def _bands(y: Array, levels: tuple[float, ...], half: float) -> Array:
    return np.asarray(np.max([smoothstep(half, half * 0.7, np.abs(y - level)) for level in levels], 0))


def _pear(p: Array, local: Array) -> Array:
    x, y, z = (local * 9).T
    tone = fractal(x + z, y - z, octaves=4, seed=230)
    skin = ramp(
        0.45 + 0.4 * tone + 1.1 * local[:, 0] + 0.25 * local[:, 1],
        [(0, "#7f8a3c"), (0.45, "#b7a54a"), (0.75, "#cc9a48"), (1.1, "#a9532f")],
    )
    russet = smoothstep(0.33, 0.55, fractal((x + z) * 9, (y - z) * 9, octaves=2, seed=231))
    return mix(skin, np.array([0.45, 0.30, 0.14], np.float32), russet * 0.65)


def _apple(p: Array, local: Array) -> Array:
    x, y, z = local.T
    flat = np.hypot(x, z) + 1e-6
    streak = fractal(x / flat * 6 + y * 2, z / flat * 6 - y * 2, octaves=4, seed=240) + 0.6 * fractal(
        x * 7 + z * 3, y * 7, octaves=3, seed=241
    )
    skin = ramp(
        0.52 + 0.42 * streak + 1.0 * x - 0.7 * y,
        [(0, "#cdb04c"), (0.22, "#c2643a"), (0.5, "#98262a"), (1, "#5f121c")],
    )
    dots = smoothstep(0.50, 0.62, fractal(x * 70, y * 70 + z * 40, octaves=1, seed=242))
    hollow = smoothstep(0.085, 0.02, np.hypot(x - 0.02, z)) * (y > 0.05)
    return mix(
        mix(skin, np.array([0.86, 0.70, 0.50], np.float32), dots * 0.45),
        np.array([0.50, 0.46, 0.20], np.float32),
        hollow * 0.8,
    )


def _lemon(p: Array, local: Array) -> Array:
    pores = fractal(local[:, 0] * 75, (local[:, 1] + local[:, 2]) * 75, octaves=2, seed=250)
    return ramp(0.55 + 0.35 * pores + 0.8 * local[:, 1], [(0, "#b9871f"), (0.5, "#dfb838"), (1, "#f2dc6e")])


def _grapes(p: Array, local: Array) -> Array:
    bloom = fractal(p[:, 0] * 12, (p[:, 1] + p[:, 2]) * 12, octaves=4, seed=260)
    return ramp(0.45 + 0.7 * bloom, [(0, "#1d1024"), (0.5, "#3a2342"), (0.9, "#655a78"), (1.2, "#8d8898")])


def _sunflower(p: Array, local: Array) -> Array:
    radius = np.linalg.norm(local, axis=-1)
    speck = fractal(p[:, 0] * 60, p[:, 1] * 60, octaves=2, seed=270)
    petal = ramp(
        0.5 + 0.45 * fractal(p[:, 0] * 14, p[:, 1] * 14, octaves=3, seed=271) + 1.6 * (radius - 0.2),
        [(0, "#b65a10"), (0.4, "#df951a"), (0.8, "#f0c23c"), (1.1, "#f8e08c")],
    )
    heart = ramp(
        0.5 + 0.9 * speck - 2.5 * (radius - 0.08), [(0, "#7a4a17"), (0.5, "#43240f"), (1, "#1f0f08")]
    )
    return mix(petal, heart, smoothstep(0.128, 0.112, radius + 0.012 * speck))


def _daisy(p: Array, local: Array) -> Array:
    radius = np.linalg.norm(local, axis=-1)
    petal = ramp(
        0.5 + 0.5 * fractal(p[:, 0] * 20, p[:, 1] * 20, octaves=3, seed=280),
        [(0, "#cfcbd4"), (0.5, "#efecea"), (1, "#fffdf6")],
    )
    heart = ramp(
        0.5 + 0.8 * fractal(p[:, 0] * 90, p[:, 1] * 90, octaves=2, seed=281),
        [(0, "#a8640f"), (0.6, "#dda21f"), (1, "#f2cc4b")],
    )
    return mix(petal, heart, smoothstep(0.044, 0.036, radius))


def _leaf(p: Array, local: Array) -> Array:
    vein = fractal(p[:, 0] * 12, p[:, 1] * 12, octaves=4, seed=290)
    return ramp(0.5 + 0.7 * vein, [(0, "#1c3315"), (0.5, "#3b5c24"), (1, "#718c3c")])


def _twig(p: Array, local: Array) -> Array:
    return np.broadcast_to(np.array([0.30, 0.19, 0.10], np.float32), p.shape)


_MADE_OF = {
    "table": (_table, 0.035, 0.35, (0, 0, 0)),
    "curtain": (_curtain, 0.0, 0.0, (0, 0, 0)),
    "jug": (_jug, 0.05, 0.95, (0, 0, 0)),
    "bottle": (_bottle, 0.06, 1.0, (0.10, 0.34, 0.10)),
    "pear": (_pear, 0.022, 0.25, (0, 0, 0)),
    "apple": (_apple, 0.035, 0.7, (0, 0, 0)),
    "lemon": (_lemon, 0.028, 0.4, (0.04, 0.03, 0)),
    "grapes": (_grapes, 0.035, 0.75, (0.05, 0.01, 0.04)),
    "sunflower": (_sunflower, 0.0, 0.0, (0.16, 0.09, 0.01)),
    "daisy": (_daisy, 0.0, 0.0, (0.10, 0.10, 0.10)),
    "leaf": (_leaf, 0.02, 0.2, (0.05, 0.09, 0.01)),
    "stem": (_leaf, 0.02, 0.2, (0.02, 0.04, 0)),
    "twig": (_twig, 0.01, 0.2, (0, 0, 0)),
}
