"""A PNG from top to bottom: rows are unpacked a strip at a time, and each strip is read as a PNG of its own.

Filters and layouts are Pillow's work in this way too. W3C Recommendation "Portable Network Graphics", third
edition, sections 7 (layout of rows) and 9 (filters).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

import numpy as np

from stylize_core.image.files.png_file import SIGNATURE, chunk
from stylize_core.image.large.parts import Unsplittable, strip_rows
from stylize_core.image.opening import Array, Samples, open_image
from stylize_core.image.samples import read_samples

_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_TYPE_OF_BYTES = {1: 0, 2: 4, 3: 2, 4: 6}  # the layout of 8 bits whose pixels have so many bytes
_OF_LAYOUT = (b"PLTE", b"tRNS")
_OF_PIXELS = (b"IHDR", b"IDAT", b"acTL", b"fcTL", b"fdAT")
_INFLATED_BYTES = 1 << 20


def png_strips(data: bytes) -> Iterator[Samples]:
    """The samples of a complete PNG, a megapixel or so at a time.

    Raises:
        Unsplittable: it is interlaced, so that its rows come in another order.
    """
    width, height, bits, layout, interlaced = _header(data)
    if interlaced:
        raise Unsplittable("it is interlaced")
    pixel_bits = bits * _CHANNELS[layout]
    row_bytes, step = (width * pixel_bits + 7) // 8, max(1, pixel_bits // 8)
    said = [(name, body) for name, body in _chunks(data) if name in _OF_LAYOUT]
    above: Array = np.zeros(row_bytes, np.uint8)
    for packed in _filtered(data, height, row_bytes, rows=strip_rows(width)):
        rows = _unfiltered(packed, step, above)
        above = rows[-1]
        plain = _file(width, _as_they_are(rows), bits, layout, said)
        yield read_samples(plain, "PNG", open_image(plain, "PNG"))


def png_without_pixels(data: bytes) -> bytes:
    """The same file with one pixel instead of its own: all that it says of itself, before them and after."""
    _, _, bits, layout, _ = _header(data)
    row = bytes(1 + (bits * _CHANNELS[layout] + 7) // 8)
    written = [SIGNATURE, chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, bits, layout, 0, 0, 0))]
    pixels = False
    for name, body in _chunks(data):
        if name not in _OF_PIXELS:
            written.append(chunk(name, body))
        elif name == b"IDAT" and not pixels:
            pixels = True
            written.append(chunk(b"IDAT", zlib.compress(row)))
    return b"".join(written)


def _header(data: bytes) -> tuple[int, int, int, int, int]:
    """Width, height, bits per sample, layout, and whether it is interlaced."""
    width, height, bits, layout, _, _, interlaced = struct.unpack(">IIBBBBB", data[16:29])
    return width, height, bits, layout, interlaced


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 8
    while at + 12 <= len(data):
        length, name = int.from_bytes(data[at : at + 4]), data[at + 4 : at + 8]
        yield name, data[at + 8 : at + 8 + length]
        if name == b"IEND":
            return
        at += 12 + length


def _filtered(data: bytes, height: int, row_bytes: int, *, rows: int) -> Iterator[Array]:
    """The unpacked rows with their filters' numbers, [rows, 1 + row_bytes] at a time."""
    unpacker, waiting, left = zlib.decompressobj(), bytearray(), height
    for packed in (body for name, body in _chunks(data) if name == b"IDAT"):
        while packed and left:
            waiting += unpacker.decompress(packed, _INFLATED_BYTES)
            packed = unpacker.unconsumed_tail
            while left and len(waiting) >= (size := min(rows, left) * (1 + row_bytes)):
                yield np.frombuffer(bytes(waiting[:size]), np.uint8).reshape(-1, 1 + row_bytes)
                del waiting[:size]
                left -= min(rows, left)


def _unfiltered(packed: Array, step: int, above: Array) -> Array:
    """The bytes of rows [rows, row_bytes]; `above` is the row before them.

    A filter looks `step` bytes back and one row up, so that every step-th byte is a picture by itself: up to
    four of them are read as the channels of one of 8 bits.
    """
    kinds, body = packed[:, :1], packed[:, 1:].reshape(len(packed), -1, step)
    first = above.reshape(1, -1, step)
    rows = np.empty_like(body)
    together = step if step in _TYPE_OF_BYTES else step // 2
    for at in range(0, step, together):
        lanes = slice(at, at + together)
        below = np.hstack([kinds, body[..., lanes].reshape(len(body), -1)])
        given = np.vstack([_as_they_are(first[..., lanes].reshape(1, -1)), below])
        made = _file(body.shape[1], given, 8, _TYPE_OF_BYTES[together], ())
        read = np.asarray(open_image(made, "PNG"))[1:]
        rows[..., lanes] = read.reshape(len(body), -1, together)
    return rows.reshape(len(packed), -1)


def _as_they_are(rows: Array) -> Array:
    """Rows with the number of no filter before each."""
    return np.hstack([np.zeros((len(rows), 1), np.uint8), rows])


def _file(
    width: int, rows: Array, bits: int, layout: int, said: tuple[()] | list[tuple[bytes, bytes]]
) -> bytes:
    header = struct.pack(">IIBBBBB", width, len(rows), bits, layout, 0, 0, 0)
    pixels = zlib.compress(rows.tobytes(), 0)
    chunks = [(b"IHDR", header), *said, (b"IDAT", pixels), (b"IEND", b"")]
    return SIGNATURE + b"".join(chunk(name, body) for name, body in chunks)
