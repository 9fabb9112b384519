"""Houses and towers of the town, built as polygons; lengths in metres, y up, fronts face -z."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from artwork.contents.blocks import CLOTH, GLASS, PAINT, PLASTER, ROOF, STONE, box
from artwork.contents.foliage import blob
from artwork.contents.raster import Mesh
from artwork.noise import Array
from artwork.tone import colour

_WALLS = (
    "#cfa05a",
    "#b9694a",
    "#dcc49a",
    "#cf9080",
    "#a85548",
    "#ddd3bd",
    "#93a9b3",
    "#d3b478",
    "#bf7c62",
    "#a3a98c",
    "#dcbfa8",
    "#b98a58",
)
_SHUTTERS = ("#2f5a4a", "#3b5f82", "#6b3a2a", "#4a6b3c", "#274a5c", "#7a2e2b", "#8a9a8c")
_ROOFS = ("#a8512f", "#b5623a", "#8f4630", "#a0583c")
_STONE, _WHITE, _DARK = colour("#a79a86"), colour("#e9e2d2"), colour("#2a2624")


def house(
    mesh: Mesh, place: tuple[float, float, float], breadth: float, floors: int, *, rng: np.random.Generator
) -> None:
    """A plastered house whose lower left front corner is `place`."""
    x, base, z = place
    tone = colour(str(rng.choice(_WALLS))) * rng.uniform(0.92, 1.05)
    storey, columns = rng.uniform(2.6, 2.95), max(2, round(breadth / 1.7))
    top, back = base + floors * storey + 0.5, z + rng.uniform(6, 7.5)
    shutter = colour(str(rng.choice(_SHUTTERS)))
    mesh.add(((x, base, z), (x, top, z), (x, top, back), (x, base, back)), tone, kind=PLASTER)
    right = x + breadth
    mesh.add(((right, base, z), (right, top, z), (right, top, back), (right, base, back)), tone, kind=PLASTER)
    for floor in range(floors):
        for column in range(columns):
            cell = (x + breadth * column / columns, base + floor * storey, breadth / columns, storey)
            _bay(mesh, cell, z, tone, shutter, ground=floor == 0, rng=rng)
    mesh.add(((x, top - 0.5, z), (right, top - 0.5, z), (right, top, z), (x, top, z)), tone, kind=PLASTER)
    box(mesh, (x - 0.04, top - 0.62, z - 0.07), (right + 0.04, top - 0.50, z), tone * 1.1, kind=PLASTER)
    _roof(mesh, (x, right), top, (z, back), rng=rng)


def _bay(
    mesh: Mesh,
    cell: tuple[float, float, float, float],
    z: float,
    wall: Array,
    shutter: Array,
    *,
    ground: bool,
    rng: np.random.Generator,
) -> None:
    """One window or door with the wall around it."""
    x, y, breadth, _ = cell
    door = ground and rng.uniform() < 0.6
    wide = rng.uniform(0.85, 1.0) if not door else rng.uniform(1.0, 1.5)
    low, high = (y, y + 2.15) if door else (y + 0.75, y + 0.75 + rng.uniform(1.25, 1.5))
    left = x + (breadth - wide) / 2
    hole = (left, low, left + wide, high)
    _around(mesh, cell, hole, z, wall)
    _opening(mesh, hole, z, shutter if door else _WHITE, door=door, wall=wall, rng=rng)
    if door and rng.uniform() < 0.7:
        _awning(mesh, hole, z, rng=rng)
    if not door:
        box(mesh, (left - 0.1, low - 0.1, z - 0.14), (left + wide + 0.1, low, z), _STONE * 1.1, kind=STONE)
        _shutters(mesh, hole, z, shutter, rng=rng)
        _balcony(mesh, hole, z, rng=rng)


def _around(
    mesh: Mesh, cell: tuple[float, float, float, float], hole: Sequence[float], z: float, wall: Array
) -> None:
    x, y, breadth, storey = cell
    left, low, right, high = hole
    for a, b, c, d in (
        (x, y, left, y + storey),
        (right, y, x + breadth, y + storey),
        (left, y, right, low),
        (left, high, right, y + storey),
    ):
        mesh.add(((a, b, z), (c, b, z), (c, d, z), (a, d, z)), wall, kind=PLASTER)


def _opening(
    mesh: Mesh,
    hole: Sequence[float],
    z: float,
    frame: Array,
    *,
    door: bool,
    wall: Array,
    rng: np.random.Generator,
) -> None:
    """The reveal, the glass or door leaf at its back and the bars in front of it."""
    left, low, right, high = hole
    back = z + 0.22
    for a, b, c, d in (
        (left, low, left, high),
        (right, low, right, high),
        (left, high, right, high),
        (left, low, right, low),
    ):
        mesh.add(((a, b, z), (c, d, z), (c, d, back), (a, b, back)), wall * 0.95, kind=PLASTER)
    kind, tone = (PAINT, frame) if door else (GLASS, np.full(3, rng.uniform(0.2, 1.0), np.float32))
    mesh.add(
        ((left, low, back), (right, low, back), (right, high, back), (left, high, back)), tone, kind=kind
    )
    middle, bar = (left + right) / 2, 0.045
    bars = [
        (left, low, left + bar, high),
        (right - bar, low, right, high),
        (middle - bar / 2, low, middle + bar / 2, high),
    ]
    bars += [
        (left, low + (high - low) * part - bar / 2, right, low + (high - low) * part + bar / 2)
        for part in (0.03, 0.5, 0.97)
    ]
    for a, b, c, d in bars:
        mesh.add(
            ((a, b, back - 0.05), (c, b, back - 0.05), (c, d, back - 0.05), (a, d, back - 0.05)),
            frame * 0.95,
            kind=PAINT,
        )


def _shutters(mesh: Mesh, hole: Sequence[float], z: float, tone: Array, *, rng: np.random.Generator) -> None:
    left, low, right, high = hole
    half = (right - left) / 2
    for hinge, way in ((left, -1), (right, 1)):
        swing = rng.choice([0.05, 0.07, 0.3, 0.42])
        if rng.uniform() < 0.12:
            way, swing = -way, 0.02
        end = (hinge + way * half * np.sqrt(1 - swing * swing), z - 0.05 - swing * half)
        mesh.add(
            ((hinge, low, z - 0.03), (end[0], low, end[1]), (end[0], high, end[1]), (hinge, high, z - 0.03)),
            tone * rng.uniform(0.85, 1.15),
            kind=PAINT,
        )


def _balcony(mesh: Mesh, hole: Sequence[float], z: float, *, rng: np.random.Generator) -> None:
    """On some windows: a slab with a railing and flower pots, or washing on a line."""
    left, low, right, _ = hole
    luck = rng.uniform()
    if luck < 0.16:
        box(mesh, (left - 0.45, low - 0.28, z - 0.75), (right + 0.45, low - 0.14, z), _STONE, kind=STONE)
        for bar in np.arange(left - 0.42, right + 0.45, 0.14):
            box(mesh, (bar, low - 0.14, z - 0.73), (bar + 0.03, low + 0.65, z - 0.70), _DARK, kind=PAINT)
        box(
            mesh, (left - 0.45, low + 0.65, z - 0.75), (right + 0.45, low + 0.70, z - 0.68), _DARK, kind=PAINT
        )
    elif luck < 0.34:
        for pot in np.arange(left, right - 0.1, 0.26):
            tone = colour(str(rng.choice(["#b3243a", "#d9562f", "#c23a6b", "#4d7a34", "#3f6b2c"])))
            blob(mesh, (pot + 0.13, low + 0.16, z - 0.14), rng.uniform(0.12, 0.2), tone, rng=rng, rings=4)
    elif luck < 0.46:
        for cloth in np.arange(left - 0.35, right + 0.2, 0.42):
            drop = rng.uniform(0.4, 0.8)
            tone = colour(str(rng.choice(["#f2eee4", "#dfe7ee", "#b84a3c", "#5f86b3", "#e3c25a"])))
            mesh.add(
                (
                    (cloth, low - 0.15 - drop, z - 0.34),
                    (cloth + 0.36, low - 0.15 - drop * 0.95, z - 0.30),
                    (cloth + 0.36, low - 0.15, z - 0.32),
                    (cloth, low - 0.15, z - 0.32),
                ),
                tone,
                kind=CLOTH,
            )


def _awning(mesh: Mesh, hole: Sequence[float], z: float, *, rng: np.random.Generator) -> None:
    left, _, right, high = hole
    tone = colour(str(rng.choice(["#b8392f", "#2f6a6a", "#d8a032", "#3b5b8c"])))
    stripes = np.linspace(left - 0.35, right + 0.35, 10)
    for number, (a, b) in enumerate(pairwise(stripes)):
        strip = tone if number % 2 else _WHITE
        mesh.add(
            ((a, high - 0.2, z - 1.3), (b, high - 0.2, z - 1.3), (b, high + 0.3, z), (a, high + 0.3, z)),
            strip,
            kind=CLOTH,
        )
        mesh.add(
            (
                (a, high - 0.42, z - 1.3),
                (b, high - 0.42, z - 1.3),
                (b, high - 0.2, z - 1.3),
                (a, high - 0.2, z - 1.3),
            ),
            strip,
            kind=CLOTH,
        )


def _roof(
    mesh: Mesh,
    across: tuple[float, float],
    top: float,
    depth: tuple[float, float],
    *,
    rng: np.random.Generator,
) -> None:
    """A tiled roof: ridge along the front, or a gable facing it; with chimneys."""
    (left, right), (front, back) = across, depth
    tone = colour(str(rng.choice(_ROOFS))) * rng.uniform(0.9, 1.1)
    over, middle = 0.32, (front + back) / 2
    if rng.uniform() < 0.68:
        ridge = top + rng.uniform(1.3, 1.9)
        mesh.add(
            (
                (left - 0.15, top - 0.12, front - over),
                (right + 0.15, top - 0.12, front - over),
                (right + 0.15, ridge, middle),
                (left - 0.15, ridge, middle),
            ),
            tone,
            kind=ROOF,
        )
        for x in (left, right):
            mesh.add(((x, top, front), (x, ridge, middle), (x, top, back)), tone * 1.2, kind=PLASTER)
    else:
        centre, ridge = (left + right) / 2, top + (right - left) * rng.uniform(0.28, 0.4)
        mesh.add(
            ((left, top, front), (right, top, front), (centre, ridge, front)),
            _WHITE * np.array([0.93, 0.82, 0.66]),
            kind=PLASTER,
        )
        for edge in (left - over, right + over):
            mesh.add(
                (
                    (edge, top - 0.15, front - over),
                    (centre, ridge + 0.05, front - over),
                    (centre, ridge + 0.05, back),
                    (edge, top - 0.15, back),
                ),
                tone,
                kind=ROOF,
            )
    for _ in range(int(rng.integers(1, 3))):
        x, high = rng.uniform(left + 0.4, right - 0.8), top + rng.uniform(1.9, 2.6)
        box(mesh, (x, top, middle - 0.9), (x + 0.55, high, middle - 0.4), _STONE * 0.95, kind=PLASTER)
        box(
            mesh,
            (x - 0.08, high, middle - 0.98),
            (x + 0.63, high + 0.14, middle - 0.32),
            tone * 0.9,
            kind=ROOF,
        )


def tower(mesh: Mesh, place: tuple[float, float, float], *, height: float, half: float) -> None:
    """A bell tower with an open loft and a pyramid roof."""
    x, base, z = place
    wall = colour("#dcc59a")
    box(mesh, (x - half, base, z - half), (x + half, base + height, z + half), wall, kind=PLASTER)
    for level in (0.55, 0.74, 0.97):
        y, out = base + height * level, half + 0.15
        box(mesh, (x - out, y, z - out), (x + out, y + 0.3, z + out), wall * 1.12, kind=STONE)
    for dx in (-0.45, 0.45):
        loft = (x + dx * half - 0.36, base + height * 0.78, z - half - 0.01)
        box(mesh, loft, (loft[0] + 0.72, base + height * 0.92, z - half), _DARK * 1.4, kind=PAINT)
    box(
        mesh,
        (x - 0.3, base + height * 0.60, z - half - 0.02),
        (x + 0.3, base + height * 0.67, z - half),
        _DARK * 1.6,
        kind=PAINT,
    )
    top, out = base + height + 0.2, half + 0.25
    corners = [
        (x - out, top, z - out),
        (x + out, top, z - out),
        (x + out, top, z + out),
        (x - out, top, z + out),
    ]
    for a, b in zip(corners, [*corners[1:], corners[0]], strict=True):
        mesh.add((a, b, (x, top + half * 2.3, z)), colour("#8d4a36"), kind=ROOF)
