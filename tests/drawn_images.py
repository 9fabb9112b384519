"""Picture files drawn for the tests, byte by byte where no library writes them."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from stylize_core.image.decode import Picture, decode_picture
from stylize_core.settings.picture import PictureSettings

Array = NDArray[Any]


def landscape(width: int = 40, height: int = 24, channels: int = 3) -> Array:
    """Smooth colours that differ in every corner, [H, W, C] uint8."""
    y, x = np.mgrid[0:height, 0:width] / (max(width, height) - 1)
    planes = [0.9 * x + 0.05, 0.8 * y + 0.1, 0.5 + 0.3 * (x - y), 0.2 + 0.7 * x * y][:channels]
    levels: Array = np.rint(np.stack(planes, axis=-1) * 255)
    return levels.astype(np.uint8)


def deep_landscape(width: int = 40, height: int = 24, channels: int = 3) -> Array:
    """The same at 16 bits, with low bytes that are all different."""
    rng = np.random.default_rng(7)
    noise = rng.integers(0, 256, (height, width, channels), dtype=np.uint16)
    return landscape(width, height, channels).astype(np.uint16) * 256 + noise


def saved(pixels: Array | Image.Image, file_format: str, mode: str | None = None, **options: Any) -> bytes:
    """A file as Pillow writes it."""
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(np.squeeze(pixels), mode)
    out = io.BytesIO()
    image.save(out, file_format, **options)
    return out.getvalue()


def decoded(data: bytes, **settings: Any) -> Picture:
    """The picture in `data`, under the default settings but for `settings`."""
    return decode_picture(data, source="photos/a.jpg", settings=PictureSettings(**settings))


def planes(picture: Picture) -> Array:
    """The picture's colours as [H, W, 3]."""
    return picture.rgb.permute(1, 2, 0).numpy()


def chunk(name: bytes, data: bytes) -> bytes:
    """A PNG chunk with its CRC."""
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(pixels: Array, *chunks: bytes, colour_type: int, body: bytes | None = None) -> bytes:
    """A PNG of `pixels` [H, W, C] uint8 or uint16, with `chunks` before the picture; `body` replaces it."""
    height, width = pixels.shape[:2]
    rows = b"".join(b"\0" + row.astype(row.dtype.newbyteorder(">")).tobytes() for row in pixels)
    header = struct.pack(">IIBBBBB", width, height, 8 * pixels.itemsize, colour_type, 0, 0, 0)
    packed = zlib.compress(rows) if body is None else body
    parts = [chunk(b"IHDR", header), *chunks, chunk(b"IDAT", packed), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def claiming(picture: bytes, width: int, height: int) -> bytes:
    """The PNG `picture` with another size in its header, and the right CRC."""
    header = struct.pack(">II", width, height) + picture[24:29]
    return picture[:8] + chunk(b"IHDR", header) + picture[33:]


def tiff(
    samples: Array,
    *,
    photometric: int,
    sample_format: int = 1,
    bits: int | None = None,
    order: Literal["<", ">"] = "<",
    deflated: bool = False,
    extra: Mapping[int, tuple[str, Any]] | None = None,
) -> bytes:
    """A one-strip TIFF of `samples` [H, W, C] with more tags `extra`, as (type, values)."""
    height, width, channels = samples.shape
    body = samples.astype(samples.dtype.newbyteorder(order)).tobytes()
    body = zlib.compress(body) if deflated else body
    body += bytes(len(body) % 2)
    tags: dict[int, tuple[str, Any]] = {
        256: ("I", [width]),
        257: ("I", [height]),
        258: ("H", [bits or samples.itemsize * 8] * channels),
        259: ("H", [8 if deflated else 1]),
        262: ("H", [photometric]),
        273: ("I", [8]),
        277: ("H", [channels]),
        278: ("I", [height]),
        279: ("I", [len(body)]),
        339: ("H", [sample_format] * channels),
        **(extra or {}),
    }
    mark = b"II*\0" if order == "<" else b"MM\0*"
    return mark + struct.pack(f"{order}I", 8 + len(body)) + body + _directory(tags, 8 + len(body), order)


def _directory(tags: Mapping[int, tuple[str, Any]], at: int, order: str) -> bytes:
    kinds = {"B": 7, "H": 3, "I": 4, "f": 11, "i": 9}
    tail_at, entries, tail = at + 6 + 12 * len(tags), b"", b""
    for tag, (kind, values) in sorted(tags.items()):
        packed = bytes(values) if kind == "B" else struct.pack(f"{order}{len(values)}{kind}", *values)
        entries += struct.pack(f"{order}HHI", tag, kinds[kind], len(values))
        if len(packed) <= 4:
            entries += packed.ljust(4, b"\0")
        else:
            entries += struct.pack(f"{order}I", tail_at + len(tail))
            tail += packed + bytes(len(packed) % 2)
    return struct.pack(f"{order}H", len(tags)) + entries + bytes(4) + tail


def orientation_exif(orientation: int) -> Image.Exif:
    """An EXIF block that holds an orientation only."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif
