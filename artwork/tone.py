"""Colour and tone: palettes, blends, blur, relief light, and the last step from floats to a picture."""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageColor

from artwork.noise import Array


def colour(code: str) -> Array:
    """The three sRGB values, 0..1, of a code such as "#d0a050"."""
    return np.array(ImageColor.getrgb(code)[:3], np.float32) / 255


def ramp(position: Array, stops: Sequence[tuple[float, str]]) -> Array:
    """Colours (*shape, 3) read from a palette given as (position, code), ascending; held at both ends."""
    places = [place for place, _ in stops]
    values = np.stack([colour(code) for _, code in stops])
    return np.stack([np.interp(position, places, values[:, i]) for i in range(3)], -1).astype(np.float32)


def smoothstep(low: float | Array, high: float | Array, value: Array) -> Array:
    """0 below `low`, 1 above `high`, an S-curve between (also downward, when low > high)."""
    t = np.clip((value - low) / (high - low), 0, 1)
    return np.asarray(t * t * (3 - 2 * t))


def mix(first: Array, second: Array, amount: float | Array) -> Array:
    """Colours (..., 3): `first` where amount is 0, `second` where it is 1; amount has no channel axis."""
    share = np.asarray(amount, np.float32)[..., None]
    return first + (second - first) * share


def blur(field: Array, radius: float) -> Array:
    """A bell-shaped blur of (H, W) or (H, W, C): three running means each way, edges repeated."""
    half = max(1, round(radius))
    for axis in (0, 1):
        for _ in range(3):
            field = _running_mean(field, half, axis=axis)
    return field


def _running_mean(field: Array, half: int, *, axis: int) -> Array:
    pad = [(0, 0)] * field.ndim
    pad[axis] = (half + 1, half)
    sums = np.cumsum(np.pad(field, pad, mode="edge"), axis=axis, dtype=np.float64)
    size = field.shape[axis]
    high = np.take(sums, np.arange(2 * half + 1, 2 * half + 1 + size), axis=axis)
    low = np.take(sums, np.arange(size), axis=axis)
    return ((high - low) / (2 * half + 1)).astype(np.float32)


def relief(height: Array, *, strength: float, azimuth: float) -> tuple[Array, Array]:
    """Light on a height map (px): diffuse, about 1 where flat, and gloss 0..1; azimuth 0 is the right."""
    down, right = np.gradient(height * strength)
    angle = np.deg2rad(azimuth)
    light = np.array([np.cos(angle) * 0.62, -np.sin(angle) * 0.62, 0.78])
    length = np.sqrt(right * right + down * down + 1)
    facing = (-right * light[0] - down * light[1] + light[2]) / length
    half_way = light + np.array([0, 0, 1])
    half_way = half_way / np.linalg.norm(half_way)
    gloss = np.clip((-right * half_way[0] - down * half_way[1] + half_way[2]) / length, 0, 1)
    return np.clip(facing / 0.78, 0, 2), gloss**40


def grid(width: int, height: int) -> tuple[Array, Array]:
    """Pixel centres as fractions of the width: x in 0..1 to the right, y downward, both (H, W)."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    return (x + 0.5) / width, (y + 0.5) / width


def luminance(rgb: Array) -> Array:
    """Perceived lightness (H, W) of sRGB (H, W, 3), by the Rec. 709 weights."""
    return rgb @ np.array([0.2126, 0.7152, 0.0722], np.float32)


def shrink(rgb: Array, factor: int) -> Array:
    """The mean of factor x factor blocks: antialiasing for pictures drawn too large on purpose."""
    height, width = rgb.shape[0] // factor, rgb.shape[1] // factor
    cut = rgb[: height * factor, : width * factor]
    return np.asarray(cut.reshape(height, factor, width, factor, -1).mean((1, 3)))


def film(light: Array, *, exposure: float = 1.0) -> Array:
    """Linear light, any range, as sRGB 0..1 with soft highlights (Narkowicz's ACES fit, 2015)."""
    x = light * exposure
    mapped = np.clip(x * (2.51 * x + 0.03) / (x * (2.43 * x + 0.59) + 0.14), 0, 1)
    return np.where(mapped <= 0.0031308, 12.92 * mapped, 1.055 * mapped ** (1 / 2.4) - 0.055)


def stretch(rgb: Array, *, low: float = 0.5, high: float = 99.6) -> Array:
    """The same picture with its darkest and lightest percentiles moved to near black and near white."""
    bottom, top = np.percentile(luminance(rgb), [low, high])
    return np.asarray(np.clip((rgb - bottom) / max(float(top - bottom), 1e-3) * 0.96 + 0.02, 0, 1))


def picture(rgb: Array, *, grain: float, seed: int) -> Image.Image:
    """An RGB picture from floats 0..1 (H, W, 3), with film grain of the given strength against banding."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(0, 1, rgb.shape[:2]).astype(np.float32)[..., None]
    dither = rng.uniform(-0.5, 0.5, rgb.shape).astype(np.float32) / 255
    return Image.fromarray((np.clip(rgb + noise * grain + dither, 0, 1) * 255 + 0.5).astype(np.uint8))
