"""Pictures out: tensors to the bytes of a file that says which colours it means and how it was made."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import Image, PngImagePlugin
from torch import Tensor

from stylize_core.image.colour import srgb_profile
from stylize_core.image.deep_files import png16_bytes, tiff_bytes
from stylize_core.image.formats.kinds import sniff
from stylize_core.image.opening import Array, open_image, pillow_rules
from stylize_core.settings.picture import PictureSettings

FACTS_KEY = "stylize"
MAX_FACTS_BYTES = 60_000
_DESCRIPTION = 0x010E


def encode_picture(
    rgb: Tensor, *, alpha: Tensor | None, settings: PictureSettings, facts: Mapping[str, str]
) -> bytes:
    """A whole file in `settings.format`: sRGB profile and facts inside, the same bytes for the same input.

    Args:
        rgb: [3, H, W] floating point, finite; clamped to 0..1 and rounded to the nearest level.
        alpha: [1, H, W] of the same size, or None. JPEG has no place for it and leaves it out.
        settings: format, bit depth and quality.
        facts: short texts about the making; `embedded_facts` reads them back.

    Raises:
        ValueError: the facts are too long for an EXIF block, the values are not finite, or the format ends
            below this size (WebP: 16383 px).
    """
    deep = settings.bit_depth == 16
    pixels = _levels(rgb, alpha if settings.format != "jpeg" else None, 65535 if deep else 255)
    words = _facts_text(facts)
    if settings.format == "tiff":
        return tiff_bytes(pixels, profile=srgb_profile(), description=words)
    if settings.format == "png" and deep:
        return png16_bytes(pixels, profile=srgb_profile(), keyword=FACTS_KEY, text=words)
    return _by_pillow(pixels, settings, words)


def embedded_facts(data: bytes) -> dict[str, str]:
    """The facts that `encode_picture` put into these bytes; empty where there are none to be read."""
    try:
        with pillow_rules(float("inf")):
            image = open_image(data, sniff(data))
            text = image.info.get(FACTS_KEY) or image.getexif().get(_DESCRIPTION)
            facts = json.loads(str(text))[FACTS_KEY]
            return {str(key): str(value) for key, value in facts.items()}
    # A picture of somebody else's, or none at all: it holds no facts, and that is the answer.
    except Exception:
        return {}


def _facts_text(facts: Mapping[str, str]) -> str:
    text = json.dumps({FACTS_KEY: dict(facts)}, sort_keys=True, separators=(",", ":"))
    if len(text) > MAX_FACTS_BYTES:
        raise ValueError(f"the facts take {len(text)} bytes; {MAX_FACTS_BYTES} fit into a picture")
    return text


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


def _by_pillow(pixels: Array, settings: PictureSettings, words: str) -> bytes:
    options: dict[str, Any] = {"icc_profile": srgb_profile()}
    if settings.format == "png":
        options["pnginfo"] = PngImagePlugin.PngInfo()
        options["pnginfo"].add_itxt(FACTS_KEY, words)
    else:
        exif = Image.Exif()
        exif[_DESCRIPTION] = words
        options |= {"exif": exif, "quality": settings.quality}
    # 4:4:4, since brush strokes live in colour edges; method 4 is libwebp's own default, named to stay put.
    options |= {"jpeg": {"subsampling": 0, "optimize": True}, "webp": {"method": 4}}.get(settings.format, {})
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, settings.format, **options)
    return out.getvalue()
