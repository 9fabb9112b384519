"""Pictures out of files and into files, for programs that call the library."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from stylize_core.image.decode import Picture, decode_picture
from stylize_core.image.encode import write_picture
from stylize_core.image.large.fitting import decode_fitting
from stylize_core.image.resize import brought_to
from stylize_core.settings.fields import WHOLE
from stylize_core.settings.picture import PictureSettings, format_of
from stylize_core.settings.picture_size import PictureSize

Source = str | os.PathLike[str] | bytes
"""The path of a picture's file, or all of its bytes."""


def open_picture(
    source: Source, *, size: int | None = None, settings: PictureSettings | None = None
) -> Picture:
    """Read a picture: upright, in sRGB, floats from 0 to 1.

    Args:
        source: the path of a local file, or all of its bytes: JPEG, PNG, WebP, TIFF, GIF, BMP, AVIF or HEIC.
        size: long edge, px, that the picture is brought to at once, by Lanczos. None keeps it whole, which is
            best for `stylize`: it brings pictures to its own size. With a size, JPEG, PNG and TIFF files
            beyond `max_megapixels` are read as well, in parts.
        settings: `frames` and `max_megapixels` count; None for the defaults.

    Returns:
        a picture whose `rgb` is [3, H, W] and whose `alpha` is [1, H, W], or None where it is opaque.

    Raises:
        OSError: there is no such file, or it cannot be read.
        BadImage: it is no complete picture of these formats, or an animation while `frames` is `refuse`.
        ImageTooLarge: it has more pixels than `max_megapixels` allows; nothing was decoded.
        ImageTooSmall: a side is shorter than 16 px.
        OutOfMemory: the memory does not hold it.
    """
    named, data = ("the bytes", source) if isinstance(source, bytes) else _read(source)
    settings = settings or PictureSettings()
    if size is None:
        return decode_picture(data, source=named, settings=settings)
    edge = PictureSize(size).expected_px
    fitted = decode_fitting(data, source=named, settings=settings, part=WHOLE, long_edge=lambda *_: edge)
    return brought_to(fitted.picture, edge, used=fitted.used, enlarge=True)[0]


def save_picture(
    picture: Picture,
    path: str | os.PathLike[str],
    *,
    settings: PictureSettings | None = None,
    facts: Mapping[str, str] | None = None,
) -> None:
    """Write a picture to a local file, whose name says the format; a file that is there is replaced.

    The file appears once it is complete, so nobody ever finds half of it.

    Args:
        picture: its `rgb` [3, H, W], as it shows on white, is clamped to 0..1; JPEG leaves its `alpha` out.
        path: ends in .png, .jpg, .jpeg, .webp, .tif or .tiff, in either case.
        settings: `bit_depth`, `quality`, `dpi` and `metadata` count; None for the defaults.
        facts: short texts that the file is to carry about its making.

    Raises:
        SettingsError: the ending is none of these, or the format does not hold the bit depth.
        OSError: the folder is not there or may not be written, or the disk is full.
        ValueError: values are not finite, the facts are too long, or it is too large for the format.
    """
    place = Path(path)
    settings = replace(settings or PictureSettings(), format=format_of(str(path), key="path"))
    part = place.with_name(f".{place.name}.{secrets.token_hex(4)}")
    try:
        with part.open("x+b") as file:
            write_picture(
                file,
                picture.rgb,
                alpha=picture.alpha,
                settings=settings,
                facts=facts or {},
                metadata=picture.metadata,
            )
            file.flush()
            os.fsync(file.fileno())
        part.replace(place)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _read(path: str | os.PathLike[str]) -> tuple[str, bytes]:
    return os.fspath(path), Path(path).read_bytes()
