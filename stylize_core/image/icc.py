"""Colour profiles of curves and a matrix (ICC.1:2022, clauses 8.3 and 10), applied at full depth.

Free of Pillow, whose colour engine works on eight bits per channel. Deep pictures come almost always with a
profile of this kind: sRGB, Display P3, Adobe RGB, ProPhoto, or a gamma for grey.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

# XYZ (D50) of the sRGB primaries, one per column: IEC 61966-2-1, adapted by Bradford's method.
_SRGB_TO_XYZ = np.array(
    [[0.4360747, 0.3850649, 0.1430804], [0.2225045, 0.7168786, 0.0606169], [0.0139322, 0.0971045, 0.7141733]]
)
_BAND_ROWS = 64


@dataclass(frozen=True, slots=True, eq=False)
class Shaper:
    """A profile as curves [C][65536] to linear light and a matrix [3, C] from there to linear sRGB."""

    curves: tuple[Floats, ...]
    matrix: Floats


def read_shaper(profile: bytes) -> Shaper | None:
    """The profile's curves and matrix; None where it works by tables or through CIELAB.

    Raises:
        ValueError: a curve is of an unknown type.
        struct.error: the profile is cut.
    """
    tags = _tags(profile)
    if profile[20:24] != b"XYZ " or any(name.startswith(b"A2B") for name in tags):
        return None
    if profile[16:20] == b"GRAY" and b"kTRC" in tags:
        return Shaper((_curve(tags[b"kTRC"]),), np.ones((3, 1), np.float32))
    if profile[16:20] != b"RGB " or not {b"rXYZ", b"gXYZ", b"bXYZ", b"rTRC", b"gTRC", b"bTRC"} <= set(tags):
        return None
    to_xyz = np.array([_fixed(tags[name], 8, 3) for name in (b"rXYZ", b"gXYZ", b"bXYZ")]).T
    matrix = np.linalg.solve(_SRGB_TO_XYZ, to_xyz).astype(np.float32)
    return Shaper(tuple(_curve(tags[name]) for name in (b"rTRC", b"gTRC", b"bTRC")), matrix)


def of_grey(shaper: Shaper) -> Shaper:
    """The same curve for a picture of one channel, whose white is white whatever the primaries."""
    return Shaper(shaper.curves[:1], np.ones((3, 1), np.float32))


def apply_shaper(shaper: Shaper, values: NDArray[np.uint16]) -> Floats:
    """`values` [H, W, C] as sRGB planes [3, H, W] 0..1; colours outside sRGB go to its border."""
    height, width = values.shape[:2]
    planes = np.empty((3, height, width), np.float32)
    for top in range(0, height, _BAND_ROWS):
        band = values[top : top + _BAND_ROWS]
        linear = np.stack([curve[band[..., channel]] for channel, curve in enumerate(shaper.curves)])
        planes[:, top : top + _BAND_ROWS] = _encode(np.tensordot(shaper.matrix, linear, axes=1))
    return planes


def _encode(linear: Floats) -> Floats:
    """The curve of sRGB, IEC 61966-2-1."""
    clipped = linear.clip(0, 1)
    curved = np.float32(1.055) * clipped ** np.float32(1 / 2.4) - np.float32(0.055)
    encoded: Floats = np.where(clipped <= np.float32(0.0031308), np.float32(12.92) * clipped, curved)
    return encoded


def _tags(profile: bytes) -> dict[bytes, bytes]:
    (count,) = struct.unpack_from(">I", profile, 128)
    entries = (struct.unpack_from(">4sII", profile, 132 + 12 * index) for index in range(min(count, 100)))
    return {name: profile[offset : offset + size] for name, offset, size in entries}


def _fixed(tag: bytes, at: int, count: int) -> list[float]:
    """Numbers of type s15Fixed16Number."""
    return [number / 65536 for number in struct.unpack_from(f">{count}i", tag, at)]


def _curve(tag: bytes) -> Floats:
    """The curve at each of the 65536 levels."""
    x = np.linspace(0, 1, 65536)
    if tag[:4] == b"curv":
        (count,) = struct.unpack_from(">I", tag, 8)
        points: NDArray[np.float64] = np.array(struct.unpack_from(f">{count}H", tag, 12))
        if count == 0:
            return x.astype(np.float32)
        if count == 1:
            return (x ** (float(points[0]) / 256)).astype(np.float32)
        return np.interp(x, np.linspace(0, 1, count), points / 65535).astype(np.float32)
    if tag[:4] == b"para":
        return _parametric(tag, x).clip(0, 1).astype(np.float32)
    raise ValueError(f"a curve of type {tag[:4]!r} is not known")


def _parametric(tag: bytes, x: NDArray[np.float64]) -> NDArray[np.float64]:
    """ICC.1:2022, table 68: a power above a threshold, a line below."""
    (kind,) = struct.unpack_from(">H", tag, 8)
    counts = {0: 1, 1: 3, 2: 4, 3: 5, 4: 7}
    if kind not in counts:
        raise ValueError(f"a parametric curve of kind {kind} is not known")
    g, a, b, c, d, e, f = (_fixed(tag, 12, counts[kind]) + [0.0] * 7)[:7]
    if kind == 0:
        return np.asarray(x**g)
    if kind in (1, 2):
        offset, threshold, below = c, -b / a if a else 0.0, np.full_like(x, c)
    else:
        offset, threshold, below = e, d, c * x + f
    return np.where(x >= threshold, np.maximum(a * x + b, 0) ** g + offset, below)
