"""The sky over the town and the water before it."""

import numpy as np

from artwork.noise import Array, fractal
from artwork.tone import mix, ramp, smoothstep


def sky(rays: Array) -> Array:
    """Linear light of the sky in directions with z about 1: blue over haze, clouds lit from the left."""
    up = np.clip(rays[..., 1], 0, None)
    blue = (
        ramp(up, [(0, "#e6dfcd"), (0.06, "#d3d6d6"), (0.16, "#adc3d4"), (0.35, "#7fa3c4"), (0.8, "#4f7aa8")])
        ** 2.2
    )
    u, v = rays[..., 0] * 3.0, np.sqrt(up + 0.02) * 7
    warp = fractal(u * 0.9, v * 0.9, octaves=3, seed=301)
    body = fractal(u + 0.5 * warp, v + 0.5 * warp, octaves=7, seed=310, gain=0.52)
    shifted = fractal(u + 0.5 * warp - 0.14, v + 0.5 * warp + 0.14, octaves=5, seed=310, gain=0.52)
    cover = smoothstep(-0.02, 0.26, body + 0.05 - 0.2 * up) * smoothstep(0.0, 0.05, up)
    lit = np.clip(0.55 + 1.6 * (body - shifted), 0, 1)
    cloud = mix(np.array([0.46, 0.50, 0.60], np.float32), np.array([1.75, 1.55, 1.30], np.float32), lit)
    return np.asarray(mix(blue * 1.15, cloud, cover * 0.9))


def sea(direct: Array, reach: Array, mirror: Array, *, rays: Array, eye: float) -> Array:
    """The picture with the sea put in wherever the flat water is nearer than anything else."""
    high, wide = reach.shape
    distance = np.where(rays[..., 1] < -1e-4, -eye / np.minimum(rays[..., 1], -1e-4), np.inf)
    wet = distance < reach
    far = np.where(wet, distance, 50)
    x, z = rays[..., 0] * far, rays[..., 2] * far
    swell = fractal(x * 0.55, z * 0.9, octaves=3, seed=320)
    chop = fractal(x * 1.9 + swell, z * 3.2, octaves=4, seed=330, gain=0.6)
    tilt = (0.55 * swell + 0.8 * chop) * smoothstep(150, 8, far) + 0.25 * fractal(
        x * 0.5, z * 0.5, octaves=3, seed=340
    )
    row = np.arange(high)[:, None] + tilt * wide * (0.010 + 0.16 / far)
    column = np.arange(wide)[None, :] + chop * wide * (0.002 + 0.05 / far)
    seen = mirror[np.clip(row, 0, high - 1).astype(int), np.clip(column, 0, wide - 1).astype(int)]
    facing = np.clip(-rays[..., 1] / np.linalg.norm(rays, axis=-1) + 0.05 * chop, 0.01, 1)
    share = 0.16 + 0.80 * np.exp(-facing * 5.5)
    deep = mix(
        np.array([0.015, 0.085, 0.10], np.float32),
        np.array([0.04, 0.17, 0.17], np.float32),
        smoothstep(-0.5, 0.6, swell + 0.5 * chop),
    )
    glint = smoothstep(0.42, 0.75, chop + 0.4 * swell) * smoothstep(80, 10, far)
    sea = mix(deep, seen, share) + glint[..., None] * np.array([0.42, 0.44, 0.45], np.float32) * 0.5
    return np.where(wet[..., None], sea, direct)
