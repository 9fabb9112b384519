"""Pictures out: tensors to files that say which colours they mean and how they were made."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, BinaryIO

import torch
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
LEAST_INK = 1e-6
"""What is nearer to white than this is as good as white."""
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
    units = torch.stack([_unit(plane[top:bottom]) for plane in planes])
    if len(planes) == 4:
        alpha = units[3:].mul(full).round_().div_(full)
        units[:3] = stored_colours(units[:3], alpha)
    return units.mul_(full).round_().permute(1, 2, 0).numpy().astype(f"u{itemsize}", order="C")


def _unit(plane: Tensor) -> Tensor:
    unit = plane.detach().cpu().float().clamp(0, 1)
    if not bool(unit.isfinite().all()):
        raise ValueError("a picture with values that are not finite cannot be written")
    return unit


def stored_colours(shown: Tensor, alpha: Tensor) -> Tensor:
    """The colours of a file, [3, H, W], that show as these do where it lies on white; all in 0..1.

    Where a pixel is darker than one of such an alpha can show, it is as dark as its hue allows: less white is
    taken out of it than its alpha asks for, but as much of every channel. Opaque ones are the same bits, and
    where nothing shows they are white.

    Args:
        shown: [3, H, W].
        alpha: [1, H, W].
    """
    weight, ink = alpha.clamp_min(FAINT), 1 - shown
    strength = ink.amax(0, keepdim=True).clamp_min(LEAST_INK).reciprocal().minimum(weight.reciprocal())
    stored = (1 - ink * (strength * alpha / weight)).clamp_(0, 1)
    return torch.where(alpha == 1, shown, stored)


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
