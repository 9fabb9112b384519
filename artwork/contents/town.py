"""A fishing town by its harbour in late sun, rasterised twice: as it is and as the water mirrors it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from artwork.contents import air_and_sea
from artwork.contents.blocks import LEAF, PAINT, STONE, box
from artwork.contents.boats import boat
from artwork.contents.foliage import blob, tree
from artwork.contents.houses import house, tower
from artwork.contents.raster import Camera, Mesh, rasterise
from artwork.contents.stucco import textured
from artwork.noise import Array, Indices
from artwork.tone import blur, colour, film, shrink, smoothstep

_SUN = (np.array([-0.74, 0.50, -0.45]) / np.linalg.norm([-0.74, 0.50, -0.45])).astype(np.float32)
_SUN_LIGHT = np.array([3.9, 3.05, 2.15], np.float32)
_SKY_LIGHT = np.array([0.42, 0.55, 0.78], np.float32)
_CAMERA = Camera(np.array([0, 3.6, 0], np.float32), pitch=0.098, yaw=0.015, zoom=1.06)
_MIRRORED = Camera(_CAMERA.eye, _CAMERA.pitch, _CAMERA.yaw, _CAMERA.zoom, flip=True)


@dataclass(frozen=True)
class Scene:
    """Triangles: corners (n, 3, 3), colours (n, 3), material numbers (n,), unit normals (n, 3)."""

    corners: Array
    colours: Array
    kinds: Indices
    normals: Array


@dataclass(frozen=True)
class SunMap:
    """What the sun sees: its camera and the depth per cell."""

    camera: Camera
    depth: Array


def draw(width: int) -> Array:
    """The picture, sRGB 0..1 (H, W, 3), 3:2."""
    wide, high = width * 2, round(width * 2 / 3) * 2
    scene = _scene()
    sun = _sun_map(scene, cells=int(np.clip(wide * 1.4, 150, 2200)))
    direct, reach = _view(scene, sun, _CAMERA, wide, high)
    mirror, _ = _view(scene, sun, _MIRRORED, wide, high)
    light = air_and_sea.sea(direct, reach, mirror, rays=_rays(_CAMERA, wide, high), eye=float(_CAMERA.eye[1]))
    return np.asarray(film(shrink(light, 2), exposure=0.60))


def sky(width: int) -> Array:
    """Where the sky is in the picture, 0..1 (H, W), soft at edges."""
    reach, rays = _outlines(width)
    return _mask(np.isinf(reach) & (rays[..., 1] > 0))


def water(width: int) -> Array:
    """Where the water is, in the same way."""
    reach, rays = _outlines(width)
    return _mask((rays[..., 1] < 0) & (_CAMERA.eye[1] < -rays[..., 1] * reach))


def _outlines(width: int) -> tuple[Array, Array]:
    """How far the nearest thing is for every ray, infinite where there is none, and the rays."""
    wide, high = width * 2, round(width * 2 / 3) * 2
    reach, _ = rasterise(_pixels(_CAMERA.project(_scene().corners), wide, high), wide, high)
    return reach, _rays(_CAMERA, wide, high)


def _mask(inside: NDArray[np.bool_]) -> Array:
    return shrink(inside[..., None].astype(np.float32), 2)[..., 0]


def _scene() -> Scene:
    mesh, rng = Mesh(), np.random.default_rng(8)
    _quay(mesh, rng)
    _rows(mesh, rng)
    _hill(mesh, rng)
    _fleet(mesh, rng)
    corners = np.concatenate(mesh.corners)
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals = normals / (np.linalg.norm(normals, axis=-1, keepdims=True) + 1e-12)
    return Scene(
        corners, np.concatenate(mesh.colours), np.concatenate(mesh.kinds), normals.astype(np.float32)
    )


def _quay(mesh: Mesh, rng: np.random.Generator) -> None:
    stone = colour("#9c907c")
    box(mesh, (-45, -0.3, 38), (11.5, 1.2, 60), stone, kind=STONE)
    box(mesh, (-45, 1.2, 37.9), (11.6, 1.36, 38.5), stone * 1.2, kind=STONE)
    box(mesh, (11.5, -0.3, 52), (40, 0.9, 54), stone * 0.9, kind=STONE)
    tower(mesh, (22.5, 0.9, 53), height=6.5, half=0.9)
    for x in np.arange(-20, 11, 2.9):
        box(mesh, (x, 1.36, 38.2), (x + 0.3, 1.85, 38.5), colour("#3a3733"), kind=PAINT)
    for x in (-13.4, -4.6, 4.2):
        box(mesh, (x, 1.3, 40.0), (x + 0.12, 5.2, 40.12), colour("#2d322f"), kind=PAINT)
        blob(mesh, (x + 0.06, 5.4, 40.06), 0.24, colour("#f3e2b0"), rng=rng, rings=4)
    for _ in range(26):
        x, z, size = rng.uniform(-19, 10), rng.uniform(39, 42), rng.uniform(0.35, 0.75)
        tone = colour(str(rng.choice(["#8a6a45", "#5f7f94", "#b5653a", "#6f7a5a", "#c9a45a"])))
        box(mesh, (x, 1.2, z), (x + size * 1.3, 1.2 + size, z + size), tone, kind=PAINT)


def _rows(mesh: Mesh, rng: np.random.Generator) -> None:
    """Terraces of houses climbing the hill, each row shorter towards the open sea."""
    for row, (start, end) in enumerate(((-25, 9), (-27, 8), (-28, 5), (-29, 0), (-30, -6))):
        x, z, base = start + rng.uniform(0, 3), 44 + 8.5 * row, 1.2 + 4.3 * row + 0.35 * row**1.5
        while x < end:
            breadth = rng.uniform(3.3, 5.6)
            sink = rng.uniform(-0.8, 0.4) if row else 0.0
            house(
                mesh,
                (x, base + sink, z + rng.uniform(-0.9, 0.9)),
                breadth,
                int(rng.integers(2, 5 if row < 2 else 4)),
                rng=rng,
            )
            x += breadth + (0.02 if rng.uniform() < 0.8 else rng.uniform(0.8, 2.2))
        for _ in range(7):
            spot = (rng.uniform(start, end + 3), base + 0.3, z + rng.uniform(-2.2, -1.2))
            if row:
                tree(mesh, spot, height=rng.uniform(2.0, 3.6), rng=rng)
    tower(mesh, (-7.5, 14, 73), height=17.0, half=1.9)


def _hill(mesh: Mesh, rng: np.random.Generator) -> None:
    """The wooded hill behind the town, with trees along its skyline."""
    x, z = np.meshgrid(np.linspace(-90, 60, 60), np.linspace(44, 150, 36))
    ground = _ground(x, z)
    for i in range(x.shape[0] - 1):
        for j in range(x.shape[1] - 1):
            cell = [(i, j), (i, j + 1), (i + 1, j + 1), (i + 1, j)]
            if max(ground[c] for c in cell) > 0:
                tone = colour("#5d6a35") * (1 + 0.35 * np.sin(i * 3.1 + j * 1.7))
                mesh.add([(x[c], ground[c], z[c]) for c in cell], tone, kind=LEAF)
    for _ in range(130):
        px, pz = rng.uniform(-60, 16), rng.uniform(56, 125)
        base = float(_ground(np.array(px), np.array(pz)))
        if base > 2:
            tree(mesh, (px, base - 0.4, pz), height=rng.uniform(2.5, 5), rng=rng)


def _ground(x: Array, z: Array) -> Array:
    slope = 0.54 * np.clip(z - 44, 0, 60)
    fall = smoothstep(22, -22, x + 0.10 * (z - 44))
    return slope * fall + 1.4 * np.sin(x * 0.21 + z * 0.1) * fall - 1.2


def _fleet(mesh: Mesh, rng: np.random.Generator) -> None:
    moored = (
        (-17, 36.2, 5.2, "mast"),
        (-12.3, 35.6, 6.2, "cabin"),
        (-7.4, 36.4, 4.4, "row"),
        (-3.2, 35.8, 5.8, "mast"),
        (1.4, 36.5, 4.2, "row"),
        (5.3, 35.6, 6.6, "cabin"),
        (9.6, 36.0, 5.0, "mast"),
    )
    for x, z, length, kind in moored:
        boat(
            mesh,
            (x, z),
            length=length,
            heading=rng.normal(0, 0.28) + (np.pi if rng.uniform() < 0.5 else 0),
            kind=kind,
            rng=rng,
        )
    for x, z, length, heading, kind in (
        (-6.2, 20.5, 4.8, 0.35, "row"),
        (4.6, 24.5, 6.4, 2.75, "mast"),
        (-11.8, 27.5, 5.0, -0.25, "mast"),
        (13.8, 31, 6.5, 0.2, "cabin"),
        (1.2, 15.2, 3.9, -0.5, "row"),
        (17.5, 41, 6.0, 2.9, "mast"),
        (9.5, 27.8, 4.0, 0.6, "row"),
    ):
        boat(mesh, (x, z), length=length, heading=heading, kind=kind, rng=rng)
    for _ in range(9):
        blob(
            mesh,
            (rng.uniform(-12, 12), 0.08, rng.uniform(14, 34)),
            0.2,
            colour(str(rng.choice(["#d8482f", "#e9dfc8", "#e0a030"]))),
            rng=rng,
            rings=5,
        )


def _sun_map(scene: Scene, *, cells: int) -> SunMap:
    """Depth seen from the sun, by a camera so far away that its rays are parallel."""
    centre, far, extent = np.array([-8, 10, 60], np.float32), 3000.0, 95.0
    camera = Camera(
        centre + _SUN * far,
        pitch=float(np.arcsin(-_SUN[1])),
        yaw=float(np.arctan2(-_SUN[0], -_SUN[2])),
        zoom=far / extent,
    )
    return SunMap(camera, rasterise(_pixels(camera.project(scene.corners), cells, cells), cells, cells)[0])


def _pixels(projected: Array, wide: int, high: int) -> Array:
    return projected * np.array([wide, wide, 1], np.float32) + np.array([wide / 2, high / 2, 0], np.float32)


def _view(scene: Scene, sun: SunMap, camera: Camera, wide: int, high: int) -> tuple[Array, Array]:
    """Linear light (H, W, 3) of everything but water, and the depth along the view axis."""
    reach, owner = rasterise(_pixels(camera.project(scene.corners), wide, high), wide, high)
    rays = _rays(camera, wide, high)
    light = air_and_sea.sky(rays)
    hit = owner >= 0
    points = _world(camera, rays[hit] * reach[hit][:, None])
    opened = _openness(camera, rays, reach)[hit]
    light[hit] = _lit(scene, sun, owner[hit], points, rays[hit], opened, camera)
    return light, reach


def _rays(camera: Camera, wide: int, high: int) -> Array:
    """World directions (H, W, 3) of length 1 along the view axis, before mirroring."""
    y, x = np.mgrid[0:high, 0:wide].astype(np.float32)
    local = np.stack(
        [
            (x + 0.5 - wide / 2) / wide / camera.zoom,
            (high / 2 - y - 0.5) / wide / camera.zoom,
            np.ones_like(x),
        ],
        -1,
    )
    return local @ camera.axes()


def _world(camera: Camera, offset: Array) -> Array:
    points = camera.eye + offset
    return points * np.array([1, -1 if camera.flip else 1, 1], np.float32)


def _lit(
    scene: Scene, sun: SunMap, owner: Indices, points: Array, rays: Array, opened: Array, camera: Camera
) -> Array:
    towards = rays * np.array([1, -1 if camera.flip else 1, 1], np.float32)
    normal = scene.normals[owner]
    normal = np.where((normal * towards).sum(-1, keepdims=True) > 0, -normal, normal)
    surface, gloss, bump = textured(scene.kinds[owner], scene.colours[owner], points, normal)
    cosine = np.clip(normal @ _SUN + bump, 0, 1) * _sunlit(sun, points + normal * 0.06)
    ambient = _SKY_LIGHT * (0.62 + 0.38 * normal[:, 1:2]) + np.array([0.34, 0.26, 0.17], np.float32) * (
        0.5 - 0.3 * normal[:, 1:2]
    )
    light = surface * (cosine[:, None] * _SUN_LIGHT + ambient * opened[:, None])
    bent = towards - 2 * (towards * normal).sum(-1, keepdims=True) * normal
    light = light + gloss[:, None] * air_and_sea.sky(bent / np.abs(bent[:, 2:]).clip(0.2)) * 0.8
    haze = 1 - np.exp(-np.clip(points[:, 2:] - 40, 0, None) * 0.0042)
    return np.asarray(light * (1 - haze) + np.array([0.66, 0.70, 0.78], np.float32) * haze)


def _sunlit(sun: SunMap, points: Array) -> Array:
    cells = sun.depth.shape[0]
    seen = _pixels(sun.camera.project(points), cells, cells)
    total = np.zeros(len(points), np.float32)
    taps = [(dx, dy) for dx in (-1.1, 0, 1.1) for dy in (-1.1, 0, 1.1)]
    for dx, dy in taps:
        column = np.clip(seen[:, 0] + dx, 0, cells - 1).astype(int)
        row = np.clip(seen[:, 1] + dy, 0, cells - 1).astype(int)
        total += seen[:, 2] < sun.depth[row, column] + 0.12
    return total / len(taps)


def _openness(camera: Camera, rays: Array, reach: Array) -> Array:
    """How open the surroundings of each pixel are, 0..1, from depth: less where neighbours lie in front."""
    depth = np.where(np.isfinite(reach), reach, 300).astype(np.float32)
    total = np.zeros_like(depth)
    scale = depth.shape[1] / 1536
    for radius, tolerance in ((3, 0.6), (9, 1.5), (26, 4.0)):
        around = blur(np.log(depth), radius * scale)
        total += np.clip((np.log(depth) - around) * 45 / tolerance, 0, 1)
    return np.asarray(np.clip(1 - 0.28 * total, 0.25, 1))
