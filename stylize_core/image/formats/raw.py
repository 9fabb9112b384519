"""Camera raw files that look like a TIFF: their first page is a thumbnail, and the picture is not developed.

They are told by what TIFF/EP (ISO 12234-2), DNG 1.7 and the makers put into their directories.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal

_SUBFILE, _WIDTH, _HEIGHT, _PHOTOMETRIC, _MAKE, _SUB_IFDS = 254, 256, 257, 262, 271, 330
_DNG_VERSION = 50706
_SENSOR = (32803, 34892)  # a mosaic of filters, and one that is not rendered yet
_MAKERS = {
    "NIKON": "Nikon NEF",
    "CANON": "Canon CR2",
    "SONY": "Sony ARW",
    "PENTAX": "Pentax PEF",
    "SAMSUNG": "Samsung SRW",
    "HASSELBLAD": "Hasselblad 3FR",
    "PHASE ONE": "Phase One IIQ",
    "KODAK": "Kodak DCR",
}
_MOST_DIRECTORIES, _MOST_ENTRIES, _MOST_VALUES = 64, 512, 64

Order = Literal["little", "big"]
Values = Mapping[int, tuple[int, ...]]
"""The numbers of a directory by tag; a text is the numbers of its bytes."""


def camera_raw(data: bytes) -> str:
    """What kind of camera raw this TIFF is, such as `Nikon NEF`; empty for a TIFF that holds a picture."""
    directories = list(_directories(data))
    if not directories:
        return ""
    first = directories[0]
    if _DNG_VERSION in first:
        return "DNG"
    if data[8:11] == b"CR\x02":
        return "Canon CR2"
    if any(one.get(_PHOTOMETRIC, (0,))[0] in _SENSOR for one in directories) or _is_thumbnail(directories):
        return _maker(first)
    return ""


def _is_thumbnail(directories: list[Values]) -> bool:
    """Whether the first page says it is a reduced copy, and a larger picture lies in a directory below it."""
    first, below = directories[0], directories[0].get(_SUB_IFDS, ())
    if not first.get(_SUBFILE, (0,))[0] & 1 or not below:
        return False
    return any(_pixels(one) > _pixels(first) for one in directories[1:])


def _pixels(directory: Values) -> int:
    return directory.get(_WIDTH, (0,))[0] * directory.get(_HEIGHT, (0,))[0]


def _maker(first: Values) -> str:
    make = bytes(value & 0xFF for value in first.get(_MAKE, ())).decode("ascii", "replace").strip("\0 ")
    return next(
        (kind for start, kind in _MAKERS.items() if make.upper().startswith(start)), "a TIFF of sensor data"
    )


def _directories(data: bytes) -> Iterator[Values]:
    """The directories of the file and those one level below, each once, as far as they can be read."""
    order: Order = "little" if data[:2] == b"II" else "big"
    wide = 43 in data[2:4]  # BigTIFF
    start = int.from_bytes(data[8:16] if wide else data[4:8], order)
    waiting, seen = [start], set[int]()
    while waiting and len(seen) < _MOST_DIRECTORIES:
        at = waiting.pop(0)
        if not 0 < at < len(data) or at in seen:
            continue
        seen.add(at)
        values, following = _directory(data, at, order, wide=wide)
        yield values
        waiting += [*values.get(_SUB_IFDS, ()), following]


def _directory(data: bytes, at: int, order: Order, *, wide: bool) -> tuple[Values, int]:
    """The numbers of one directory by tag, and where the next one is."""
    counter, pointer = (8, 8) if wide else (2, 4)
    count = int.from_bytes(data[at : at + counter], order)
    size, first = 4 + 2 * pointer, at + counter
    values = {}
    for entry in range(first, first + min(count, _MOST_ENTRIES) * size, size):
        tag, kind = (int.from_bytes(data[entry + skip : entry + skip + 2], order) for skip in (0, 2))
        width = {1: 1, 2: 1, 3: 2, 4: 4, 7: 1, 13: 4, 16: 8, 18: 8}.get(kind, 0)
        number = int.from_bytes(data[entry + 4 : entry + 4 + pointer], order)
        if not width or not number:
            continue
        place = entry + 4 + pointer
        if number * width > pointer:
            place = int.from_bytes(data[place : place + pointer], order)
        ends = range(place, place + min(number, _MOST_VALUES) * width, width)
        values[tag] = tuple(int.from_bytes(data[one : one + width], order) for one in ends)
    end = first + count * size
    return values, int.from_bytes(data[end : end + pointer], order)
