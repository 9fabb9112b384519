"""A small depth-buffer rasteriser: flat polygons in, the nearest surface per pixel out."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from artwork.noise import Array, Indices

_NEAR, _FAR = 0.05, np.float32(1e9)


@dataclass
class Mesh:
    """Triangles in batches: corners (k, 3, 3), colours (k, 3) and material numbers (k,); grows by `add`."""

    corners: list[Array] = field(default_factory=list)
    colours: list[Array] = field(default_factory=list)
    kinds: list[Indices] = field(default_factory=list)

    def add(self, polygons: Sequence[Sequence[float] | Array] | Array, colour: Array, *, kind: int) -> None:
        """Adds a convex polygon (m, 3), corners in order, or many alike (n, m, 3), as fans of triangles."""
        points = np.asarray(polygons, np.float32)
        points = points.reshape(-1, *points.shape[-2:])
        for number in range(1, points.shape[1] - 1):
            fan = points[:, [0, number, number + 1]]
            self.corners.append(fan)
            self.colours.append(np.broadcast_to(colour.astype(np.float32), (len(fan), 3)))
            self.kinds.append(np.full(len(fan), kind))

    def absorb(self, other: "Mesh", turn: Array, move: Array) -> None:
        """Adds all of another mesh, turned by a matrix (3, 3) and then moved."""
        self.corners += [(corners @ turn.T + move).astype(np.float32) for corners in other.corners]
        self.colours += other.colours
        self.kinds += other.kinds


@dataclass(frozen=True)
class Camera:
    """Looks along +z after turning; `zoom` is the focal length in picture widths, `flip` mirrors in y = 0."""

    eye: Array
    pitch: float
    yaw: float
    zoom: float
    flip: bool = False

    def project(self, points: Array) -> Array:
        """World points (..., 3) to (x, y, depth): x, y in picture widths from the centre, y downward."""
        moved = points * np.array([1, -1 if self.flip else 1, 1], np.float32) - self.eye
        turned = moved @ self.axes().T
        depth = np.maximum(turned[..., 2:], _NEAR)
        return np.concatenate(
            [turned[..., :1] / depth, -turned[..., 1:2] / depth, turned[..., 2:]], -1
        ) * np.array([self.zoom, self.zoom, 1], np.float32)

    def axes(self) -> Array:
        """Rows: right, up and ahead in world coordinates."""
        cp, sp, cy, sy = np.cos(self.pitch), np.sin(self.pitch), np.cos(self.yaw), np.sin(self.yaw)
        ahead = np.array([sy * cp, sp, cy * cp])
        right = np.array([cy, 0, -sy])
        return np.stack([right, np.cross(ahead, right), ahead]).astype(np.float32)


def rasterise(screen: Array, wide: int, high: int) -> tuple[Array, Indices]:
    """Depth (inf where empty) and triangle number (-1) per pixel.

    `screen` is (n, 3, 3): x, y in pixels, depth. Triangles that reach behind the eye or cover no
    pixel's centre are left out.
    """
    depth, owner = np.full((high, wide), _FAR, np.float32), np.full((high, wide), -1, np.int32)
    low = np.ceil(screen[..., :2].min(1) - 0.5).astype(int)
    top = np.floor(screen[..., :2].max(1) - 0.5).astype(int) + 1
    visible = (
        (screen[..., 2].min(1) > _NEAR) & (top > 0).all(-1) & (low < np.minimum(top, (wide, high))).all(-1)
    )
    for number in np.flatnonzero(visible):
        left, upper = max(low[number, 0], 0), max(low[number, 1], 0)
        area = np.s_[upper : top[number, 1], left : top[number, 0]]
        _fill(depth[area], owner[area], screen[number], (left, upper), int(number))
    return np.where(owner < 0, np.inf, depth).astype(np.float32), owner


def _fill(depth: Array, owner: Indices, corners: Array, origin: tuple[int, int], number: int) -> None:
    (ax, ay, az), (bx, by, bz), (cx, cy, cz) = corners.tolist()
    double = (bx - ax) * (cy - ay) - (cx - ax) * (by - ay)
    if abs(double) < 1e-9 or depth.size == 0:
        return
    x = np.arange(origin[0], origin[0] + depth.shape[1], dtype=np.float32)[None, :] + 0.5
    y = np.arange(origin[1], origin[1] + depth.shape[0], dtype=np.float32)[:, None] + 0.5
    of_b = ((x - ax) * (cy - ay) - (cx - ax) * (y - ay)) / double
    of_c = ((bx - ax) * (y - ay) - (x - ax) * (by - ay)) / double
    of_a = 1 - of_b - of_c
    nearness = of_a / az + of_b / bz + of_c / cz
    seen = (of_a >= 0) & (of_b >= 0) & (of_c >= 0) & (nearness * depth > 1)
    depth[seen] = 1 / nearness[seen]
    owner[seen] = number
