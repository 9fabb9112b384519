"""Pictures out: tensors to files that say which colours they mean and how they were made."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, BinaryIO

import numpy as np
from PIL import Image, ImageFile, PngImagePlugin
from torch import Tensor

from stylize_core.image.colour import srgb_profile
from stylize_core.image.facts import FACTS_KEY, facts_text
from stylize_core.image.files.png_file import write_png
from stylize_core.image.files.strips import Strips, rows_of
from stylize_core.image.files.tiff_file import write_tiff
from stylize_core.image.metadata.reading import NOTHING, Metadata
from stylize_core.image.metadata.writing import pillow_options, png_chunks, png_text, tiff_tags
from stylize_core.image.opening import Array
from stylize_core.settings.picture import PictureSettings

PNG_PIXELS_OF_PILLOW = 2**26
"""A larger PNG of eight bits is written in strips: the same pixels in other bytes, in less memory."""
FAINT = 1 / 32
"""Colours of pixels with less alpha than this fade to white: so little of them is noise above all."""
_saving = threading.Lock()


def encode_picture(
    rgb: Tensor,
    *,
    alpha: Tensor | None,
    settings: PictureSettings,
    facts: Mapping[str, str],
    metadata: Metadata = NOTHING,
) -> bytes:
    """A whole file in `settings.format`, in memory; `write_picture` says more.

    Args:
        rgb: [3, H, W] floating point, finite, as it shows on white; clamped to 0..1 and rounded to levels.
        alpha: [1, H, W] of the same size, or None. JPEG leaves it out.
        settings: format, bit depth, quality, dots per inch, and what of `metadata` is kept.
        facts: short texts about the making, which the file carries.
        metadata: what the content says of its owner.

    Raises:
        ValueError: see `write_picture`.
    """
    out = io.BytesIO()
    write_picture(out, rgb, alpha=alpha, settings=settings, facts=facts, metadata=metadata)
    return out.getvalue()


# Why so many: a file is made of pixels, of how they are stored and of what is said of them.
def write_picture(
    into: BinaryIO,
    rgb: Tensor,
    *,
    alpha: Tensor | None,
    settings: PictureSettings,
    facts: Mapping[str, str],
    metadata: Metadata = NOTHING,
) -> None:
    """Write a whole file in `settings.format`: sRGB profile and facts inside; equal input gives equal bytes.

    A file's colours are those that show as `rgb` where it lies on white, as far as there are such. Pixels
    become levels a strip at a time; TIFF, PNG of 16 bits and large PNGs are packed and written so too.
    JPEG, WebP and other PNGs are held once more, at four bytes a pixel, by Pillow.

    Args:
        into: an empty file that can seek; what it holds after an error is of no use.
        rgb: [3, H, W] floating point, finite, as it shows on white; clamped to 0..1 and rounded to levels.
        alpha: [1, H, W] of the same size, or None. JPEG has no place for it and leaves it out.
        settings: format, bit depth, quality and dots per inch.
        facts: short texts about the making; `embedded_facts` reads them back.
        metadata: what the content says of its owner; `settings.metadata` says what of it is kept.

    Raises:
        ValueError: the facts are too long for an EXIF block, the values are not finite, or the format ends
            below this size (WebP: 16383 px).
    """
    words, kept = facts_text(facts), metadata.kept(settings.metadata)
    if settings.dpi:
        kept = replace(kept, dpi=(float(settings.dpi), float(settings.dpi)))
    strips = _strips(rgb, alpha if settings.format != "jpeg" else None, settings.bit_depth // 8)
    if settings.format == "tiff":
        write_tiff(into, strips, profile=srgb_profile(), description=words, more=tiff_tags(kept))
    elif settings.format == "png" and (
        settings.bit_depth == 16 or strips.width * strips.height > PNG_PIXELS_OF_PILLOW
    ):
        more = png_chunks(kept)
        write_png(into, strips, profile=srgb_profile(), keyword=FACTS_KEY, text=words, more=more)
    else:
        _write_by_pillow(into, strips, settings, words, kept)


def _strips(rgb: Tensor, alpha: Tensor | None, itemsize: int) -> Strips:
    height, width = rgb.shape[1:]
    planes = [*rgb, *(() if alpha is None else alpha)]
    rows = rows_of(width, len(planes), itemsize)
    pixels = (_levels(planes, top, min(top + rows, height), itemsize) for top in range(0, height, rows))
    return Strips(width, height, len(planes), itemsize, pixels)


def _levels(planes: list[Tensor], top: int, bottom: int, itemsize: int) -> Array:
    """[rows, W, 3 or 4] of uint8 or uint16."""
    full = 256**itemsize - 1
    levels = np.empty((bottom - top, planes[0].shape[1], len(planes)), f"u{itemsize}")
    alpha = _unit(planes[3][top:bottom]).mul_(full).round_().div_(full) if len(planes) == 4 else None
    for channel, plane in enumerate(planes):
        unit = _unit(plane[top:bottom])
        if alpha is not None and channel < 3:
            unit = _off_white(unit, alpha)
        levels[..., channel] = unit.mul_(full).round_().numpy()
    return levels


def _unit(plane: Tensor) -> Tensor:
    unit = plane.detach().cpu().float().clamp(0, 1)
    if not bool(unit.isfinite().all()):
        raise ValueError("a picture with values that are not finite cannot be written")
    return unit


def _off_white(shown: Tensor, alpha: Tensor) -> Tensor:
    """The colours that show as these do where they lie on white with that alpha, all in 0..1.

    Opaque ones are the same bits, and where nothing shows they are white. What is darker than a pixel of such
    an alpha can show is black.
    """
    weight = alpha.clamp_min(FAINT)
    straight = ((shown - (1 - weight)) / weight).clamp_(0, 1)
    return straight + (1 - alpha / weight) * (1 - straight)


def _write_by_pillow(
    into: BinaryIO, strips: Strips, settings: PictureSettings, words: str, metadata: Metadata
) -> None:
    options: dict[str, Any] = {"icc_profile": srgb_profile()}
    options |= pillow_options(metadata, settings.format, words)
    if settings.format == "png":
        options["pnginfo"] = PngImagePlugin.PngInfo()
        options["pnginfo"].add_itxt(FACTS_KEY, words)
        png_text(metadata, options["pnginfo"])
    else:
        options["quality"] = settings.quality
    # 4:4:4, since brush strokes live in colour edges; method 4 is libwebp's own default, named to stay put.
    options |= {"jpeg": {"subsampling": 0, "optimize": True}, "webp": {"method": 4}}.get(settings.format, {})
    with _room_for(4 * strips.width * strips.height):
        _image(strips).save(into, settings.format, **options)


@contextmanager
def _room_for(size_bytes: int) -> Iterator[None]:
    """Let Pillow's JPEG writer, have a buffer for all of any file: it guesses too little."""
    with _saving:
        before = ImageFile.MAXBLOCK
        ImageFile.MAXBLOCK = max(before, size_bytes)
        try:
            yield
        finally:
            ImageFile.MAXBLOCK = before


def _image(strips: Strips) -> Image.Image:
    """The picture as Pillow's, filled strip by strip."""
    image = Image.new("RGB" if strips.channels == 3 else "RGBA", (strips.width, strips.height))
    top = 0
    for strip in strips.pixels:
        image.paste(Image.fromarray(strip), (0, top))
        top += len(strip)
    return image
