"""From a file's bytes to its samples as they are stored: nothing is converted yet."""

from __future__ import annotations

import io
import re
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile

Array = NDArray[Any]
Space = Literal["grey", "RGB", "CMYK", "LAB"]

_PILLOW_NAMES = {"JPEG": ["JPEG", "MPO"], "WebP": ["WEBP"]}
_DEEP = re.compile(r"(RGB|RGBA|RGBX|RGBa|CMYK|LA);16([BLN])")
_CHANNELS: dict[Space, int] = {"grey": 1, "RGB": 3, "CMYK": 4, "LAB": 3}
_lock = threading.RLock()


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """Samples as stored.

    Attributes:
        values: [H, W, C] uint8, uint16 or float32; `full` is the value that means 1.
        space: what the C channels are.
        alpha: [H, W] float32 0..1, or None where the file has none.
        mode: Pillow's word for the layout, with the depth where Pillow drops it.
    """

    values: Array
    full: float
    space: Space
    alpha: Array | None
    mode: str


@contextmanager
def pillow_rules(max_pixels: float) -> Iterator[list[warnings.WarningMessage]]:
    """Inside, Pillow refuses more than `max_pixels` and every cut file; its warnings are collected.

    These are switches of the whole process, so one picture is decoded at a time.
    """
    with _lock, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        before = Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES
        # Pillow refuses above twice this number, before it allocates anything.
        Image.MAX_IMAGE_PIXELS = max_pixels / 2  # type: ignore[assignment]
        ImageFile.LOAD_TRUNCATED_IMAGES = False
        try:
            yield caught
        finally:
            Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES = before


def open_image(data: bytes, kind: str) -> Image.Image:
    """The header, by the one plug-in that `kind` names."""
    return Image.open(io.BytesIO(data), formats=_PILLOW_NAMES.get(kind, [kind]))


def read_samples(data: bytes, kind: str, image: Image.Image) -> Samples:
    """Decode the first frame of `image`, which `open_image(data, kind)` gave.

    Raises:
        Exception: whatever Pillow raises; the image object is of no further use then.
    """
    deep = _DEEP.fullmatch(_raw_mode(image))
    if deep:
        return _read_deep(data, kind, image, deep)
    image.load()
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        return _read_scalar(image)
    return _read_bytes(image)


def _raw_mode(image: Image.Image) -> str:
    tiles = getattr(image, "tile", None)
    args = tiles[0].args if tiles else ""
    return str(args[0] if isinstance(args, tuple) and args else args)


def _read_bytes(image: Image.Image) -> Samples:
    """Eight bits or fewer per channel."""
    mode, key = image.mode, image.info.get("transparency")
    if mode in ("P", "PA"):
        image = image.convert("RGBA" if mode == "PA" or key is not None else "RGB")
    elif mode == "La":
        image = image.convert("LA")
    elif mode == "1":
        image = image.convert("L")
    elif mode in ("YCbCr", "RGBX"):
        image = image.convert("RGB")
    pixels: Array = np.asarray(image)
    pixels = pixels[..., None] if pixels.ndim == 2 else pixels
    space = _space(image.mode)
    if image.mode in ("LA", "RGBA"):
        alpha = pixels[..., -1].astype(np.float32) / 255
    else:
        alpha = _keyed(pixels, _scaled_key(image, key)) if mode in ("1", "L", "RGB") else None
    return Samples(pixels[..., : _CHANNELS[space]], 255.0, space, alpha, mode)


def _space(mode: str) -> Space:
    spaces: dict[str, Space] = {
        "L": "grey",
        "LA": "grey",
        "RGB": "RGB",
        "RGBA": "RGB",
        "CMYK": "CMYK",
        "LAB": "LAB",
    }
    if mode not in spaces:
        raise ValueError(f"pixels of layout {mode} are not supported")
    return spaces[mode]


def _scaled_key(image: Image.Image, key: Any) -> Any:
    """The transparent grey on the 0..255 scale: Pillow scales 2 and 4 bit samples but not their key."""
    raw = re.fullmatch(r"L;([24])", _raw_mode(image))
    return key * 255 // (2 ** int(raw[1]) - 1) if raw and isinstance(key, int) else key


def _keyed(pixels: Array, key: Any) -> Array | None:
    """Alpha from one transparent colour; None where there is no such colour."""
    if not isinstance(key, int | tuple):
        return None
    opaque: Array = np.any(pixels != np.asarray(key), axis=-1)
    return opaque.astype(np.float32)


def _read_deep(data: bytes, kind: str, image: Image.Image, deep: re.Match[str]) -> Samples:
    """Sixteen bits per channel. Pillow keeps one byte of each sample, and the file's byte order says which:
    so the file is decoded twice, once for either byte.
    """
    if getattr(image, "_planar_configuration", 1) == 2:
        raise ValueError(
            "16-bit channels stored in separate planes are not supported; store them interleaved"
        )
    layout, order = deep.groups()
    little = order == "L" or (order == "N" and sys.byteorder == "little")
    key = image.info.get("transparency")
    if layout == "LA":
        both = _load_as(image, "RGBA")
        values = both[..., 0::2].astype(np.uint16) << 8 | both[..., 1::2]
    else:
        plain = layout.replace("a", "A")
        high = _load_as(image, f"{plain};16{'L' if little else 'B'}")
        values = high.astype(np.uint16) << 8
        values |= _load_as(open_image(data, kind), f"{plain};16{'B' if little else 'L'}")
    space: Space = "grey" if layout == "LA" else "CMYK" if layout == "CMYK" else "RGB"
    count = _CHANNELS[space]
    alpha = values[..., count].astype(np.float32) / 65535 if layout in ("LA", "RGBA", "RGBa") else None
    if layout == "RGB":
        alpha = _keyed(values, key)
    values = values[..., :count]
    if layout == "RGBa" and alpha is not None:
        values = _unmultiplied(values, alpha)
    return Samples(values, 65535.0, space, alpha, f"{layout};16")


def _load_as(image: Image.Image, raw_mode: str) -> Array:
    loadable: Any = image
    loadable.tile = [
        tile._replace(args=(raw_mode, *tile.args[1:]) if isinstance(tile.args, tuple) else raw_mode)
        for tile in loadable.tile
    ]
    image.load()
    return np.asarray(image)


def _unmultiplied(values: Array, alpha: Array) -> Array:
    straight = values / np.maximum(alpha[..., None], 1 / 65535)
    return np.asarray(np.minimum(np.rint(straight), 65535).astype(np.uint16))


def _read_scalar(image: Image.Image) -> Samples:
    """Grey of 12, 16 or 32 bits or of floating point, on the scale that the file declares."""
    raw_mode, mode, tags = _raw_mode(image), image.mode, getattr(image, "tag_v2", {})
    values = np.asarray(image)
    low, high = _declared_range(raw_mode, mode, tags)
    unit = ((values.astype(np.float64) - low) / (high - low)).astype(np.float32)
    _check_unit(unit, values, low, high)
    if tags.get(262) == 0:
        unit = 1 - unit
    alpha = _keyed(values[..., None], image.info.get("transparency"))
    return Samples(unit[..., None], 1.0, "grey", alpha, mode)


def _declared_range(raw_mode: str, mode: str, tags: Any) -> tuple[float, float]:
    return 0.0, 65535.0


def _check_unit(unit: Array, values: Array, low: float, high: float) -> None:
    if not np.isfinite(unit).all() or unit.min() < 0 or unit.max() > 1:
        raise ValueError(
            f"its samples reach from {values.min()} to {values.max()}, outside {low:g} to {high:g}"
        )
