"""Pictures out: tensors to the bytes of a file that says which colours it means and how it was made."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import Image, PngImagePlugin
from torch import Tensor

from stylize_core.image.colour import srgb_profile
from stylize_core.image.deep_files import png16_bytes, tiff_bytes
from stylize_core.image.facts import FACTS_KEY, facts_text
from stylize_core.image.metadata.reading import NOTHING, Metadata
from stylize_core.image.metadata.writing import pillow_options, png_chunks, png_text, tiff_tags
from stylize_core.image.opening import Array
from stylize_core.settings.picture import PictureSettings


def encode_picture(
    rgb: Tensor,
    *,
    alpha: Tensor | None,
    settings: PictureSettings,
    facts: Mapping[str, str],
    metadata: Metadata = NOTHING,
) -> bytes:
    """A whole file in `settings.format`: sRGB profile and facts inside, the same bytes for the same input.

    Args:
        rgb: [3, H, W] floating point, finite; clamped to 0..1 and rounded to the nearest level.
        alpha: [1, H, W] of the same size, or None. JPEG has no place for it and leaves it out.
        settings: format, bit depth and quality.
        facts: short texts about the making; `embedded_facts` reads them back.
        metadata: what the content says of its owner; `settings.metadata` says what of it is kept.

    Raises:
        ValueError: the facts are too long for an EXIF block, the values are not finite, or the format ends
            below this size (WebP: 16383 px).
    """
    deep = settings.bit_depth == 16
    pixels = _levels(rgb, alpha if settings.format != "jpeg" else None, 65535 if deep else 255)
    words, kept = facts_text(facts), metadata.kept(settings.metadata)
    if settings.format == "tiff":
        return tiff_bytes(pixels, profile=srgb_profile(), description=words, more=tiff_tags(kept))
    if settings.format == "png" and deep:
        more = png_chunks(kept)
        return png16_bytes(pixels, profile=srgb_profile(), keyword=FACTS_KEY, text=words, more=more)
    return _by_pillow(pixels, settings, words, kept)


def _levels(rgb: Tensor, alpha: Tensor | None, full: int) -> Array:
    """[H, W, 3 or 4] of uint8 or uint16."""
    height, width = rgb.shape[1:]
    planes = [*rgb, *(() if alpha is None else alpha)]
    levels = np.empty((height, width, len(planes)), np.uint8 if full == 255 else np.uint16)
    for channel, plane in enumerate(planes):
        unit = plane.detach().cpu().float().clamp(0, 1)
        if not bool(unit.isfinite().all()):
            raise ValueError("a picture with values that are not finite cannot be written")
        levels[..., channel] = unit.mul_(full).round_().numpy()
    return levels


def _by_pillow(pixels: Array, settings: PictureSettings, words: str, metadata: Metadata) -> bytes:
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
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, settings.format, **options)
    return out.getvalue()
