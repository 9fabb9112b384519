"""Sphere tracing (Hart, 1996) of solids given by distance functions, with soft shadows and occlusion.

Every solid lies in a ball. A ray asks a solid only while it is inside that ball, and solids do not know of
each other: the first hit is the nearest of their hits, the shadow the darkest of their shadows.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from artwork.noise import Array, Indices

Distance = Callable[[Array], Array]  # points (n, 3) to signed distances (n,)
_REACHES = ((0.02, 1.0), (0.05, 0.8), (0.11, 0.6), (0.22, 0.42))  # of occlusion: distance, weight

_SOFT = 2.8  # beyond this distance penumbrae grow no wider, so that they end inside the balls


@dataclass(frozen=True)
class Solid:
    """A shape, the ball that holds it, what it is made of, and whether it darkens others."""

    distance: Distance
    centre: tuple[float, float, float]
    radius: float
    material: str
    blocks: bool = True


def first_hits(solids: Sequence[Solid], origin: Array, rays: Array) -> tuple[Array, Indices]:
    """Distance along unit rays (n, 3) to the nearest surface, and which solid it is; inf and 0 if none."""
    reached, which = np.full(len(rays), np.inf, np.float32), np.zeros(len(rays), np.int32)
    for number, solid in enumerate(solids):
        enter, leave = _inside(solid, origin, rays, grow=0.0)
        asked = np.flatnonzero((leave > enter) & (enter < reached))
        found = _trace(solid, origin[asked], rays[asked], enter[asked], np.minimum(leave, reached)[asked])
        nearer = found < reached[asked]
        reached[asked[nearer]] = found[nearer]
        which[asked[nearer]] = number
    return reached, which


def _trace(solid: Solid, origin: Array, rays: Array, enter: Array, leave: Array) -> Array:
    travelled, reached = enter.copy(), np.full(len(rays), np.inf, np.float32)
    active = np.arange(len(rays))
    for _ in range(90):
        gap = solid.distance(origin[active] + rays[active] * travelled[active, None])
        travelled[active] += gap * 0.9
        done = gap < 0.0016
        reached[active[done]] = travelled[active[done]]
        active = active[~done & (travelled[active] < leave[active])]
        if active.size == 0:
            break
    return reached


def normals(solids: Sequence[Solid], points: Array, which: Indices, *, step: float = 1.2e-3) -> Array:
    """Unit normals (n, 3) of the solids hit, by differences at the corners of a tetrahedron."""
    total = np.zeros_like(points)
    corners = np.array([[1, -1, -1], [-1, -1, 1], [-1, 1, -1], [1, 1, 1]], np.float32)
    for number in np.unique(which):
        here = np.flatnonzero(which == number)
        for corner in corners:
            total[here] += corner * solids[number].distance(points[here] + corner * step)[:, None]
    return total / (np.sqrt(_dot(total, total))[:, None] + 1e-9)


def shadow(solids: Sequence[Solid], points: Array, towards: Array, *, size: float) -> Array:
    """How much of a round, distant lamp in one unit direction (3,) is seen, 0..1; `size` is its tangent."""
    seen = np.ones(len(points), np.float32)
    rays = np.broadcast_to(towards, points.shape)
    for solid in solids:
        if solid.blocks:
            enter, leave = _inside(solid, points, rays, grow=size * _SOFT + 0.02)
            asked = np.flatnonzero((leave > enter) & (seen > 0.01))
            part = _dimmed(solid, points[asked], towards, enter[asked], leave[asked], size)
            seen[asked] = np.minimum(seen[asked], part)
    seen = np.clip(seen, 0, 1)
    return seen * seen * (3 - 2 * seen)


def _dimmed(solid: Solid, points: Array, towards: Array, enter: Array, leave: Array, size: float) -> Array:
    travelled, seen = np.maximum(enter, 0.03), np.ones(len(points), np.float32)
    active = np.arange(len(points))
    for _ in range(32):
        gap = solid.distance(points[active] + towards * travelled[active, None])
        seen[active] = np.minimum(
            seen[active], 0.5 + 0.5 * gap / (size * np.minimum(travelled[active], _SOFT))
        )
        travelled[active] += np.clip(gap, 0.015, 0.2)
        active = active[(seen[active] > 0.01) & (travelled[active] < leave[active])]
        if active.size == 0:
            break
    return seen


def openness(solids: Sequence[Solid], points: Array, normal: Array) -> Array:
    """How open the surroundings are, 0..1: distances found along the normal against those expected."""
    gaps = np.array([[reach] for reach, _ in _REACHES], np.float32) * np.ones(len(points), np.float32)
    for solid in solids:
        offset = points - np.array(solid.centre, np.float32)
        near = np.flatnonzero(_dot(offset, offset) < (solid.radius + 0.4) ** 2)
        for row, (reach, _) in enumerate(_REACHES):
            found = solid.distance(points[near] + normal[near] * reach)
            gaps[row, near] = np.minimum(gaps[row, near], found)
    closed = sum(
        weight * np.clip(1 - gaps[row] / reach, 0, 1) for row, (reach, weight) in enumerate(_REACHES)
    )
    return np.asarray(np.clip(1 - closed / 2.3, 0.05, 1))


def _inside(solid: Solid, origin: Array, rays: Array, *, grow: float) -> tuple[Array, Array]:
    """Where unit rays enter (0 at least) and leave the solid's ball; those that miss leave at -1."""
    offset = origin - np.array(solid.centre, np.float32)
    along = _dot(offset, rays)
    square = along * along - _dot(offset, offset) + (solid.radius + grow) ** 2
    half = np.sqrt(np.maximum(square, 0))
    return np.maximum(-along - half, 0), np.where(square > 0, -along + half, -1)


def _dot(first: Array, second: Array) -> Array:
    return np.asarray(np.einsum("ij,ij->i", first, second))
