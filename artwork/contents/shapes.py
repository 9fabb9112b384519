"""Distance functions of the still life: turned vessels, fruit, blossoms, leaves. Points (n, 3), y is up."""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np

from artwork.contents.march import Distance
from artwork.noise import Array

Point: TypeAlias = Sequence[float] | Array


def capsule(start: Point, end: Point, radius: float) -> Distance:
    """A round stick from start to end."""
    a, leg = np.array(start, np.float32), np.subtract(end, start).astype(np.float32)

    def distance(p: Array) -> Array:
        part = np.clip((p - a) @ leg / (leg @ leg), 0, 1)
        return np.asarray(np.linalg.norm(p - a - part[:, None] * leg, axis=-1) - radius)

    return distance


def ellipsoid(p: Array, radii: Sequence[float]) -> Array:
    """Approximate signed distance of points to an ellipsoid at the origin."""
    size = np.array(radii, np.float32)
    near = np.linalg.norm(p / size, axis=-1)
    return np.asarray(near * (near - 1) / (np.linalg.norm(p / size**2, axis=-1) + 1e-6))


def frame(axis: Sequence[float]) -> Array:
    """A rotation whose second row is the direction `axis`; `p @ frame.T` has that axis as its y."""
    up = np.array(axis, np.float32) / np.linalg.norm(axis)
    side = np.cross(up, (0.31, 0.12, 0.94))
    side = side / np.linalg.norm(side)
    return np.stack([side, up, np.cross(side, up)]).astype(np.float32)


def placed(
    shape: Distance, *, at: Sequence[float], axis: Sequence[float] = (0, 1, 0), size: float = 1.0
) -> Distance:
    """The shape scaled, turned so that its y points along `axis`, and moved to `at`."""
    turn, middle = frame(axis), np.array(at, np.float32)
    return lambda p: shape((p - middle) @ turn.T / size) * size


def turned(profile: Sequence[tuple[float, float]]) -> Distance:
    """A solid of revolution from (radius, height) corners, heights ascending, rounded by a smooth curve."""
    corners = np.array(profile, np.float32)
    curve = _smooth(corners, pieces=6)
    start, leg = curve[:-1], np.diff(curve, axis=0)
    square = (leg**2).sum(-1) + 1e-9

    def distance(p: Array) -> Array:
        radius, height = np.hypot(p[:, 0], p[:, 2]), p[:, 1]
        part = (
            (radius[:, None] - start[:, 0]) * leg[:, 0] + (height[:, None] - start[:, 1]) * leg[:, 1]
        ) / square
        part = np.clip(part, 0, 1)
        away_r = radius[:, None] - start[:, 0] - part * leg[:, 0]
        away_h = height[:, None] - start[:, 1] - part * leg[:, 1]
        away = np.sqrt((away_r**2 + away_h**2).min(-1))
        inside = (
            (radius < np.interp(height, curve[:, 1], curve[:, 0]))
            & (height > curve[0, 1])
            & (height < curve[-1, 1])
        )
        return np.asarray(np.where(inside, -away, away))

    return distance


def _smooth(corners: Array, *, pieces: int) -> Array:
    """A Catmull-Rom curve through the corners, its heights kept ascending."""
    ends = np.concatenate([corners[:1], corners, corners[-1:]])
    t = np.linspace(0, 1, pieces, endpoint=False)[:, None]
    spans = []
    for a, b, c, d in zip(ends, ends[1:], ends[2:], ends[3:], strict=False):
        spans.append(
            0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)
        )
    curve = np.concatenate([*spans, corners[-1:]])
    curve[:, 1] = np.maximum.accumulate(curve[:, 1]) + np.arange(len(curve)) * 1e-6
    curve[:, 0] = np.maximum(curve[:, 0], 0)
    return curve


def apple(p: Array) -> Array:
    """An apple of radius about 1, dimpled at both ends, a little five-cornered below."""
    radius = np.linalg.norm(p, axis=-1) + 1e-6
    tilt = p[:, 1] / radius
    wide = np.arctan2(p[:, 2], p[:, 0])
    edge = (
        1 - 0.42 * np.clip(tilt, 0, 1) ** 9 - 0.28 * np.clip(-tilt, 0, 1) ** 8 - 0.10 * np.clip(-tilt, 0, 1)
    )
    edge = edge + 0.018 * np.sin(5 * wide) * (0.3 - tilt) + 0.03 * np.sin(wide + 1)
    return np.asarray((radius - edge) * 0.72)


def blossom(petals: int, *, width: float, heart: float, cup: float) -> Distance:
    """A flower of radius about 1 facing +y: two rings of petals around a domed heart."""

    def distance(p: Array) -> Array:
        core = ellipsoid(p - np.array([0, 0.02, 0], np.float32), (heart, heart * 0.42, heart))
        for ring, (shift, lift, reach) in enumerate(((0.0, 0.10, 0.93), (0.5, -0.02, 1.05))):
            core = np.minimum(core, _petals(p, petals, shift, lift, reach, width, heart, cup, ring))
        return core * 0.8

    return distance


def _petals(
    p: Array,
    count: int,
    shift: float,
    lift: float,
    reach: float,
    width: float,
    heart: float,
    cup: float,
    ring: int,
) -> Array:
    turn = np.arctan2(p[:, 2], p[:, 0]) / (2 * np.pi) * count + shift
    number = np.round(turn)
    toss = np.sin(number * 12.9 + ring * 4.1 + 78.2 * np.cos(number))
    angle = (turn - number) * 2 * np.pi / count + 0.10 * toss
    radius = np.hypot(p[:, 0], p[:, 2])
    along, across = radius * np.cos(angle), radius * np.sin(angle)
    middle, half = (heart * 0.6 + reach) / 2, (reach - heart * 0.5) / 2
    stretched = (along - middle) / (1 + 0.10 * toss)
    bend = lift + cup * (along - heart) ** 2 + 0.10 * toss * along - 1.2 * across**2
    return ellipsoid(np.stack([stretched, p[:, 1] - bend, across], -1), (half, 0.026, width)) * 0.7


def leaf(p: Array) -> Array:
    """A pointed leaf of length 2 along x, creased along its rib and drooping."""
    width = np.clip(1 - p[:, 0] ** 2, 0.02, 1)
    bend = 0.35 * np.abs(p[:, 2]) - 0.28 * p[:, 0] ** 2 + 0.04 * np.sin(p[:, 0] * 14) * np.abs(p[:, 2])
    flat = np.stack([p[:, 0], p[:, 1] - bend, p[:, 2] / width**0.6], -1)
    return ellipsoid(flat, (1.0, 0.03, 0.45)) * 0.55


def cluster(centres: Array, radii: Array) -> Distance:
    """Many balls as one shape, such as grapes."""

    def distance(p: Array) -> Array:
        best = np.full(len(p), 9.0, np.float32)
        for centre, radius in zip(centres, radii, strict=True):
            best = np.minimum(best, np.sqrt(((p - centre) ** 2).sum(-1)) - radius)
        return best

    return distance


def ring(centre: Sequence[float], radii: tuple[float, float], thick: float) -> Distance:
    """An upright oval ring in the x-y plane: the handle of a jug."""
    middle = np.array(centre, np.float32)

    def distance(p: Array) -> Array:
        q = p - middle
        angle = np.arctan2(q[:, 1] / radii[1], q[:, 0] / radii[0])
        away = np.hypot(q[:, 0] - radii[0] * np.cos(angle), q[:, 1] - radii[1] * np.sin(angle))
        return np.asarray((np.hypot(away, q[:, 2] * 0.75) - thick) * 0.8)

    return distance
