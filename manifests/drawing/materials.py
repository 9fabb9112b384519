"""What the still life is made of: cloth and wood as shapes, colours of surfaces, and how they take the light."""

from dataclasses import dataclass

import numpy as np

from drawing.noise import Array, fractal
from drawing.tone import mix, ramp, smoothstep

_EDGE = -1.02  # z of the table's front edge


@dataclass(frozen=True)
class Surface:
    """Per point: diffuse colour (n, 3), mirror strength facing the eye, sharpness 0..1, light let through (n, 3)."""

    albedo: Array
    mirror: Array
    sharp: Array
    through: Array


def table(p: Array) -> Array:
    """The table block with a linen cloth laid over its front and left, in folds."""
    x, y, z = p.T
    drop = np.clip(-y, 0, 1)
    top = _cloth_share(x, z) * (0.02 + 0.030 * _folds(x, z))
    hang = _cloth_share(x, np.full_like(z, -1.0)) * (0.02 + 0.05 * (1 + np.sin(x * 17 + 2.2 * np.sin(x * 5 + y * 2))) * smoothstep(0, 0.3, drop))
    over, front = y - top, _EDGE - hang - z
    outside = np.hypot(np.maximum(over + 0.03, 0), np.maximum(front + 0.03, 0))
    return (outside + np.minimum(np.maximum(over, front) + 0.03, 0) - 0.03) * 0.72


def _folds(x: Array, z: Array) -> Array:
    """Creases of the cloth on the table, about 0..2."""
    a = np.sin(5.1 * x + 7.3 * z + 1.6 * np.sin(3.1 * x - 2.2 * z + 1))
    b = np.sin(9.7 * x - 4.1 * z + 1.9 * np.sin(2.3 * z + 4.4 * x))
    return 0.65 * (1 - np.abs(a)) ** 2 * 2 + 0.5 * (1 - np.abs(b)) ** 2


def _cloth_share(x: Array, z: Array) -> Array:
    edge = 0.50 + 0.12 * np.sin(z * 4 + 1) - 0.55 * (z + 1.0)
    return smoothstep(edge + 0.05, edge - 0.01, x) * smoothstep(0.55, 0.50, z + 0.25 * x)


def curtain(p: Array) -> Array:
    """A heavy curtain behind everything, gathered to the upper right."""
    x, y, z = p.T
    u = x + 0.16 * (y - 1) ** 2 * np.sign(x + 0.4) * 0.5 + 0.06 * np.sin(y * 2.3)
    fold = 0.13 * np.sin(u * 6.3 + 0.7 * np.sin(u * 2.7 + 0.5 * y)) + 0.05 * np.sin(u * 14.1 + 1.1 * np.sin(y * 1.9 + u * 3))
    return (1.75 + fold - z) * 0.62


def look(names: np.ndarray[tuple[int, ...], np.dtype[np.str_]], points: Array, normal: Array, centres: Array) -> Surface:
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
    cloth = (names == "table") & (_is_cloth(points) > 0.5)
    mirror[cloth], sharp[cloth] = 0.0, 0.0
    return Surface(albedo, mirror, sharp, through)


def shaded(
    surface: Surface, rays: Array, normal: Array, *, light: tuple[Array, Array], lit: Array, opened: Array
) -> Array:
    """Linear light (n, 3) sent to the eye: window, dim room, warm light off the table, mirrored surroundings."""
    towards, strength = light
    cosine = normal @ towards
    wrap = np.clip(cosine, 0, 1) * lit
    room = mix(np.array([0.20, 0.16, 0.13], np.float32), np.array([0.42, 0.48, 0.58], np.float32), np.clip(0.5 - 0.6 * normal[:, 0] + 0.35 * normal[:, 1], 0, 1))
    bounce = np.clip(-normal[:, 1], 0, 1)[:, None] * np.array([0.42, 0.28, 0.16], np.float32)
    diffuse = wrap[:, None] * strength + (room + bounce) * opened[:, None] * 0.72
    leak = surface.through * (np.clip(-cosine, 0, 1) * 0.9 + 0.15)[:, None] * strength * (0.25 + 0.75 * lit)[:, None]
    facing = np.clip(-(rays * normal).sum(-1), 0, 1)
    fresnel = surface.mirror + (1 - surface.mirror) * 0.75 * (1 - facing) ** 5 * np.minimum(surface.mirror * 20, 1)
    bent = rays + 2 * facing[:, None] * normal
    mirrored = _surroundings(bent, surface.sharp) * (0.25 + 0.75 * np.maximum(lit, 0.6 * opened))[:, None] * opened[:, None] ** 0.5
    return surface.albedo * diffuse + surface.albedo**0.5 * leak * 0.5 + mirrored * fresnel[:, None]


def _surroundings(direction: Array, sharp: Array) -> Array:
    """The room as glossy things mirror it: dusk, a tall window of four panes at the left, a pale floor."""
    side, up = direction[:, 0] / (-direction[:, 2] + 1.3), direction[:, 1] / (-direction[:, 2] + 1.3)
    soft = 0.02 + 0.22 * (1 - sharp)
    u, v = (side + 0.46) / 0.15, (up - 0.36) / 0.24
    pane = smoothstep(1 + soft * 6, 1 - soft, np.abs(u)) * smoothstep(1 + soft * 6, 1 - soft, np.abs(v))
    bars = np.maximum(smoothstep(0.10 + soft, 0.06, np.abs(u)), smoothstep(0.07 + soft, 0.04, np.abs(v)))
    window = pane * (1 - bars * sharp) * (direction[:, 2] < 0.6)
    dusk = mix(np.array([0.10, 0.085, 0.07], np.float32), np.array([0.20, 0.22, 0.27], np.float32), np.clip(0.5 + direction[:, 1], 0, 1))
    return dusk + window[:, None] * np.array([13.0, 12.4, 11.4], np.float32) * (0.25 + 0.75 * sharp)[:, None]


def _is_cloth(p: Array) -> Array:
    return _cloth_share(p[:, 0], np.where(p[:, 1] < -0.03, -1.0, p[:, 2]))


def _table(p: Array, local: Array) -> Array:
    x, y, z = p.T
    grain = fractal(x * 0.9 + 0.15 * np.sin(z * 3), z * 16 + y * 16, octaves=5, seed=201)
    wood = ramp(0.5 + 0.75 * grain + 0.12 * fractal(x * 4, z * 60, octaves=2, seed=202), [(0, "#33190d"), (0.5, "#6a3a1e"), (1, "#9b6236")])
    cross = fractal(x * 70, (z + y) * 8, octaves=2, seed=203) + fractal(x * 8, (z + y) * 70, octaves=2, seed=204)
    linen = ramp(0.5 + 0.35 * cross, [(0, "#c5bba6"), (0.5, "#e5dcc9"), (1, "#f6f0e2")])
    stripe = np.maximum(smoothstep(0.018, 0.014, np.abs(y + 0.20)), smoothstep(0.006, 0.004, np.abs(y + 0.245)))
    linen = mix(linen, np.array([0.22, 0.34, 0.58], np.float32), stripe * (y < -0.05) * 0.85)
    return mix(wood, linen, _is_cloth(p))


def _curtain(p: Array, local: Array) -> Array:
    x, y, _ = p.T
    nap = fractal(x * 24, y * 3.5, octaves=4, seed=210)
    damask = smoothstep(0.0, 0.3, np.sin(x * 9 + 1.5 * np.sin(y * 6)) * np.sin(y * 7.5 + 1.2 * np.sin(x * 8)))
    base = ramp(0.5 + 0.5 * nap, [(0, "#2c4649"), (0.5, "#41615f"), (1, "#5d7d76")])
    return mix(base, base * np.array([1.35, 1.22, 0.92], np.float32), damask * 0.55)


def _jug(p: Array, local: Array) -> Array:
    angle, y = np.arctan2(local[:, 2], local[:, 0]), p[:, 1]
    glaze = ramp(0.5 + 0.6 * fractal(angle * 3, y * 9, octaves=4, seed=220), [(0, "#d9d6cb"), (0.5, "#ece8dc"), (1, "#f8f5ec")])
    vine = np.abs(y - 0.34 - 0.075 * np.sin(angle * 7)) / 0.014
    petal = np.hypot((((angle * 7 / np.pi + 0.5) % 1) - 0.5) * 0.17, np.abs(y - 0.34) - 0.055) / 0.036
    rings = np.min([np.abs(y - level) / thick for level, thick in ((0.10, 0.016), (0.135, 0.006), (0.54, 0.008), (0.575, 0.018), (0.86, 0.022))], 0)
    brushed = np.minimum(np.minimum(vine, petal), rings)
    blue = ramp(0.5 + 0.8 * fractal(angle * 9, y * 26, octaves=3, seed=221), [(0, "#1b2f73"), (0.5, "#2c4c9c"), (1, "#6f8cc6")])
    return mix(glaze, blue, smoothstep(1.15, 0.85, brushed))


def _bottle(p: Array, local: Array) -> Array:
    return np.broadcast_to(np.array([0.10, 0.17, 0.09], np.float32), p.shape)


def _pear(p: Array, local: Array) -> Array:
    x, y, z = (local * 9).T
    tone = fractal(x + z, y - z, octaves=4, seed=230)
    skin = ramp(0.45 + 0.4 * tone + 1.1 * local[:, 0] + 0.25 * local[:, 1], [(0, "#8f9a35"), (0.45, "#c9b440"), (0.75, "#dfa53c"), (1.1, "#c4572c")])
    russet = smoothstep(0.33, 0.55, fractal((x + z) * 9, (y - z) * 9, octaves=2, seed=231))
    return mix(skin, np.array([0.45, 0.30, 0.14], np.float32), russet * 0.65)


def _apple(p: Array, local: Array) -> Array:
    angle = np.arctan2(local[:, 2], local[:, 0])
    streak = fractal(angle * 9, local[:, 1] * 5, octaves=4, seed=240) + 0.5 * fractal(local[:, 0] * 6, local[:, 1] * 6, octaves=2, seed=241)
    skin = ramp(0.55 + 0.55 * streak + 0.9 * local[:, 0] - 0.6 * local[:, 1], [(0, "#d8b546"), (0.22, "#d2622f"), (0.5, "#b3202a"), (1, "#6d0f1c")])
    dots = smoothstep(0.50, 0.62, fractal(local[:, 0] * 70, local[:, 1] * 70, octaves=1, seed=242))
    hollow = smoothstep(0.085, 0.02, np.hypot(local[:, 0] - 0.02, local[:, 2])) * (local[:, 1] > 0.05)
    return mix(mix(skin, np.array([0.90, 0.72, 0.48], np.float32), dots * 0.55), np.array([0.55, 0.50, 0.20], np.float32), hollow * 0.8)


def _lemon(p: Array, local: Array) -> Array:
    pores = fractal(local[:, 0] * 75, (local[:, 1] + local[:, 2]) * 75, octaves=2, seed=250)
    return ramp(0.55 + 0.35 * pores + 0.8 * local[:, 1], [(0, "#c78f1c"), (0.5, "#eec42d"), (1, "#fae268")])


def _grapes(p: Array, local: Array) -> Array:
    bloom = fractal(p[:, 0] * 12, (p[:, 1] + p[:, 2]) * 12, octaves=4, seed=260)
    return ramp(0.45 + 0.7 * bloom, [(0, "#1e0f2b"), (0.5, "#3f2352"), (0.9, "#6e5b8a"), (1.2, "#93879f")])


def _sunflower(p: Array, local: Array) -> Array:
    radius = np.linalg.norm(local, axis=-1)
    speck = fractal(p[:, 0] * 60, p[:, 1] * 60, octaves=2, seed=270)
    petal = ramp(0.5 + 0.45 * fractal(p[:, 0] * 14, p[:, 1] * 14, octaves=3, seed=271) + 1.6 * (radius - 0.2), [(0, "#cf6f10"), (0.4, "#eda414"), (0.8, "#f8cf35"), (1.1, "#fde98c")])
    heart = ramp(0.5 + 0.9 * speck - 2.5 * (radius - 0.08), [(0, "#7a4a17"), (0.5, "#43240f"), (1, "#1f0f08")])
    return mix(petal, heart, smoothstep(0.128, 0.112, radius + 0.012 * speck))


def _daisy(p: Array, local: Array) -> Array:
    radius = np.linalg.norm(local, axis=-1)
    petal = ramp(0.5 + 0.5 * fractal(p[:, 0] * 20, p[:, 1] * 20, octaves=3, seed=280), [(0, "#cfcbd4"), (0.5, "#efecea"), (1, "#fffdf6")])
    heart = ramp(0.5 + 0.8 * fractal(p[:, 0] * 90, p[:, 1] * 90, octaves=2, seed=281), [(0, "#a8640f"), (0.6, "#dda21f"), (1, "#f2cc4b")])
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
    "bottle": (_bottle, 0.06, 1.0, (0.02, 0.10, 0.03)),
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
