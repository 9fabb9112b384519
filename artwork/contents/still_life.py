"""Sunflowers in a painted jug, fruit and a bottle on a table by a window, ray-marched with soft light."""

from collections.abc import Sequence

import numpy as np

from artwork.contents import drapery, materials
from artwork.contents.march import Solid, first_hits, normals, openness, shadow
from artwork.contents.shapes import apple, blossom, capsule, cluster, leaf, placed, ring, turned
from artwork.contents.window_light import shaded
from artwork.noise import Array
from artwork.tone import film, shrink

_EYE = np.array([0.25, 1.95, -6.0], np.float32)
_AIM = np.array([0.02, 0.80, 0.0], np.float32)
_ZOOM = 0.245  # tangent of half the upright angle of view
_KEY = np.array([-0.66, 0.56, -0.50], np.float32) / np.linalg.norm([-0.66, 0.56, -0.50]).astype(np.float32)
_KEY_LIGHT = np.array([3.3, 2.95, 2.45], np.float32)
_BAND = 24  # rows rendered at a time

_JUG = (
    (0.0, 0.0),
    (0.19, 0.0),
    (0.21, 0.03),
    (0.31, 0.17),
    (0.365, 0.33),
    (0.34, 0.50),
    (0.24, 0.66),
    (0.195, 0.76),
    (0.205, 0.84),
    (0.245, 0.90),
    (0.0, 0.902),
)
_PEAR = (
    (0.0, -0.36),
    (0.12, -0.35),
    (0.25, -0.26),
    (0.305, -0.10),
    (0.27, 0.06),
    (0.17, 0.22),
    (0.125, 0.36),
    (0.08, 0.44),
    (0.0, 0.46),
)
_BOTTLE = (
    (0.0, 0.0),
    (0.15, 0.0),
    (0.172, 0.03),
    (0.172, 0.62),
    (0.155, 0.74),
    (0.075, 0.88),
    (0.052, 0.96),
    (0.050, 1.18),
    (0.066, 1.185),
    (0.066, 1.235),
    (0.045, 1.24),
    (0.045, 1.285),
    (0.0, 1.288),
)
_LEMON = (
    (0.0, -0.27),
    (0.03, -0.255),
    (0.07, -0.215),
    (0.16, -0.13),
    (0.185, 0.0),
    (0.155, 0.135),
    (0.06, 0.225),
    (0.035, 0.26),
    (0.0, 0.28),
)


def draw(width: int) -> Array:
    """The picture, sRGB 0..1 (H, W, 3), 4:5 upright."""
    wide, high = width * 2, round(width * 1.25) * 2
    rays = _rays(wide, high)
    solids, light = scene(), np.zeros((high, wide, 3), np.float32)
    for top in range(0, high, _BAND):
        band = rays[top : top + _BAND]
        light[top : top + _BAND] = _seen(solids, band.reshape(-1, 3)).reshape(band.shape)
    return np.asarray(film(shrink(np.clip(light, 0, 6), 2), exposure=0.62))


def scene() -> list[Solid]:
    """Everything in the picture."""
    return [*_room(), *_vessels(), *_fruit(), *_bouquet()]


def _room() -> list[Solid]:
    return [
        Solid(drapery.table, (0, -0.4, 0.4), 3, "table", blocks=False),
        Solid(drapery.curtain, (0, 1, 1.8), 3, "curtain", blocks=False),
    ]


def _vessels() -> list[Solid]:
    return [
        Solid(placed(turned(_JUG), at=(-0.22, 0, 0.2)), (-0.22, 0.45, 0.2), 0.58, "jug"),
        Solid(ring((-0.60, 0.53, 0.2), (0.16, 0.22), 0.034), (-0.60, 0.53, 0.2), 0.30, "jug"),
        Solid(placed(turned(_BOTTLE), at=(0.74, 0, 0.42)), (0.74, 0.62, 0.42), 0.66, "bottle"),
    ]


def _fruit() -> list[Solid]:
    fruit = []
    for at, axis, size in (
        ((-0.76, 0.30, -0.22), (0.1, 1, -0.05), 0.86),
        ((-0.36, 0.235, -0.50), (0.92, 0.42, -0.35), 0.80),
    ):
        top = np.array(at) + 0.44 * size * np.array(axis) / np.linalg.norm(axis)
        fruit.append(Solid(placed(turned(_PEAR), at=at, axis=axis, size=size), at, 0.5 * size, "pear"))
        fruit.append(Solid(capsule(top, top + np.array([0.05, 0.09, 0.0]), 0.012), tuple(top), 0.14, "twig"))
    for at, axis in (((0.37, 0.205, -0.12), (0.12, 1, -0.25)), ((0.80, 0.20, -0.22), (-0.5, 0.9, -0.6))):
        top = np.array(at) + 0.14 * np.array(axis) / np.linalg.norm(axis)
        fruit.append(Solid(placed(apple, at=at, axis=axis, size=0.235), at, 0.26, "apple"))
        fruit.append(
            Solid(capsule(top, top + np.array([0.03, 0.11, -0.02]), 0.011), tuple(top), 0.14, "twig")
        )
    fruit.append(
        Solid(
            placed(turned(_LEMON), at=(0.10, 0.175, -0.66), axis=(0.85, 0.05, 0.5), size=0.95),
            (0.10, 0.175, -0.66),
            0.28,
            "lemon",
        )
    )
    return [*fruit, _grapes()]


def _grapes() -> Solid:
    rng, size = np.random.default_rng(5), 0.062
    centres = []
    for layer, (rows, breadth) in enumerate(((4, 6), (3, 5), (2, 3))):
        for row in range(rows):
            for place in range(breadth - (row + layer) % 2):
                across = (place - (breadth - (row + layer) % 2 - 1) / 2) * size * 2.02
                back = (row - (rows - 1) / 2) * size * 1.78
                spot = np.array([0.68 + across, size * (1 + 1.6 * layer), -0.66 + back + 0.25 * across])
                centres.append(spot + rng.normal(0, 0.007, 3))
    radii = rng.uniform(0.93, 1.07, len(centres)) * size
    return Solid(cluster(np.array(centres, np.float32), radii), (0.68, 0.15, -0.66), 0.47, "grapes")


def _bouquet() -> list[Solid]:
    mouth = np.array([-0.22, 0.86, 0.2])
    sunflower = blossom(19, width=0.105, heart=0.40, cup=0.24)
    daisy = blossom(14, width=0.105, heart=0.27, cup=0.15)
    solids: list[Solid] = []
    for at, axis, size, kind in _FLOWERS:
        shape = sunflower if kind == "sunflower" else daisy
        solids.append(Solid(placed(shape, at=at, axis=axis, size=size), at, size * 1.28, kind))
        back = np.array(at) - 0.05 * np.array(axis)
        middle = tuple((mouth + back) / 2)
        solids.append(
            Solid(capsule(mouth, back, 0.016), middle, float(np.linalg.norm(back - mouth)) / 2 + 0.03, "stem")
        )
    for at, axis, size in _LEAVES:
        solids.append(Solid(placed(leaf, at=at, axis=axis, size=size), at, size * 1.12, "leaf"))
    return solids


_FLOWERS = (
    ((-0.26, 1.36, -0.12), (-0.10, 0.30, -1.0), 0.335, "sunflower"),
    ((0.20, 1.60, 0.02), (0.30, 0.45, -1.0), 0.31, "sunflower"),
    ((-0.66, 1.62, 0.10), (-0.65, 0.45, -0.85), 0.29, "sunflower"),
    ((-0.22, 1.93, 0.22), (-0.15, 0.95, -0.75), 0.29, "sunflower"),
    ((0.24, 1.16, -0.02), (0.80, -0.05, -0.95), 0.27, "sunflower"),
    ((-0.70, 1.20, -0.02), (-0.55, 0.00, -1.0), 0.175, "daisy"),
    ((0.05, 1.28, -0.22), (0.25, 0.15, -1.0), 0.150, "daisy"),
    ((-0.48, 1.90, 0.00), (-0.45, 0.60, -0.9), 0.165, "daisy"),
    ((0.50, 1.42, 0.10), (0.75, 0.30, -0.8), 0.160, "daisy"),
    ((0.14, 2.00, 0.12), (0.35, 0.75, -0.9), 0.150, "daisy"),
    ((-0.44, 1.08, -0.14), (-0.25, -0.15, -1.0), 0.135, "daisy"),
)
_LEAVES = (
    ((-0.50, 1.02, 0.02), (-0.5, 0.6, -0.7), 0.27),
    ((0.02, 1.02, -0.08), (0.35, 0.6, -0.75), 0.26),
    ((0.46, 1.22, 0.22), (0.6, 0.8, -0.2), 0.28),
    ((-0.92, 1.40, 0.25), (-0.5, 0.9, -0.4), 0.27),
    ((-0.46, 1.62, 0.14), (0.2, 0.5, -0.9), 0.24),
    ((0.02, 1.78, 0.20), (0.1, 0.8, -0.7), 0.25),
    ((0.48, 1.76, 0.26), (0.6, 0.5, -0.6), 0.24),
    ((-0.48, 1.36, 0.12), (-0.6, 0.3, -0.8), 0.25),
    ((-0.78, 1.86, 0.3), (-0.3, 0.7, -0.6), 0.22),
    ((0.02, 2.15, 0.3), (0.2, 0.5, -0.8), 0.2),
    ((0.10, 1.42, 0.16), (0.4, 0.2, -0.9), 0.26),
)


def _rays(wide: int, high: int) -> Array:
    """Unit rays (H, W, 3) through the pixels."""
    ahead = (_AIM - _EYE) / np.linalg.norm(_AIM - _EYE)
    right = np.cross((0, 1, 0), ahead)
    right = right / np.linalg.norm(right)
    up = np.cross(ahead, right)
    y, x = np.mgrid[0:high, 0:wide].astype(np.float32)
    across, rise = ((x + 0.5) / high * 2 - wide / high) * _ZOOM, (1 - (y + 0.5) / high * 2) * _ZOOM
    rays = ahead + across[..., None] * right + rise[..., None] * up
    return np.asarray((rays / np.linalg.norm(rays, axis=-1, keepdims=True)).astype(np.float32))


def _seen(solids: Sequence[Solid], rays: Array) -> Array:
    """Linear light (n, 3) arriving along rays from the eye."""
    origin = np.broadcast_to(_EYE, rays.shape)
    reach, which = first_hits(solids, origin, rays)
    points = origin + rays * np.where(np.isfinite(reach), reach, 9)[:, None]
    normal = normals(solids, points, which)
    normal = np.where(
        ((normal * rays).sum(-1) > 0)[:, None], -normal, normal
    )  # thin petals, seen from behind
    names = np.array([solid.material for solid in solids])[which]
    surface = materials.look(names, points, np.array([solid.centre for solid in solids], np.float32)[which])
    lit, faced = np.zeros(len(points), np.float32), np.flatnonzero(normal @ _KEY > 0)
    lit[faced] = shadow(solids, points[faced] + normal[faced] * 0.012, _KEY, size=0.13)
    return shaded(
        surface, rays, normal, light=(_KEY, _KEY_LIGHT), lit=lit, opened=openness(solids, points, normal)
    )
