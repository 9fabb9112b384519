"""HEIC and AVIF from outside: boxes of ISO/IEC 14496-12 with the items of 23008-12. Free of Pillow.

What decoders do not tell is read here: whether all bytes are there, the colours' code points, the depth.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from stylize_core.image.header import Incomplete
from stylize_core.image.opening import Unsupported

_MOST_BOXES = 4096


@dataclass(frozen=True, slots=True)
class PrimaryItem:
    """What the file says of its main picture.

    Attributes:
        code_points: primaries and transfer of its colours by H.273; None where it names none.
        depth: bits per channel; 8 where it does not say.
    """

    code_points: tuple[int, int] | None = None
    depth: int = 8


def check_boxes(data: bytes) -> None:
    """The table of the pictures is there, and all the bytes that it points to.

    Raises:
        Incomplete: saying what is missing.
    """
    meta = _meta(data)
    iloc = _find(data, meta, b"iloc")
    if iloc is None:
        raise Incomplete("it has no table of where its pictures lie")
    idat = _find(data, meta, b"idat")
    room = 0 if idat is None else idat[1] - idat[0]
    for inside, start, size in _extents(data, *iloc):
        end, limit = start + size, room if inside else len(data)
        if end > limit:
            raise Incomplete(f"it is cut off: its pictures reach to byte {end} of {limit}")


def primary_item(data: bytes) -> PrimaryItem:
    """What the file says of its main picture, in properties that `check_boxes` has not looked at.

    Raises:
        ValueError, IndexError: the boxes make no sense.
    """
    meta = _meta(data)
    pitm, iprp = _find(data, meta, b"pitm"), _find(data, meta, b"iprp")
    if pitm is None or iprp is None:
        return PrimaryItem()
    primary = _number(data, pitm[0] + 4, 2 if data[pitm[0]] == 0 else 4)
    ipco = _find(data, iprp, b"ipco")
    if ipco is None:
        return PrimaryItem()
    properties = list(_boxes(data, *ipco))
    points, depth = None, 8
    for name, box in _boxes(data, *iprp):
        for index in _associated(data, box, primary) if name == b"ipma" else ():
            kind, (start, end) = properties[index - 1] if 0 < index <= len(properties) else (b"", (0, 0))
            if kind == b"colr" and data[start : start + 4] == b"nclx" and end - start >= 8:
                points = _number(data, start + 4, 2), _number(data, start + 6, 2)
            if kind == b"pixi" and end - start >= 6:
                depth = max(data[start + 5 : start + 5 + data[start + 4]], default=8)
    return PrimaryItem(points, depth)


def is_film(data: bytes) -> bool:
    """Whether the file holds tracks in time."""
    return _find(data, (0, len(data)), b"moov") is not None


def _meta(data: bytes) -> tuple[int, int]:
    found = _find(data, (0, len(data)), b"meta")
    if found is None and is_film(data):
        raise Unsupported("it is a film without a picture of its own; give one of its frames")
    if found is None:
        raise Incomplete("it is cut off before the table of its pictures")
    return found[0] + 4, found[1]  # behind version and flags


def _find(data: bytes, within: tuple[int, int], wanted: bytes) -> tuple[int, int] | None:
    """Where the body of the first box of that name begins and ends."""
    return next((box for name, box in _boxes(data, *within) if name == wanted), None)


def _boxes(data: bytes, at: int, end: int) -> Iterator[tuple[bytes, tuple[int, int]]]:
    """The names of the boxes in a row and where their bodies lie; a box that reaches out ends the row."""
    for _ in range(_MOST_BOXES):
        if at + 8 > end:
            return
        size, name, body = _number(data, at, 4), data[at + 4 : at + 8], at + 8
        if size == 1:
            size, body = _number(data, at + 8, 8), at + 16
        following = at + size if size else end
        if following < body or following > end:
            return
        yield name, (body, following)
        at = following


def _number(data: bytes, at: int, size: int) -> int:
    return int.from_bytes(data[at : at + size])


def _extents(data: bytes, at: int, end: int) -> Iterator[tuple[bool, int, int]]:
    """Each stretch of an item's bytes: whether it lies in `idat`, where it starts and how long it is."""
    version, sizes = data[at], data[at + 4 : at + 6]
    offset_size, length_size, base_size, index_size = (
        sizes[0] >> 4,
        sizes[0] & 15,
        sizes[1] >> 4,
        sizes[1] & 15,
    )
    wide = 4 if version == 2 else 2
    items, at = _number(data, at + 6, wide), at + 6 + wide
    for _ in range(items):
        at += wide
        inside = version > 0 and _number(data, at, 2) & 15 == 1
        at += (2 if version > 0 else 0) + 2
        base, at = _number(data, at, base_size), at + base_size
        count, at = _number(data, at, 2), at + 2
        for _ in range(count):
            at += index_size if version > 0 else 0
            offset, at = _number(data, at, offset_size), at + offset_size
            length, at = _number(data, at, length_size), at + length_size
            if at > end:
                raise Incomplete("the table of its pictures is damaged")
            yield inside, base + offset, length


def _associated(data: bytes, box: tuple[int, int], item: int) -> Iterator[int]:
    """The numbers of the properties that belong to an item, counted from 1."""
    at, end = box
    version, wide_index = data[at], data[at + 3] & 1
    size = 2 if version == 0 else 4
    entries, at = _number(data, at + 4, 4), at + 8
    for _ in range(entries):
        owner, at = _number(data, at, size), at + size
        if at >= end:
            return
        count, at = data[at], at + 1
        for _ in range(count):
            index = _number(data, at, 2) & 0x7FFF if wide_index else _number(data, at, 1) & 0x7F
            at += 2 if wide_index else 1
            if owner == item:
                yield index
