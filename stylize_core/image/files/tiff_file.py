"""TIFF files from strips of pixels, eight or sixteen bits per channel; BigTIFF where 4 GB may not do.

Adobe's revision 6.0 with the deflate compression and horizontal predictor of its Technical Note 2; BigTIFF as
libtiff defines it: offsets and counts of eight bytes.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

from stylize_core.image.files.strips import LEVEL, Array, Strips

Tags = Mapping[int, tuple[str, Any]]

CLASSIC_BYTES = 2**32
_TYPES = {"B": 7, "s": 2, "H": 3, "I": 4, "R": 5, "Q": 16}


@dataclass(frozen=True, slots=True)
class _Form:
    """How a file writes its offsets: `mark` follows the byte order."""

    mark: bytes
    offset: str
    count: str

    @property
    def size(self) -> int:
        """Bytes of an offset, which a short value may stand in place of."""
        return struct.calcsize(self.offset)


_CLASSIC = _Form(struct.pack("<2sH", b"II", 42), "I", "H")
_BIG = _Form(struct.pack("<2sHHH", b"II", 43, 8, 0), "Q", "Q")


# Why so many: a file is made of its pixels and of what is said of them.
def write_tiff(
    into: BinaryIO,
    strips: Strips,
    *,
    profile: bytes,
    description: str,
    more: Tags | None = None,
    classic_bytes: int = CLASSIC_BYTES,
) -> None:
    """Write a little-endian TIFF, deflated, from the beginning of a seekable file; `description` is ASCII.

    Args:
        more: other tags: bytes (B), a text with its NUL (s), short (H), long (I) or rational numbers (R).
        classic_bytes: a file that might become longer is a BigTIFF.
    """
    # Deflate makes what it cannot pack a little longer; the directory needs room as well.
    may_take = strips.nbytes * 1.01 + 2**20
    form = _CLASSIC if may_take < classic_bytes else _BIG
    head = len(form.mark) + form.size
    into.write(form.mark + bytes(form.size))
    lengths = [into.write(_packed(pixels)) for pixels in strips.pixels]
    offsets = [head + sum(lengths[:index]) for index in range(len(lengths))]
    end = head + sum(lengths)
    into.write(bytes(end % 2))
    tags = _tags(strips, profile, description, form, offsets, lengths) | dict(more or {})
    into.write(_directory(tags, end + end % 2, form))
    into.seek(len(form.mark))
    into.write(struct.pack(f"<{form.offset}", end + end % 2))
    into.seek(0, 2)


def _packed(pixels: Array) -> bytes:
    """Differences to the left neighbour, modulo the sample's range, deflated."""
    difference = pixels.copy()
    difference[:, 1:] -= pixels[:, :-1]
    return zlib.compress(difference.astype(difference.dtype.newbyteorder("<")).tobytes(), LEVEL)


def _tags(
    strips: Strips, profile: bytes, description: str, form: _Form, offsets: list[int], lengths: list[int]
) -> dict[int, tuple[str, Any]]:
    channels = strips.channels
    tags: dict[int, tuple[str, Any]] = {
        256: ("I", [strips.width]),
        257: ("I", [strips.height]),
        258: ("H", [strips.itemsize * 8] * channels),
        259: ("H", [8]),  # deflate
        262: ("H", [2]),  # RGB
        270: ("s", description.encode("ascii") + b"\0"),
        273: (form.offset, offsets),
        277: ("H", [channels]),
        278: ("I", [strips.rows]),
        279: ("I", lengths),
        284: ("H", [1]),  # channels interleaved
        317: ("H", [2]),  # horizontal differencing
        339: ("H", [1] * channels),  # unsigned integers
        34675: ("B", profile),
    }
    if channels == 4:
        tags[338] = ("H", [2])  # the fourth channel is unassociated alpha
    return tags


def _directory(tags: Mapping[int, tuple[str, Any]], at: int, form: _Form) -> bytes:
    """The image file directory that starts at offset `at`, long values behind it."""
    number = struct.calcsize(form.count)
    tail_at = at + number + (4 + 2 * form.size) * len(tags) + form.size
    entries, tail = b"", b""
    for tag, (kind, values) in sorted(tags.items()):
        layout = f"<{len(values)}{kind.replace('R', 'I')}"
        packed = bytes(values) if kind in "Bs" else struct.pack(layout, *values)
        count = len(values) // 2 if kind == "R" else len(values)  # of numerator and denominator each
        entries += struct.pack(f"<HH{form.offset}", tag, _TYPES[kind], count)
        if len(packed) <= form.size:
            entries += packed.ljust(form.size, b"\0")
        else:
            entries += struct.pack(f"<{form.offset}", tail_at + len(tail))
            tail += packed + bytes(len(packed) % 2)
    return struct.pack(f"<{form.count}", len(tags)) + entries + bytes(form.size) + tail
