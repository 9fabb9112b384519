"""Boats of the harbour as polygons: rowing boats, fishing boats with a cabin, masts with a furled sail."""

from itertools import pairwise

import numpy as np

from artwork.contents.blocks import CLOTH, GLASS, PAINT
from artwork.contents.raster import Mesh
from artwork.noise import Array
from artwork.tone import colour

_HULLS = (
    ("#e9e4d6", "#2f5f8f", "#8f2f2a"),
    ("#2c5f7a", "#e8e1cf", "#7a2c25"),
    ("#c8452f", "#f0e8d6", "#2b4a63"),
    ("#e7d9a8", "#3a7a68", "#8a3a2a"),
    ("#3d7f74", "#ece4d0", "#a34a2c"),
    ("#f0ece2", "#c9772e", "#2a4868"),
)
_WOOD, _DARK, _ROPE = colour("#9a7146"), colour("#33271f"), colour("#6b5f50")


def boat(
    mesh: Mesh, at: tuple[float, float], *, length: float, heading: float, kind: str, rng: np.random.Generator
) -> None:
    """A boat afloat at (x, z); heading in radians, 0 with the bow to the right."""
    turn = np.array(
        [[np.cos(heading), 0, np.sin(heading)], [0, 1, 0], [-np.sin(heading), 0, np.cos(heading)]]
    )
    own = Mesh()
    paint = _HULLS[int(rng.integers(len(_HULLS)))]
    _hull(own, length, [colour(code) for code in paint])
    if kind == "cabin":
        _cabin(own, length, colour(paint[1]))
    if kind in ("mast", "cabin"):
        _mast(own, length, rng.uniform(0.95, 1.3) * length, sail=kind == "mast", rng=rng)
    mesh.absorb(own, turn, np.array([at[0], 0, at[1]]))


def _hull(mesh: Mesh, length: float, paint: list[Array]) -> None:
    """Planks between stations from stern to bow, an inner side, a floor, thwarts and a rubbing strake."""
    s = np.linspace(0, 1, 15)
    half = (
        length
        * 0.17
        * np.sqrt(np.clip(1 - (np.clip(s - 0.42, 0, 1) / 0.58) ** 2.2, 0, 1))
        * (0.72 + 0.28 * np.clip(s / 0.42, 0, 1))
    )
    sheer = length * (0.10 + 0.10 * np.clip(s - 0.35, 0, 1) ** 1.6 * 2 + 0.03 * np.clip(0.35 - s, 0, 1))
    x = (s - 0.5) * length
    for side in (-1, 1):
        rows = [(1.0, 1.0), (0.97, 0.80), (0.94, 0.62), (0.80, 0.18), (0.68, -0.05)]
        skin = [np.stack([x, sheer * up, side * half * out], -1) for out, up in rows]
        for upper, lower, tone in zip(skin, skin[1:], (paint[1], paint[0], paint[0], paint[2]), strict=False):
            _strip(mesh, upper, lower, tone)
        inner = np.stack([x * 0.985, sheer * 0.98, side * half * 0.90], -1)
        _strip(mesh, skin[0] + np.array([0, 0.01, 0]), inner, _WOOD * 1.1)
        floor = np.stack([x * 0.9, sheer * 0 + length * 0.03, side * half * 0.7], -1)
        _strip(mesh, inner, floor, paint[0] * 0.85)
    _strip(
        mesh,
        np.stack([x * 0.9, sheer * 0 + length * 0.03, half * 0.7], -1),
        np.stack([x * 0.9, sheer * 0 + length * 0.03, -half * 0.7], -1),
        _WOOD * 0.6,
    )
    stern = [
        (x[0], sheer[0] * up, side * half[0] * out)
        for side, out, up in ((-1, 1, 1), (1, 1, 1), (1, 0.7, -0.05), (-1, 0.7, -0.05))
    ]
    mesh.add(stern, paint[1] * 0.9, kind=PAINT)
    for station in (3, 6, 9):
        y, w, along = sheer[station] * 0.82, half[station] * 0.9, length * 0.025
        mesh.add(
            (
                (x[station] - along, y, -w),
                (x[station] + along, y, -w),
                (x[station] + along, y, w),
                (x[station] - along, y, w),
            ),
            _WOOD,
            kind=PAINT,
        )


def _strip(mesh: Mesh, upper: Array, lower: Array, tone: Array) -> None:
    mesh.add(np.stack([upper[:-1], upper[1:], lower[1:], lower[:-1]], 1), tone, kind=PAINT)


def _cabin(mesh: Mesh, length: float, trim: Array) -> None:
    low, high, half = length * 0.06, length * 0.33, length * 0.095
    front, back = length * 0.14, -length * 0.12
    white = colour("#efe9dc")
    deck = (
        (-length * 0.44, length * 0.105, -half * 1.3),
        (length * 0.3, length * 0.12, -half),
        (length * 0.3, length * 0.12, half),
        (-length * 0.44, length * 0.105, half * 1.3),
    )
    mesh.add(deck, _WOOD * 1.15, kind=PAINT)
    for side in (-half, half):
        mesh.add(
            ((back, low, side), (front, low, side), (front * 0.8, high, side), (back, high, side)),
            white,
            kind=PAINT,
        )
        out = side * 1.02
        for a, b in ((0.08, 0.44), (0.54, 0.86)):
            p, q = back + (front - back) * a, back + (front * 0.85 - back) * b
            mesh.add(
                ((p, high * 0.62, out), (q, high * 0.62, out), (q, high * 0.88, out), (p, high * 0.88, out)),
                np.full(3, 0.3),
                kind=GLASS,
            )
    mesh.add(
        ((front, low, -half), (front, low, half), (front * 0.8, high, half), (front * 0.8, high, -half)),
        white,
        kind=PAINT,
    )
    mesh.add(
        ((back, low, -half), (back, low, half), (back, high, half), (back, high, -half)),
        white * 0.95,
        kind=PAINT,
    )
    over = half * 1.2
    for y in (high, high + length * 0.018):
        mesh.add(
            (
                (back * 1.15, y, -over),
                (front * 0.98, y, -over),
                (front * 0.98, y, over),
                (back * 1.15, y, over),
            ),
            trim,
            kind=PAINT,
        )


def _mast(mesh: Mesh, length: float, height: float, *, sail: bool, rng: np.random.Generator) -> None:
    foot = np.array([length * 0.16, 0.1, 0.0])
    top = foot + np.array([0.02, height, 0])
    _spar(mesh, foot, top, length * 0.011, _WOOD * 0.9)
    for end in (
        (length * 0.5, length * 0.2, 0),
        (-length * 0.48, length * 0.13, 0),
        (length * 0.08, length * 0.12, length * 0.16),
        (length * 0.08, length * 0.12, -length * 0.16),
    ):
        _spar(mesh, top, np.array(end), length * 0.0028, _ROPE)
    if sail:
        boom = (
            foot + np.array([0, height * 0.24, 0]),
            foot + np.array([-length * 0.55, height * 0.30, rng.normal(0, 0.1)]),
        )
        _spar(mesh, boom[0], boom[1], length * 0.009, _WOOD)
        tone = colour(str(rng.choice(["#e9dfc8", "#b5533a", "#d8c49a", "#3f5f7d"])))
        parts = np.linspace(0, 1, 9)[:, None]
        above = np.array([0, length * 0.022, 0])
        line = boom[0] * (1 - parts) + boom[1] * parts
        for a, b in pairwise(line):
            _spar(
                mesh,
                a + above,
                b + above,
                length * rng.uniform(0.018, 0.027),
                tone,
                kind=CLOTH,
            )


def _spar(mesh: Mesh, start: Array, end: Array, radius: float, tone: Array, *, kind: int = PAINT) -> None:
    """A thin square stick from start to end."""
    ahead = (end - start) / np.linalg.norm(end - start)
    side = np.cross(ahead, (0.1, 0.2, 1.0) if abs(ahead[1]) > 0.7 else (0, 1.0, 0))
    side = side / np.linalg.norm(side) * radius
    up = np.cross(ahead, side)
    ring = [side + up, up - side, -side - up, side - up]
    for a, b in zip(ring, [*ring[1:], ring[0]], strict=True):
        mesh.add((start + a, end + a, end + b, start + b), tone, kind=kind)
