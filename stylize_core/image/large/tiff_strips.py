"""A TIFF from top to bottom: some of its strips or tiles at a time, each group read as a TIFF of its own.

Adobe's TIFF revision 6.0, sections 2 (directories), 3 (strips) and 15 (tiles), and BigTIFF.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from stylize_core.image.header import TIFF_SIZES
from stylize_core.image.large.parts import STRIP_PIXELS, Unsplittable, refuse_beyond
from stylize_core.image.opening import Samples, open_image
from stylize_core.image.samples import read_samples

_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _CHANNELS, _ROWS, _PLANAR = 256, 257, 258, 259, 277, 278, 284
_STRIPS, _TILES, _TILE_WIDTH, _TILE_HEIGHT, _FORMAT = (273, 279), (324, 325), 322, 323, 339
# What says how samples are laid out; colour profiles, Exif, XMP and other pages have no part in that.
_OF_LAYOUT = {
    256, 258, 259, 262, 266, 277, 284, 292, 293, 317, 320, 322, 323, 332, 338, 339, 340, 341, 347,
    529, 530, 531, 532,
}  # fmt: skip
_NONE, _OLD_JPEG, _FLOAT, _LONG = 1, 6, 3, 4
_BYTES_A_SAMPLE = 4  # that libtiff, Pillow and NumPy take beside one another, for one of eight bits

Entry = tuple[int, int, bytes]
"""Type, count and packed values of a tag."""


@dataclass(frozen=True, slots=True)
class _Directory:
    order: Literal["little", "big"]
    entries: dict[int, Entry]

    def numbers(self, tag: int, otherwise: tuple[int, ...] = ()) -> tuple[int, ...]:
        """The whole numbers of a tag."""
        if tag not in self.entries:
            return otherwise
        kind, count, packed = self.entries[tag]
        size = TIFF_SIZES.get(kind, 1)
        return tuple(
            int.from_bytes(packed[at : at + size], self.order) for at in range(0, count * size, size)
        )

    def number(self, tag: int, otherwise: int) -> int:
        """The first of them."""
        return self.numbers(tag, (otherwise,))[0]


@dataclass(frozen=True, slots=True)
class _Blocks:
    """Rows of strips or tiles.

    Attributes:
        rows: px of each but the last.
        across: how many blocks make a row of them, in each plane.
        places: offset and length of each, a plane after another.
    """

    rows: int
    across: int
    places: list[tuple[int, int]]


def stored_size(data: bytes) -> tuple[int, int]:
    """Width and height of the first page as stored, before its orientation is followed."""
    found = _directory(data)
    return found.number(_WIDTH, 0), found.number(_HEIGHT, 0)


def tiff_strips(data: bytes, *, budget: float) -> Iterator[Samples]:
    """The samples of the first page of a complete TIFF, a megapixel or a row of tiles at a time.

    Raises:
        Unsplittable: its samples are of 32-bit integers, whose scale only the whole tells, or its strips are
            larger than the budget.
    """
    page = _directory(data)
    width, height = page.number(_WIDTH, 0), page.number(_HEIGHT, 0)
    bits = page.numbers(_BITS, (1,))
    if max(bits) > 16 and page.number(_FORMAT, 1) != _FLOAT:
        raise Unsplittable("its samples are of 32 bits, whose scale only the whole picture tells")
    if page.number(_COMPRESSION, _NONE) == _OLD_JPEG:
        raise Unsplittable("its strips share one JPEG header of the old kind")
    planes = page.number(_CHANNELS, 1) if page.number(_PLANAR, 1) == 2 else 1
    blocks = _blocks(page, width, height, planes, most_bytes=len(data))
    bytes_a_pixel = page.number(_CHANNELS, 1) * -(-max(bits) // 8) * _BYTES_A_SAMPLE
    refuse_beyond(
        blocks.rows * width * bytes_a_pixel, budget, f"it is stored in blocks of {blocks.rows} rows"
    )
    many = max(1, STRIP_PIXELS // (width * blocks.rows))
    count = -(-height // blocks.rows)
    for first in range(0, count, many):
        rows = min(height - first * blocks.rows, many * blocks.rows)
        part = _part(data, page, blocks, range(first, min(first + many, count)), rows, planes)
        yield read_samples(part, "TIFF", open_image(part, "TIFF"))


def _blocks(page: _Directory, width: int, height: int, planes: int, *, most_bytes: int) -> _Blocks:
    offsets, lengths = _TILES if _TILE_HEIGHT in page.entries else _STRIPS
    places = list(zip(page.numbers(offsets), page.numbers(lengths), strict=True))
    if sum(length for _, length in places) > most_bytes:
        raise ValueError("its strips or tiles lie over one another")
    if _TILE_HEIGHT in page.entries:
        across = -(-width // page.number(_TILE_WIDTH, width))
        return _Blocks(page.number(_TILE_HEIGHT, height), across, places)
    rows = min(page.number(_ROWS, height), height)
    if len(places) == planes and page.number(_COMPRESSION, _NONE) == _NONE:
        return _cut(page, width, height, planes, places)
    return _Blocks(rows, 1, places)


def _cut(page: _Directory, width: int, height: int, planes: int, places: list[tuple[int, int]]) -> _Blocks:
    """A picture in one strip, not packed: any of its rows make one."""
    channels = page.number(_CHANNELS, 1) // planes
    row_bytes = (width * channels * page.number(_BITS, 1) + 7) // 8
    rows = max(1, min(height, STRIP_PIXELS // width))
    cut = [
        (offset + top * row_bytes, min(rows, height - top) * row_bytes)
        for offset, _ in places
        for top in range(0, height, rows)
    ]
    return _Blocks(rows, 1, cut)


def _part(data: bytes, page: _Directory, blocks: _Blocks, chosen: range, rows: int, planes: int) -> bytes:
    """A TIFF of some rows of blocks."""
    a_plane = len(blocks.places) // planes
    found = [
        place
        for plane in range(planes)
        for place in blocks.places[
            plane * a_plane + chosen.start * blocks.across : plane * a_plane + chosen.stop * blocks.across
        ]
    ]
    if any(offset + length > len(data) for offset, length in found):
        raise ValueError("image file is truncated: its strips or tiles reach beyond its end")
    bodies = [data[offset : offset + length] for offset, length in found]
    offsets, at = [], 8
    for body in bodies:
        offsets.append(at)
        at += len(body)
    tiled = _TILE_HEIGHT in page.entries
    entries = {tag: entry for tag, entry in page.entries.items() if tag in _OF_LAYOUT}

    def longs(values: list[int]) -> Entry:
        return _LONG, len(values), b"".join(value.to_bytes(4, page.order) for value in values)

    entries[_HEIGHT] = longs([rows])
    if not tiled:
        entries[_ROWS] = longs([blocks.rows])
    for tag, values in zip(
        _TILES if tiled else _STRIPS, (offsets, [len(body) for body in bodies]), strict=True
    ):
        entries[tag] = longs(values)
    return _file(page.order, entries, b"".join(bodies))


def _file(order: Literal["little", "big"], entries: dict[int, Entry], body: bytes) -> bytes:
    """A classic TIFF whose directory stands behind its pixels."""
    sign = "<" if order == "little" else ">"
    body += bytes(len(body) % 2)
    start = 8 + len(body)
    tail_at = start + 2 + 12 * len(entries) + 4
    table, tail = struct.pack(f"{sign}H", len(entries)), b""
    for tag, (kind, count, packed) in sorted(entries.items()):
        table += struct.pack(f"{sign}HHI", tag, kind, count)
        if len(packed) <= 4:
            table += packed.ljust(4, b"\0")
        else:
            table += struct.pack(f"{sign}I", tail_at + len(tail))
            tail += packed + bytes(len(packed) % 2)
    mark = b"II" if order == "little" else b"MM"
    return mark + struct.pack(f"{sign}HI", 42, start) + body + table + bytes(4) + tail


def _directory(data: bytes) -> _Directory:
    """The first directory of a complete TIFF or BigTIFF."""
    order: Literal["little", "big"] = "little" if data[:2] == b"II" else "big"
    pointer = 8 if 43 in data[2:4] else 4

    def number(at: int, size: int) -> int:
        return int.from_bytes(data[at : at + size], order)

    start, counter = number(pointer, pointer), 8 if pointer == 8 else 2
    entries = {}
    for index in range(number(start, counter)):
        at = start + counter + index * (4 + 2 * pointer)
        kind, count = number(at + 2, 2), number(at + 4, pointer)
        size, value = TIFF_SIZES.get(kind, 1) * count, at + 4 + pointer
        place = value if size <= pointer else number(value, pointer)
        entries[number(at, 2)] = kind, count, data[place : place + size]
    return _Directory(order, entries)
