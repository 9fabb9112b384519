"""Samples of more than eight bits, on the scale that the file declares; Pillow alone drops or clips them."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from typing import Any

import numpy as np
from PIL import Image

from stylize_core.image.opening import (
    CHANNELS,
    Array,
    Samples,
    Space,
    keyed_alpha,
    open_image,
    raw_mode,
    set_raw_mode,
)

DEEP = re.compile(r"(RGB|RGBA|RGBX|RGBa|CMYK|LA);16([BLN])")
_BITS, _PHOTOMETRIC, _PLANAR, _SAMPLE_MIN, _SAMPLE_MAX = 258, 262, 284, 340, 341
_FULL = {"I;12": 2.0**12 - 1, "I;16S": 2.0**15 - 1, "I;16BS": 2.0**15 - 1, "I;32N": 2.0**32 - 1, "F": 1.0}
# A whole picture below this share of its scale is black to the eye: its scale is not the one it declares.
_DARKEST_PEAK = 1 / 1024


def read_deep(data: bytes, kind: str, image: Image.Image) -> Samples:
    """Sixteen bits for each of several channels, all of them kept.

    Pillow keeps one byte of each sample, and which one depends on the byte order that it is told: so the file
    is decoded twice, once for either byte.
    """
    layout, order = _layout(raw_mode(image))
    key, tags = image.info.get("transparency"), getattr(image, "tag_v2", {})
    values = _both_bytes(data, kind, image, layout, order)
    space: Space = "grey" if layout == "LA" else "CMYK" if layout == "CMYK" else "RGB"
    count = CHANNELS[space]
    if layout in ("LA", "RGBA", "RGBa"):
        alpha: Array | None = values[..., count] / np.float32(65535)
    else:
        alpha = keyed_alpha(values, key)
    values = values[..., :count]
    if layout == "RGBa" and alpha is not None:
        values = _unmultiplied(values, alpha)
    return _on_declared_scale(Samples(values, 65535.0, space, alpha, f"{layout};16"), tags)


def refuse_deep_planes(image: Image.Image) -> None:
    """Pillow reads channels of 16 bits in separate planes as if they had 8.

    Raises:
        ValueError: this is such a picture.
    """
    tags = getattr(image, "tag_v2", {})
    if tags.get(_PLANAR) == 2 and max(tags.get(_BITS, (1,))) > 8:
        raise ValueError("channels of 16 bits in separate planes are not supported; store them interleaved")


def _layout(name: str) -> tuple[str, str]:
    found = DEEP.fullmatch(name)
    if found is None:
        raise ValueError(f"layout {name} has no 16-bit channels")
    return found[1], found[2]


def _both_bytes(data: bytes, kind: str, image: Image.Image, layout: str, order: str) -> Array:
    if layout == "LA":  # its two samples are the four bytes of RGBA
        four = _load_as(image, "RGBA").astype(np.uint16)
        return np.asarray(four[..., 0::2] << 8 | four[..., 1::2])
    plain = layout.replace("a", "A")
    little = order == "L" or (order == "N" and sys.byteorder == "little")
    values = _load_as(image, f"{plain};16{'L' if little else 'B'}").astype(np.uint16)
    values <<= 8
    values |= _load_as(open_image(data, kind), f"{plain};16{'B' if little else 'L'}")
    return values


def _load_as(image: Image.Image, name: str) -> Array:
    set_raw_mode(image, name)
    image.load()
    return np.asarray(image)


def _unmultiplied(values: Array, alpha: Array) -> Array:
    straight = values / np.maximum(alpha[..., None], np.float32(1 / 65535))
    return np.minimum(np.rint(straight), 65535).astype(np.uint16)


def read_grey(image: Image.Image) -> Samples:
    """One channel of 12, 16 or 32 bits, or of floating point."""
    name, tags = _in_native_order(image), getattr(image, "tag_v2", {})
    image.load()
    values: Array = np.asarray(image)
    if name == "I;32N":
        values = values.view(np.uint32)
    alpha = keyed_alpha(values[..., None], image.info.get("transparency"))
    full = _FULL.get(name, _FULL.get(image.mode, 2.0**31 - 1 if image.mode == "I" else 65535.0))
    samples = _on_declared_scale(Samples(values[..., None], full, "grey", alpha, image.mode), tags)
    if tags.get(_PHOTOMETRIC) == 0:  # white is zero
        return replace(samples, values=1 - samples.values / np.float32(samples.full), full=1.0)
    return samples


def _in_native_order(image: Image.Image) -> str:
    """The layout, corrected: libtiff hands over native byte order, which Pillow forgets beyond 16 bits."""
    name = raw_mode(image)
    tile: Any = getattr(image, "tile", [None])[0]
    native = {"I;32BS": "I;32S", "I;16BS": "I;16S", "F;32BF": "F;32F"}
    if tile is not None and tile.codec_name == "libtiff" and name in native and sys.byteorder == "little":
        name = native[name]
        set_raw_mode(image, name)
    return name


def _on_declared_scale(samples: Samples, tags: Any) -> Samples:
    """The samples with 0 and 1 where SMinSampleValue and SMaxSampleValue put them, else at the type's range.

    Raises:
        ValueError: a sample lies outside, or all are so dark that the scale cannot be meant.
    """
    low, high = _number(tags.get(_SAMPLE_MIN), 0.0), _number(tags.get(_SAMPLE_MAX), samples.full)
    values, least, peak = samples.values, float(samples.values.min()), float(samples.values.max())
    if not low <= least <= peak <= high or low >= high:
        raise ValueError(
            f"its samples reach from {least:g} to {peak:g}, outside {low:g} to {high:g};"
            " declare their range as SMinSampleValue and SMaxSampleValue, or scale them"
        )
    if (
        values.dtype.itemsize == 4
        and values.dtype.kind != "f"
        and 0 < peak - low < (high - low) * _DARKEST_PEAK
    ):
        raise ValueError(f"its samples reach {peak:g} of {high:g}, which is black; declare SMaxSampleValue")
    decisions = () if (low, high) == (0, 1) else (f"samples of {low:.10g} to {high:.10g} scaled to 0 to 1",)
    if values.dtype == np.uint16 and (low, high) == (0.0, 65535.0):
        return replace(samples, decisions=decisions)
    unit = ((values.astype(np.float64) - low) / (high - low)).astype(np.float32)
    return replace(samples, values=unit, full=1.0, decisions=decisions)


def _number(tag: Any, otherwise: float) -> float:
    """The largest of a tag's values, which stand one per channel."""
    if tag is None:
        return otherwise
    return float(max(tag)) if isinstance(tag, tuple) else float(tag)
