"""A mosaic in warm stone and glass: squarish tesserae that follow the outlines, set in grout, in low light.

The tiles are an oriented Voronoi partition after Hausner, "Simulating Decorative Mosaics" (SIGGRAPH 2001):
distances are measured in each tile's own turned frame, and every tile moves to the middle of its region a few
times.
"""

from dataclasses import dataclass

import numpy as np

from artwork.noise import Array, Indices, Names, fractal
from artwork.tone import blur, colour, grid, mix, ramp, relief, shrink, smoothstep

_TILE = 0.0165  # side of a tessera as a fraction of the width
_SUN = (0.40, 0.41)
_STONES = {
    "cream": ((0.0, "#c9b083"), (0.5, "#e6d3a6"), (1.0, "#f6ebcd")),
    "gold": ((0.0, "#a86f14"), (0.5, "#dca32c"), (1.0, "#f7d774")),
    "ochre": ((0.0, "#8a4f14"), (0.5, "#bd7a24"), (1.0, "#dda04a")),
    "terracotta": ((0.0, "#74260f"), (0.5, "#b4481f"), (1.0, "#d9763f")),
    "crimson": ((0.0, "#4d0b14"), (0.5, "#8c1b22"), (1.0, "#b9393a")),
    "umber": ((0.0, "#1d120e"), (0.5, "#3b2419"), (1.0, "#5d3c28")),
    "teal": ((0.0, "#123c40"), (0.5, "#2a6a68"), (1.0, "#5c9c8f")),
}


@dataclass(frozen=True)
class Tiles:
    """For every pixel: its tile's number, and the distances to the nearest and second nearest tile (px)."""

    owner: Indices
    nearest: Array
    second: Array


def draw(width: int) -> Array:
    """The mosaic, sRGB 0..1 (H, W, 3), 5:4."""
    wide, high = width * 2, round(width * 0.8) * 2
    rng = np.random.default_rng(37)
    seeds = _relaxed(_scatter(rng, wide, high), wide, high, rounds=4)
    tiles = _partition(seeds, wide, high)
    return shrink(_light(tiles, seeds, _stones(seeds / wide, rng), wide, rng), 2)


def _scatter(rng: np.random.Generator, wide: int, high: int) -> Array:
    """Points (n, 2) in pixels about one tile apart, in rows along the outlines."""
    pitch = _TILE * wide
    step = pitch * 0.93
    x, y = np.meshgrid(np.arange(-pitch, wide + pitch, step), np.arange(-pitch, high + pitch, step))
    points = np.stack([x.ravel(), y.ravel()], -1)
    return (points + rng.uniform(-0.45, 0.45, points.shape) * pitch).astype(np.float32)


def _relaxed(seeds: Array, wide: int, high: int, *, rounds: int) -> Array:
    for _ in range(rounds):
        owner = _partition(seeds, wide, high).owner.ravel()
        y, x = np.mgrid[0:high, 0:wide]
        count = np.bincount(owner, minlength=len(seeds))
        middle = np.stack([np.bincount(owner, axis.ravel(), minlength=len(seeds)) for axis in (x, y)], -1)
        seeds = np.where(count[:, None] > 0, middle / np.maximum(count, 1)[:, None], seeds)
    return seeds.astype(np.float32)


def _partition(seeds: Array, wide: int, high: int) -> Tiles:
    """Every pixel to the tile whose turned square reaches it first."""
    far = np.float32(1e6)
    tiles = Tiles(np.zeros((high, wide), np.int32), np.full((high, wide), far), np.full((high, wide), far))
    angles = _direction(seeds[:, 0] / wide, seeds[:, 1] / wide)
    reach = int(_TILE * wide * 1.6) + 1
    for number, ((x, y), angle) in enumerate(zip(seeds, angles, strict=True)):
        left, top = max(int(x) - reach, 0), max(int(y) - reach, 0)
        area = np.s_[top : max(int(y) + reach, 0), left : max(int(x) + reach, 0)]
        nearest, second = tiles.nearest[area], tiles.second[area]
        if nearest.size == 0:
            continue
        across = np.arange(left, left + nearest.shape[1], dtype=np.float32)[None, :] + 0.5 - x
        down = np.arange(top, top + nearest.shape[0], dtype=np.float32)[:, None] + 0.5 - y
        u, v = np.cos(angle) * across + np.sin(angle) * down, np.cos(angle) * down - np.sin(angle) * across
        distance = np.sqrt(np.sqrt(u**4 + v**4))
        closer = distance < nearest
        second[...] = np.where(closer, nearest, np.minimum(second, distance))
        tiles.owner[area][closer] = number
        nearest[closer] = distance[closer]
    return tiles


def _direction(x: Array, y: Array) -> Array:
    step = 2e-3
    right = _outline(x + step, y) - _outline(x - step, y)
    down = _outline(x, y + step) - _outline(x, y - step)
    return np.arctan2(down, right)


def _outline(x: Array, y: Array) -> Array:
    """Distance to the nearest of the drawn outlines: rings of the sun, wavy bands, rosettes."""
    radius = np.hypot(x - _SUN[0], y - _SUN[1])
    value = np.minimum(np.abs(radius - 0.135), np.abs(radius - 0.30))
    value = np.where(radius < 0.135, np.minimum(value, np.abs(radius - 0.06)), value)
    value = np.where((radius > 0.14) & (radius < 0.29), 0.5 * value + 0.03 * np.cos(_ray_angle(x, y)), value)
    value = np.where(radius > 0.30, np.minimum(value, np.abs(_wave(x, y))), value)
    for cx, cy, size in _rosettes():
        value = np.minimum(value, np.abs(np.hypot(x - cx, y - cy) - size))
    return np.asarray(value)


def _rosettes() -> tuple[tuple[float, float, float], ...]:
    return (
        (0.88, 0.13, 0.085),
        (0.90, 0.44, 0.055),
        (0.76, 0.64, 0.04),
        (0.04, 0.05, 0.07),
        (0.12, 0.72, 0.05),
    )


def _ray_angle(x: Array, y: Array) -> Array:
    """Phase of the sun's sixteen curling rays."""
    radius = np.hypot(x - _SUN[0], y - _SUN[1])
    return np.asarray(16 * np.arctan2(y - _SUN[1], x - _SUN[0]) + 22 * radius)


def _wave(x: Array, y: Array) -> Array:
    """Signed distance, about, to wavy bands that cross the ground diagonally."""
    tilt = y - 0.35 * x + 0.05 * np.sin(x * 13 + 1) + 0.025 * np.sin(y * 17 - 2)
    return 0.15 * (np.abs((tilt / 0.15) % 1 - 0.5) - 0.25)


def _stones(points: Array, rng: np.random.Generator) -> Array:
    """The colour of each tile (n, 3): stone by place in the design, shade by the cut."""
    x, y = points[:, 0], points[:, 1]
    shade = np.clip(
        0.5 + rng.normal(0, 0.22, len(x)) + 0.25 * fractal(x * 7, y * 7, octaves=2, seed=12), 0, 1
    )
    names = _names(x, y)
    rgb = np.zeros((len(x), 3), np.float32)
    for name, stops in _STONES.items():
        rgb = np.where((names == name)[:, None], ramp(shade, stops), rgb)
    return np.clip(rgb + rng.normal(0, 0.02, rgb.shape), 0, 1)


def _names(x: Array, y: Array) -> Names:
    """Which stone lies at each point."""
    tilt = y - 0.35 * x + 0.05 * np.sin(x * 13 + 1) + 0.025 * np.sin(y * 17 - 2)
    band = np.floor(tilt / 0.075 + 100).astype(int) % 4
    part = (tilt / 0.075) % 1
    names = np.choose(band, ["terracotta", "cream", "ochre", "teal"]).astype("<U12")
    names = np.where(part < 0.22, "umber", names)
    names = np.where((part > 0.55) & (part < 0.8) & (band == 0), "crimson", names)
    names = np.where((part > 0.5) & (part < 0.75) & (band == 1), "gold", names)
    return _rosette_names(x, y, _sun_names(x, y, names))


def _sun_names(x: Array, y: Array, names: Names) -> Names:
    radius = np.hypot(x - _SUN[0], y - _SUN[1])
    ray = np.cos(_ray_angle(x, y))
    rays = np.where(ray > 0.35, "gold", np.where(ray > -0.2, "terracotta", "crimson"))
    rays = np.where((ray > 0.35) & (radius < 0.2), "cream", rays)
    names = np.where(radius < 0.335, "umber", names)
    names = np.where(radius < 0.318, "cream", names)
    names = np.where(radius < 0.300, "umber", names)
    names = np.where(radius < 0.283, rays, names)
    names = np.where(radius < 0.150, "umber", names)
    names = np.where(radius < 0.133, "gold", names)
    names = np.where(radius < 0.098, "ochre", names)
    names = np.where(radius < 0.065, "terracotta", names)
    return np.where(radius < 0.033, "cream", names)


def _rosette_names(x: Array, y: Array, names: Names) -> Names:
    for cx, cy, size in _rosettes():
        radius = np.hypot(x - cx, y - cy) / size
        petal = np.cos(8 * np.arctan2(y - cy, x - cx)) > 0
        names = np.where(radius < 1.22, "umber", names)
        names = np.where(radius < 1.0, np.where(petal, "cream", "teal"), names)
        names = np.where(radius < 0.5, "crimson", names)
        names = np.where(radius < 0.25, "gold", names)
    return names


def _light(tiles: Tiles, seeds: Array, stones: Array, wide: int, rng: np.random.Generator) -> Array:
    """Tiles set a little askew in rough grout, under light from the upper left."""
    pitch = _TILE * wide
    x, y = grid(wide, tiles.owner.shape[0])
    gap = (tiles.second - tiles.nearest) / pitch + 0.05 * fractal(x * 90, y * 90, octaves=2, seed=91)
    tile = smoothstep(0.10, 0.17, gap)
    tilt = rng.normal(0, 0.07, (len(seeds), 2)).astype(np.float32)[tiles.owner]
    offset_x, offset_y = x * wide - seeds[tiles.owner, 0], y * wide - seeds[tiles.owner, 1]
    face = 0.20 * pitch * smoothstep(0.08, 0.42, gap) + tilt[..., 0] * offset_x + tilt[..., 1] * offset_y
    pits = fractal(x * 130, y * 130, octaves=3, seed=92)
    height = tile * (face + 0.10 * pitch) + 0.05 * pitch * pits
    diffuse, gloss = relief(blur(height, 1), strength=0.9, azimuth=130)
    veins = 1 + 0.16 * fractal(x * 60, y * 60, octaves=3, seed=93) + 0.10 * pits
    grout = (
        mix(colour("#6f6152"), colour("#b3a48c"), 0.5 + 0.6 * pits)
        * (0.55 + 0.45 * smoothstep(0, 0.1, gap))[..., None]
    )
    rgb = mix(grout, stones[tiles.owner] * veins[..., None], tile)
    shiny = rng.uniform(0.05, 0.5, len(seeds)).astype(np.float32)[tiles.owner] * tile
    pool = 1.06 - 0.35 * ((x - 0.42) ** 2 + (y - 0.36) ** 2)
    return np.clip(rgb * ((0.32 + 0.68 * diffuse) * pool)[..., None] + (gloss * shiny * 0.6)[..., None], 0, 1)
