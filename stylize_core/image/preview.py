"""A picture made small for looking at: bytes in, WebP out, of a length that the caller sets. No torch."""

from __future__ import annotations

import io
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from stylize_core.image.colour import to_srgb
from stylize_core.image.formats.boxes import check_boxes
from stylize_core.image.formats.heic import open_heic, read_heic
from stylize_core.image.formats.kinds import ACCEPTED, sniff
from stylize_core.image.opening import Array, Samples, open_image, pillow_rules
from stylize_core.image.policy import boxed_space, named_space, orientation, upright, words
from stylize_core.image.samples import read_samples
from stylize_core.image.spaces import SRGB

MOST_PIXELS = 50_000_000
"""A larger picture is not decoded; a JPEG, which is decoded in part only, may be four times it."""

_QUALITIES = (68, 44, 28)
_SMALLEST_PX = 24


class NoPreview(ValueError):
    """A picture that is not made small; the text says why."""


@dataclass(frozen=True, slots=True)
class Preview:
    """A small picture: its WebP file, and its sides in px."""

    data: bytes
    width: int
    height: int


def draw_preview(data: bytes, *, long_edge: int, at_most_bytes: int) -> Preview:
    """The picture in sRGB, upright, on white where it is transparent.

    Args:
        long_edge: of the preview, px; a smaller picture keeps its size.
        at_most_bytes: of the file; where the best quality takes more it is lowered, and then the size.

    Raises:
        NoPreview: it cannot be decoded, or not within `MOST_PIXELS`.
    """
    kind = sniff(data)
    if kind not in ACCEPTED:
        raise NoPreview(f"this is {kind}")
    try:
        with pillow_rules(MOST_PIXELS * (4 if kind == "JPEG" else 1)):
            pixels = _small(data, kind, long_edge)
    # Pillow raises nearly every built-in type on broken files; whatever it is, there is no preview.
    except Exception as error:
        raise NoPreview(words(error)) from error
    return _encoded(Image.fromarray(pixels), at_most_bytes)


def _small(data: bytes, kind: str, long_edge: int) -> Array:
    """[h, w, 3] uint8, sRGB, upright."""
    if kind == "HEIC":
        file = open_heic(data, max_pixels=MOST_PIXELS)
        turn: object = 1  # libheif has turned it
        profile, named = file.info.get("icc_profile"), boxed_space(data, kind)
        samples = read_heic(file)
    else:
        if kind == "AVIF":
            check_boxes(data)
        named = named_space(data, kind, open_image(data, kind)) if kind != "TIFF" else SRGB
        image = open_image(data, kind)
        image.draft(
            image.mode, (2 * long_edge, 2 * long_edge)
        )  # JPEG's decoder then gives a half, ..., an eighth
        samples = read_samples(data, kind, image)
        profile, (turn, _) = image.info.get("icc_profile"), orientation(image)
    samples = _shrunk(samples, long_edge)
    planes, _ = to_srgb(samples, profile, named)
    if samples.alpha is not None:
        planes = planes * samples.alpha + (1 - samples.alpha)
    levels = np.rint(upright(planes, turn).clip(0, 1) * 255).astype(np.uint8)
    return np.ascontiguousarray(levels.transpose(1, 2, 0))


def _shrunk(samples: Samples, long_edge: int) -> Samples:
    """The samples with at most `long_edge` px, plane by plane, in eight bits: it is for the eye alone."""
    height, width = samples.values.shape[:2]
    share = min(1.0, long_edge / max(height, width))
    size = max(1, round(width * share)), max(1, round(height * share))
    planes = [_resized(samples.values[..., at], samples.full, size) for at in range(samples.values.shape[2])]
    alpha = None if samples.alpha is None else _resized(samples.alpha, 1.0, size).astype(np.float32) / 255
    return replace(samples, values=np.stack(planes, axis=-1), full=255.0, alpha=alpha)


def _resized(plane: Array, full: float, size: tuple[int, int]) -> Array:
    levels = (
        plane if plane.dtype == np.uint8 else (plane * np.float32(255 / full)).clip(0, 255).astype(np.uint8)
    )
    image = Image.fromarray(np.ascontiguousarray(levels))
    small = image if image.size == size else image.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)
    return np.asarray(small)


def _encoded(image: Image.Image, at_most: int) -> Preview:
    """In the best quality that is short enough; failing that, smaller."""
    while True:
        for quality in _QUALITIES:
            file = io.BytesIO()
            image.save(file, "WEBP", quality=quality, method=2)
            if file.tell() <= at_most:
                return Preview(file.getvalue(), *image.size)
        if max(image.size) <= _SMALLEST_PX:
            raise NoPreview(f"{at_most} bytes hold no picture")
        smaller = max(1, image.width * 3 // 4), max(1, image.height * 3 // 4)
        image = image.resize(smaller, Image.Resampling.LANCZOS)
