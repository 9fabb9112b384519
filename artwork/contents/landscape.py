"""A mountain lake at low sun: a fractal terrain seen in perspective through haze, mirrored in rippled water.

Each picture column is a fan of depths. The terrain seen at a pixel is the first sample whose projected height
reaches it; a running maximum along depth and a binary search find it, so no triangle is ever drawn.
"""

from dataclasses import dataclass

import numpy as np

from artwork.contents import conifers
from artwork.noise import Array, Indices, fractal, ridged
from artwork.tone import colour, film, mix, ramp, shrink, smoothstep, stretch

_SCALE = 2  # drawn so much larger, against stairs
_EYE = 0.55  # height of the camera above the water
_HORIZON = 0.59  # from the top, as a fraction of the picture's height
_SUN = (-0.27, 0.135)  # tangents of its direction: right, up
_LIGHT = np.array([-0.80, 0.34, 0.22]) / np.linalg.norm([-0.80, 0.34, 0.22])


@dataclass(frozen=True)
class Fan:
    """Terrain sampled on depths x columns: positions, height and ready colour (linear, 3 channels)."""

    depth: Array
    tangent: Array
    height: Array
    shade: Array


def draw(width: int) -> Array:
    """The scene, sRGB 0..1 (H, W, 3), 2:3."""
    fan, slope = _looked_at(width)
    light = _view(fan, slope, eye=_EYE)
    light = _water(light, fan, slope)
    picture = film(_glare(light, slope, fan.tangent), exposure=0.66)
    return stretch(conifers.plant(shrink(picture, _SCALE)))


def sky(width: int) -> Array:
    """How much of each pixel of the scene is sky, 0..1 (H, W)."""
    fan, slope = _looked_at(width)
    rising = np.maximum.accumulate((fan.height - _EYE) / fan.depth[:, None], axis=0)
    free = (_first_hits(rising, slope) == fan.depth.size) & (slope > 0)[:, None]
    seen = shrink(free[..., None].astype(np.float32), _SCALE)[..., 0]
    return np.asarray(seen * (1 - conifers.cover(*seen.shape)))


def _looked_at(width: int) -> tuple[Fan, Array]:
    """The terrain and the slopes of the rays, row by row, for a picture of that width."""
    wide, high = width * _SCALE, round(width * 2 / 3) * _SCALE
    tangent = (np.arange(wide, dtype=np.float32) + 0.5) / wide - 0.5
    slope = (_HORIZON * high - np.arange(high, dtype=np.float32) - 0.5) / wide
    return _fan(tangent, steps=int(np.clip(wide * 0.62, 240, 1000))), slope


def _fan(tangent: Array, *, steps: int) -> Fan:
    depth = np.geomspace(1.15, 90, steps).astype(np.float32)
    z, x = depth[:, None] * np.ones_like(tangent), depth[:, None] * tangent
    ground = _ground(x, z)
    forest = _forest(ground, x, z)
    height = ground + forest * _crowns(x, z)
    return Fan(depth, tangent, height, _shade(height, ground, forest, x, z))


def _ground(x: Array, z: Array) -> Array:
    """Land height over the plane; the lake is where it is below zero."""
    bend = 1.1 * np.sin(z * 0.22 + 0.6) + 0.9 * fractal(x * 0.25, z * 0.25, octaves=3, seed=3)
    side = np.abs(x - bend * 0.8) - (1.5 + 0.25 * z)
    end = (z - 15 - 1.5 * np.sin(x * 0.5)) * 0.8
    shore = np.maximum(side, end) + 0.5 * fractal(x * 0.9, z * 0.9, octaves=4, seed=8)
    rise = np.clip(shore, 0, None)
    warp = fractal(x * 0.09, z * 0.09, octaves=3, seed=21)
    crests = ridged(x * 0.075 + 0.5 * warp, z * 0.075 - 0.5 * warp, octaves=9, seed=30, gain=0.37)
    crests = (
        0.78 * np.minimum(crests, 0.55 + 0.45 * crests)
        + 0.16
        + 0.30 * fractal(x * 0.16, z * 0.16, octaves=6, seed=45)
    )
    peaks = crests**1.3 * (0.7 + 0.085 * np.clip(z - 8, 0, 50)) * smoothstep(0, 9, rise) * 2.6
    hills = (0.13 * rise + 0.35 * rise * np.abs(fractal(x * 0.3, z * 0.3, octaves=5, seed=50))) / (
        1 + rise * 0.16
    )
    knolls = (
        1.5
        * smoothstep(0.5, 6, rise)
        * smoothstep(-0.15, 0.6, fractal(x * 0.17, z * 0.11, octaves=5, seed=55))
    )
    valley = 1 - 0.75 * np.exp(-(((x + 0.27 * z) / (2 + 0.11 * z)) ** 2))
    return np.asarray(
        np.where(shore < 0, np.maximum(shore * 0.3, -0.3), (peaks + knolls) * valley + hills + 0.008)
    )


def _forest(ground: Array, x: Array, z: Array) -> Array:
    """How densely trees stand, 0..1: low, not at the water's edge, in patches."""
    patches = fractal(x * 0.45, z * 0.45, octaves=4, seed=61)
    line = 1.45 + 0.9 * patches + 0.03 * z
    return (
        smoothstep(0.02, 0.06, ground)
        * smoothstep(line, line * 0.72, ground)
        * smoothstep(-0.55, -0.3, patches)
    )


def _crowns(x: Array, z: Array) -> Array:
    """Pointed tree crowns as a height to add, from two jittered lattices of cones."""
    spacing = 0.11
    best = np.zeros_like(x)
    for layer in range(2):
        u, v = x / spacing + 0.5 * layer, z / (spacing * 1.6) + 0.37 * layer
        i, j = np.floor(u), np.floor(v)
        toss = np.abs(np.sin(i * 127.1 + j * 311.7 + layer * 74.7) * 43758.547)
        toss = toss - np.floor(toss)
        du, dv = u - i - 0.3 - 0.4 * toss, v - j - 0.5
        cone = np.clip(1 - np.sqrt(du * du + 0.5 * dv * dv) * 2.3, 0, 1) * (0.45 + 0.55 * toss)
        best = np.maximum(best, cone)
    return best.astype(np.float32) * 0.22


def _shade(height: Array, ground: Array, forest: Array, x: Array, z: Array) -> Array:
    normal, steep = _normals(height, x, z)
    facing = np.clip(normal @ _LIGHT.astype(np.float32), 0, 1)
    lit = facing * _sunlit(height, x, z)
    albedo = _albedo(height, ground, forest, steep, x, z)
    sky_light = (0.55 + 0.45 * normal[..., 1:2]) * np.array([0.30, 0.38, 0.56], np.float32)
    land = albedo * (lit[..., None] * np.array([3.6, 2.35, 1.25], np.float32) + sky_light)
    return _haze(land, x, z, height)


def _normals(height: Array, x: Array, z: Array) -> tuple[Array, Array]:
    """Unit normals (*shape, 3) and steepness 0..1, by differences along the fan turned into world axes."""
    depth, tangent = z[:, 0], x[0] / z[0]
    along, across = np.gradient(height, depth, tangent)
    slope_x = across / z
    slope_z = along - tangent * slope_x
    length = np.sqrt(slope_x**2 + slope_z**2 + 1)
    return np.stack([-slope_x, np.ones_like(x), -slope_z], -1) / length[..., None], 1 - 1 / length


def _sunlit(height: Array, x: Array, z: Array) -> Array:
    """1 in the sun, 0 in the shadow of ridges to the left: march towards it over a coarse height table."""
    cells = min(700, round(z.shape[0] * 0.74))
    grid_x = np.linspace(-50, 46, cells, dtype=np.float32)
    grid_z = np.linspace(0, 92, cells * 2 // 3, dtype=np.float32)
    table = _ground(*(np.broadcast_arrays(grid_x[None, :], grid_z[:, None])))
    step = float(grid_x[1] - grid_x[0])
    run = step / abs(_LIGHT[0])
    shadow = table.copy()
    for column in range(1, grid_x.size):
        from_z = grid_z + _LIGHT[2] * run
        shadow[:, column] = np.maximum(
            table[:, column], np.interp(from_z, grid_z, shadow[:, column - 1]) - _LIGHT[1] * run
        )
    i = np.clip((z - grid_z[0]) / (grid_z[1] - grid_z[0]), 0, grid_z.size - 1.01)
    j = np.clip((x - grid_x[0]) / step, 0, grid_x.size - 1.01)
    return smoothstep(0.5, 0.0, _bilinear(shadow, i, j) - height)


def _bilinear(table: Array, i: Array, j: Array) -> Array:
    row, column = i.astype(np.int32), j.astype(np.int32)
    down, right = i - row, j - column
    top = table[row, column] * (1 - right) + table[row, column + 1] * right
    bottom = table[row + 1, column] * (1 - right) + table[row + 1, column + 1] * right
    return np.asarray(top * (1 - down) + bottom * down)


def _albedo(height: Array, ground: Array, forest: Array, steep: Array, x: Array, z: Array) -> Array:
    mottle = fractal(x * 3.1, z * 3.1, octaves=4, seed=77)
    strata = fractal(x * 0.4, height * 9 + mottle, octaves=3, seed=90)
    rock = ramp(0.5 + 0.8 * strata + 0.3 * mottle, [(0, "#3d3838"), (0.5, "#6b6260"), (1, "#98897c")])
    meadow = ramp(0.5 + mottle, [(0, "#4c4a20"), (0.5, "#77682c"), (1, "#a5893f")])
    wood = ramp(
        0.5 + mottle + 0.6 * (height - ground) / 0.2, [(0, "#10190f"), (0.7, "#25381d"), (1.2, "#56602a")]
    )
    land = mix(meadow, rock, smoothstep(0.10, 0.28, steep + 0.12 * mottle))
    land = mix(land, wood, smoothstep(0.25, 0.6, forest))
    snow_line = 2.0 + 0.55 * mottle + 0.05 * z
    snow = smoothstep(snow_line, snow_line + 0.7, height) * smoothstep(0.62, 0.42, steep + 0.1 * strata)
    beach = mix(colour("#8b7b62"), colour("#4f463a"), 0.5 + 0.5 * mottle)
    land = mix(land, beach, smoothstep(0.035, 0.012, ground))
    return mix(land, colour("#dfe4ee"), snow) ** 2.2


def _haze(light: Array, x: Array, z: Array, height: Array) -> Array:
    """Air between the eye and the land: thicker low down and far away, warm towards the sun."""
    low = np.exp(-np.clip(height, 0, None) * 0.55)
    optical = (np.clip(z - 4, 0, None) * 0.018 * (0.55 + 1.1 * low))[..., None] * np.array(
        [0.85, 1.0, 1.2], np.float32
    )
    kept = np.exp(-optical)
    glow = np.exp(-(((x / z - _SUN[0]) / 0.24) ** 2))
    air = mix(np.array([0.34, 0.42, 0.60], np.float32), np.array([1.45, 0.86, 0.46], np.float32), glow)
    return np.asarray(light * kept + air * (1 - kept))


def _view(fan: Fan, slope: Array, *, eye: float) -> Array:
    """Linear light of land and sky for rays of the given slopes (rows) through every column."""
    projected = (fan.height - eye) / fan.depth[:, None]
    if eye < 0:  # only land beyond the lake is mirrored: what lies on this side is behind the mirror
        beyond = ~np.maximum.accumulate((fan.height <= 0)[::-1], axis=0)[::-1]
        projected = np.where(beyond, projected, -9)
    first = _first_hits(np.maximum.accumulate(projected, axis=0), slope)
    sky = _sky(np.broadcast_to(fan.tangent, first.shape), np.broadcast_to(slope[:, None], first.shape))
    hit = first < fan.depth.size
    index = np.minimum(first, fan.depth.size - 1)
    land = fan.shade[index, np.arange(fan.tangent.size)[None, :]]
    return np.where(hit[..., None], land, sky)


def _first_hits(rising: Array, slope: Array) -> Indices:
    """For every (row, column): how many samples along the depth stay below the ray."""
    return np.stack([np.searchsorted(rising[:, i], slope) for i in range(rising.shape[1])], -1)


def _sky(tangent: Array, slope: Array) -> Array:
    up = np.clip(slope, 0, 1)
    blue = (
        ramp(up, [(0, "#f2cf9c"), (0.07, "#e3c4a8"), (0.16, "#a9b6c8"), (0.30, "#6b8fbd"), (0.5, "#3d659f")])
        ** 2.2
    )
    distance = np.sqrt((tangent - _SUN[0]) ** 2 + ((slope - _SUN[1]) * 1.15) ** 2)
    glow = np.exp(-distance / 0.11)[..., None] * np.array([1.5, 0.78, 0.28], np.float32)
    disc = smoothstep(0.030, 0.010, distance)[..., None] * np.array([9.0, 6.6, 3.6], np.float32)
    sky = blue * 1.05 + glow * 0.9 + disc
    x, z = tangent / (up + 0.045), 1 / (up + 0.045)
    warp = fractal(x * 0.35, z * 0.28, octaves=3, seed=110)
    puffs = fractal(x * 0.55 + warp, z * 0.30 + 0.6 * warp, octaves=7, seed=120, gain=0.55)
    shift = fractal((x - 0.16) * 0.55 + warp, (z + 0.1) * 0.30 + 0.6 * warp, octaves=5, seed=120, gain=0.55)
    cover = smoothstep(0.02, 0.40, puffs + 0.12) * smoothstep(0.0, 0.06, up)
    edge = np.clip(0.5 + (puffs - shift) * 1.5 - 0.5 * cover, 0, 1)
    near_sun = np.exp(-distance / 0.25)
    shaded = mix(np.array([0.30, 0.31, 0.42], np.float32), np.array([0.75, 0.45, 0.32], np.float32), near_sun)
    bright = mix(np.array([0.95, 0.86, 0.80], np.float32), np.array([2.6, 1.55, 0.75], np.float32), near_sun)
    return mix(sky, mix(shaded, bright, edge), cover * 0.85)


def _water(light: Array, fan: Fan, slope: Array) -> Array:
    """The picture with the lake put in: where the flat water is nearer than any land, a rippled mirror."""
    rows = np.flatnonzero(slope < -1e-3)
    down = -slope[rows]
    reach = _EYE / down
    above = _bank(fan, slope[rows])
    x, z = reach[:, None] * fan.tangent, np.broadcast_to(reach[:, None], above.shape)
    ripple = 0.6 * fractal(x * 5, z * 2.1, octaves=4, seed=140) + 0.4 * fractal(
        x * 21, z * 8, octaves=2, seed=150
    )
    calm = smoothstep(-0.25, 0.5, fractal(x * 0.35, z * 0.55, octaves=3, seed=160))
    tilt = ripple * (0.006 + 0.03 * calm) / (1 + 0.05 * z)
    mirror = _view(fan, np.linspace(0, float(down[-1]) * 1.25 + 0.02, down.size), eye=-_EYE)
    row = np.clip(
        (down[:, None] + tilt) / (float(down[-1]) * 1.25 + 0.02) * (down.size - 1), 0, down.size - 1.01
    )
    column = np.clip(np.arange(x.shape[1]) + tilt * 0.35 * x.shape[1], 0, x.shape[1] - 1.01)
    seen = np.stack([_bilinear(mirror[..., i], row, column) for i in range(3)], -1)
    angle = down[:, None] + np.abs(tilt) * 2
    strength = 0.30 + 0.66 * np.exp(-angle * 4.5)
    deep = np.array([0.012, 0.035, 0.045], np.float32)
    lake = mix(deep, seen, strength) + 0.02 * calm[..., None]
    out = light.copy()
    out[rows] = np.where(above[..., None], lake, light[rows])
    return out


def _bank(fan: Fan, slope: Array) -> Array:
    """True where the ray of that row meets the water before land."""
    land = np.where(fan.height > 0, (fan.height - _EYE) / fan.depth[:, None], -9)
    rising = np.maximum.accumulate(land, axis=0)
    reach = np.searchsorted(fan.depth, _EYE / -slope)
    before = rising[np.clip(reach - 1, 0, fan.depth.size - 1)]
    return np.asarray((before < slope[:, None]) | (reach == 0)[:, None])


def _glare(light: Array, slope: Array, tangent: Array) -> Array:
    distance = np.sqrt((tangent[None, :] - _SUN[0]) ** 2 + (slope[:, None] - _SUN[1]) ** 2)
    halo = 0.40 * np.exp(-distance / 0.07) + 0.07 * np.exp(-distance / 0.30)
    return light + halo[..., None] * np.array([1.0, 0.62, 0.30], np.float32)
