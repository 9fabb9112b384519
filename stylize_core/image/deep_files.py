"""PNG and TIFF files of 16 bits per channel, which Pillow cannot write. Free of Pillow.

PNG: W3C Recommendation "Portable Network Graphics", third edition. TIFF: Adobe's revision 6.0 with the
deflate compression and horizontal predictor of its Technical Note 2.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Chunks = Iterable[tuple[bytes, bytes]]
Tags = Mapping[int, tuple[str, Any]]

_LEVEL = 6  # of zlib: named, so that a new default would not change our bytes
_STRIP_BYTES = 1 << 20


def png16_bytes(pixels: Array, *, profile: bytes, keyword: str, text: str, more: Chunks = ()) -> bytes:
    """A PNG of `pixels` [H, W, 3 or 4] uint16 with the ICC profile and one text chunk (`text` is ASCII).

    `more` are other chunks by name that may stand before the pixels.
    """
    height, width, channels = pixels.shape
    header = struct.pack(">IIBBBBB", width, height, 16, 2 if channels == 3 else 6, 0, 0, 0)
    packer = zlib.compressobj(_LEVEL)
    body = b"".join(map(packer.compress, _filtered_rows(pixels))) + packer.flush()
    chunks = [
        (b"IHDR", header),
        (b"iCCP", b"sRGB\0\0" + zlib.compress(profile, _LEVEL)),
        (b"iTXt", keyword.encode("latin-1") + b"\0\0\0\0\0" + text.encode()),
        *more,
        *((b"IDAT", body[at : at + _STRIP_BYTES]) for at in range(0, len(body), _STRIP_BYTES)),
        (b"IEND", b""),
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, data) for name, data in chunks)


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def _filtered_rows(pixels: Array) -> Iterator[bytes]:
    """Each row by the filter whose output has the least sum of magnitudes, as the PNG text advises."""
    step = pixels.shape[2] * 2
    above = np.zeros(pixels.shape[1] * step, np.int16)
    for row in pixels:
        now = np.frombuffer(row.astype(">u2").tobytes(), np.uint8).astype(np.int16)
        left, corner = _shifted(now, step), _shifted(above, step)
        average, paeth = (left + above) // 2, _paeth(left, above, corner)
        coded = [(now - guess).astype(np.uint8) for guess in (0, left, above, average, paeth)]
        best = min(range(5), key=lambda kind: int(np.abs(coded[kind].view(np.int8).astype(np.int16)).sum()))
        yield bytes([best]) + coded[best].tobytes()
        above = now


def _shifted(row: Array, step: int) -> Array:
    return np.concatenate([np.zeros(step, row.dtype), row[:-step]])


def _paeth(left: Array, above: Array, corner: Array) -> Array:
    """Of the three neighbours the one nearest to left + above - corner."""
    to_left, to_above = np.abs(above - corner), np.abs(left - corner)
    to_corner = np.abs(left + above - 2 * corner)
    other = np.where(to_above <= to_corner, above, corner)
    return np.where((to_left <= to_above) & (to_left <= to_corner), left, other)


def tiff_bytes(pixels: Array, *, profile: bytes, description: str, more: Tags | None = None) -> bytes:
    """A little-endian TIFF of `pixels` [H, W, 3 or 4] uint8 or uint16, deflated; `description` is ASCII.

    `more` are other tags: bytes (B), a text with its NUL (s), short (H), long (I) or rational numbers (R).
    """
    height, width, channels = pixels.shape
    rows = max(1, _STRIP_BYTES // (width * channels * pixels.itemsize))
    strips = [_strip(pixels[top : top + rows]) for top in range(0, height, rows)]
    offsets = np.cumsum([8] + [len(strip) for strip in strips])
    depth = pixels.itemsize * 8
    tags: dict[int, tuple[str, Any]] = {
        256: ("I", [width]),
        257: ("I", [height]),
        258: ("H", [depth] * channels),
        259: ("H", [8]),  # deflate
        262: ("H", [2]),  # RGB
        270: ("s", description.encode("ascii") + b"\0"),
        273: ("I", offsets[:-1]),
        277: ("H", [channels]),
        278: ("I", [rows]),
        279: ("I", [len(strip) for strip in strips]),
        284: ("H", [1]),  # channels interleaved
        317: ("H", [2]),  # horizontal differencing
        339: ("H", [1] * channels),  # unsigned integers
        34675: ("B", profile),
    }
    tags |= more or {}
    if channels == 4:
        tags[338] = ("H", [2])  # the fourth channel is unassociated alpha
    body = b"".join(strips)
    body += bytes(len(body) % 2)
    return struct.pack("<2sHI", b"II", 42, 8 + len(body)) + body + _directory(tags, 8 + len(body))


def _strip(pixels: Array) -> bytes:
    """Differences to the left neighbour, modulo the sample's range, deflated."""
    difference = pixels.copy()
    difference[:, 1:] -= pixels[:, :-1]
    return zlib.compress(difference.astype(difference.dtype.newbyteorder("<")).tobytes(), _LEVEL)


def _directory(tags: dict[int, tuple[str, Any]], at: int) -> bytes:
    """The image file directory that starts at offset `at`, long values behind it."""
    types = {"B": 7, "s": 2, "H": 3, "I": 4, "R": 5}
    tail_at = at + 2 + 12 * len(tags) + 4
    entries, tail = b"", b""
    for tag, (kind, values) in sorted(tags.items()):
        form = f"<{len(values)}{kind.replace('R', 'I')}"
        packed = bytes(values) if kind in "Bs" else struct.pack(form, *values)
        count = len(values) // 2 if kind == "R" else len(values)  # of numerator and denominator each
        entries += struct.pack("<HHI", tag, types[kind], count)
        if len(packed) <= 4:
            entries += packed.ljust(4, b"\0")
        else:
            entries += struct.pack("<I", tail_at + len(tail))
            tail += packed + bytes(len(packed) % 2)
    return struct.pack("<H", len(tags)) + entries + bytes(4) + tail
