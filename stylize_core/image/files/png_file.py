"""PNG files from strips of pixels, eight or sixteen bits per channel, without Pillow's whole pictures.

W3C Recommendation "Portable Network Graphics", third edition.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Iterator
from typing import BinaryIO

import numpy as np

from stylize_core.image.files.strips import LEVEL, STRIP_BYTES, Array, Strips

Chunks = Iterable[tuple[bytes, bytes]]

SIGNATURE = b"\x89PNG\r\n\x1a\n"


def write_png(
    into: BinaryIO, strips: Strips, *, profile: bytes, keyword: str, text: str, more: Chunks = ()
) -> None:
    """Write a PNG with the ICC profile and one text chunk (`text` is ASCII).

    `more` are other chunks by name that may stand before the pixels.
    """
    layout = 2 if strips.channels == 3 else 6
    header = struct.pack(">IIBBBBB", strips.width, strips.height, strips.itemsize * 8, layout, 0, 0, 0)
    into.write(SIGNATURE)
    into.writelines(
        chunk(name, body)
        for name, body in (
            (b"IHDR", header),
            (b"iCCP", b"sRGB\0\0" + zlib.compress(profile, LEVEL)),
            (b"iTXt", keyword.encode("latin-1") + b"\0\0\0\0\0" + text.encode()),
            *more,
        )
    )
    into.writelines(chunk(b"IDAT", body) for body in _packed(strips))
    into.write(chunk(b"IEND", b""))


def chunk(name: bytes, body: bytes) -> bytes:
    """A chunk of a PNG, with its length and its check sum."""
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def _packed(strips: Strips) -> Iterator[bytes]:
    """The deflated rows, a megabyte at a time."""
    packer, waiting = zlib.compressobj(LEVEL), bytearray()
    for row in _filtered_rows(strips):
        waiting += packer.compress(row)
        while len(waiting) >= STRIP_BYTES:
            yield bytes(waiting[:STRIP_BYTES])
            del waiting[:STRIP_BYTES]
    waiting += packer.flush()
    for at in range(0, len(waiting), STRIP_BYTES):
        yield bytes(waiting[at : at + STRIP_BYTES])


def _filtered_rows(strips: Strips) -> Iterator[bytes]:
    """Each row by the filter whose output has the least sum of magnitudes, as the PNG text advises."""
    step = strips.channels * strips.itemsize
    above = np.zeros(strips.width * step, np.int16)
    for row in (row for strip in strips.pixels for row in strip):
        now = np.frombuffer(row.astype(row.dtype.newbyteorder(">")).tobytes(), np.uint8).astype(np.int16)
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
