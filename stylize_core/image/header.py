"""Whether all of a file is there, by its own account.

Free of Pillow, which decodes some cut files without a word.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable
from typing import Literal

_JPEG_MARKER = re.compile(rb"\xff+[^\x00\xd0-\xd7\xff]", re.DOTALL)


class Incomplete(ValueError):
    """The bytes end, or are damaged, before the picture does."""


def check_complete(data: bytes, kind: str) -> None:
    """Hold the file's own account of its length against the bytes; bytes after its end are let be.

    BMP has no end mark, and Pillow refuses every cut of it.

    Raises:
        Incomplete: saying what is missing or damaged.
    """
    check = _CHECKS.get(kind)
    if check is not None:
        check(data)


def _check_png(data: bytes) -> None:
    """Every chunk up to IEND is there, those that carry the picture are undamaged, and no row is missing."""
    unpacker, rows = zlib.decompressobj(), _png_bytes(data)
    at = 8
    while at + 12 <= len(data):
        length, name = int.from_bytes(data[at : at + 4]), data[at + 4 : at + 8]
        end = at + 12 + length
        if end > len(data):
            break
        critical = not name[0] & 0x20
        if critical and zlib.crc32(memoryview(data)[at + 4 : end - 4]) != int.from_bytes(data[end - 4 : end]):
            raise Incomplete(f"its {name.decode('latin-1')!r} chunk at byte {at} is damaged")
        if name == b"IDAT":
            rows -= _unpacked(unpacker, data[at + 8 : end - 4], rows)
        if name == b"IEND":
            if rows > 0:
                raise Incomplete(f"the last {rows} bytes of its pixels are missing")
            return
        at = end
    raise Incomplete("it is cut off before its IEND chunk")


def png_chunk(data: bytes, wanted: bytes) -> bytes:
    """The body of a PNG's first chunk of that name before its pixels; empty where there is none."""
    at = 8
    while at + 12 <= len(data) and (name := data[at + 4 : at + 8]) != b"IDAT":
        length = int.from_bytes(data[at : at + 4])
        if name == wanted:
            return data[at + 8 : at + 8 + length]
        at += 12 + length
    return b""


def _png_bytes(data: bytes) -> int:
    """Bytes that the unpacked picture takes, filter bytes included."""
    width, height = int.from_bytes(data[16:20]), int.from_bytes(data[20:24])
    bits, colour_type, interlaced = data[24], data[25], data[28]
    pixel_bits = bits * {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}.get(colour_type, 1)
    # Start and step of Adam7's passes, across and down.
    adam7 = ((0, 8, 0, 8), (4, 8, 0, 8), (0, 4, 4, 8), (2, 4, 0, 4), (0, 2, 2, 4), (1, 2, 0, 2), (0, 1, 1, 2))
    total = 0
    for left, across, top, down in adam7 if interlaced else ((0, 1, 0, 1),):
        columns, lines = -(-(width - left) // across), -(-(height - top) // down)
        total += lines * (1 + (columns * pixel_bits + 7) // 8) if columns > 0 else 0
    return total


def _unpacked(unpacker: zlib._Decompress, packed: bytes, wanted: int) -> int:
    """How many bytes come out of `packed`, a megabyte at a time, up to `wanted`."""
    count = 0
    while count < wanted and packed:
        count += len(unpacker.decompress(packed, 1 << 20))
        packed = unpacker.unconsumed_tail
    return count


def _check_jpeg(data: bytes) -> None:
    """From segment to segment to the end-of-image mark; a thumbnail's mark lies inside a segment."""
    at = 2
    while marker := _JPEG_MARKER.search(data, at):
        code, at = data[marker.end() - 1], marker.end()
        if code == 0xD9:
            return
        if code != 0x01:
            at += int.from_bytes(data[at : at + 2])
    raise Incomplete("it is cut off before its end-of-image mark")


def _check_gif(data: bytes) -> None:
    """From block to block to the trailer."""
    at = 13 + _gif_palette(data, 10)
    while at < len(data):
        introducer = data[at]
        if introducer == 0x3B:
            return
        if introducer == 0x21:
            at = _skip_sub_blocks(data, at + 2)
        elif introducer == 0x2C:
            at = _skip_sub_blocks(data, at + 11 + _gif_palette(data, at + 9))
        else:
            at += 1
    raise Incomplete("it is cut off before its trailer")


def _gif_palette(data: bytes, at: int) -> int:
    """Bytes of the palette that the flags at `at` announce."""
    flags = data[at] if at < len(data) else 0
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _skip_sub_blocks(data: bytes, at: int) -> int:
    while at < len(data) and data[at]:
        at += data[at] + 1
    return at + 1


def _check_webp(data: bytes) -> None:
    announced = int.from_bytes(data[4:8], "little") + 8
    if announced > len(data):
        raise Incomplete(f"it is cut off: {len(data)} of {announced} bytes are there")


def _check_tiff(data: bytes) -> None:
    """The first directory and all that it points to are there; Pillow itself refuses cut strips."""
    order: Literal["little", "big"] = "little" if data[:2] == b"II" else "big"
    wide = 43 in data[2:4]  # BigTIFF

    def need(at: int, size: int) -> None:
        if at + size > len(data):
            raise Incomplete(f"it is cut off: its directory reaches to byte {at + size} of {len(data)}")

    def number(at: int, size: int) -> int:
        need(at, size)
        return int.from_bytes(data[at : at + size], order)

    pointer = 8 if wide else 4
    start, counter = number(pointer, pointer), 8 if wide else 2
    end = start + counter + number(start, counter) * (4 + 2 * pointer)
    need(end, pointer)  # to the next directory
    for entry in range(start + counter, end, 4 + 2 * pointer):
        size = TIFF_SIZES.get(number(entry + 2, 2), 1) * number(entry + 4, pointer)
        if size > pointer:
            need(number(entry + 4 + pointer, pointer), size)


TIFF_SIZES = {3: 2, 4: 4, 5: 8, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
"""Bytes of one value by TIFF's number of its type; the types not named take one."""

_CHECKS: dict[str, Callable[[bytes], None]] = {
    "PNG": _check_png,
    "JPEG": _check_jpeg,
    "GIF": _check_gif,
    "WebP": _check_webp,
    "TIFF": _check_tiff,
}
