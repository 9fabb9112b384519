"""The door to Pillow: which formats it may try, what it must refuse, and what comes out of it."""

from __future__ import annotations

import io
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import AvifImagePlugin, Image, ImageFile

Array = NDArray[Any]
Space = Literal["grey", "RGB", "CMYK", "LAB"]

CHANNELS: dict[Space, int] = {"grey": 1, "RGB": 3, "CMYK": 4, "LAB": 3}
_PILLOW_NAMES = {"JPEG": ["JPEG", "MPO"], "WebP": ["WEBP"]}
_lock = threading.RLock()


class Unsupported(ValueError):
    """A whole picture that is none of ours to guess at; the text follows the file's name."""


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """Samples as stored, before any conversion of colour.

    Attributes:
        values: [H, W, C] uint8, uint16 or float32; `full` is the value that means 1.
        space: what the C channels are.
        alpha: [H, W] float32 0..1, or None where the file has none.
        mode: Pillow's word for the layout, with the depth where Pillow would drop it.
        decisions: how the samples were scaled, where that is not plain.
    """

    values: Array
    full: float
    space: Space
    alpha: Array | None
    mode: str
    decisions: tuple[str, ...] = ()


@contextmanager
def pillow_rules(max_pixels: float) -> Iterator[list[warnings.WarningMessage]]:
    """Inside, Pillow refuses more than `max_pixels` and every cut file; its warnings are collected.

    These are switches of the whole process, so one picture is decoded at a time.
    """
    with _lock, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        before = Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES
        # AVIF's decoder would start a thread per core, each with memory of its own.
        AvifImagePlugin.DEFAULT_MAX_THREADS = 1
        # Pillow refuses above twice this number, before it allocates anything.
        Image.MAX_IMAGE_PIXELS = max_pixels / 2  # type: ignore[assignment]
        ImageFile.LOAD_TRUNCATED_IMAGES = False
        try:
            yield caught
        finally:
            Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES = before


def open_image(data: bytes, kind: str) -> Image.Image:
    """Read the header by the one plug-in that `kind` names; no other is asked, so none starts a program."""
    return Image.open(io.BytesIO(data), formats=_PILLOW_NAMES.get(kind, [kind]))


def raw_mode(image: Image.Image) -> str:
    """How the file lays its samples out, in Pillow's words, such as `RGB;16B`; known before the load only."""
    tiles = getattr(image, "tile", None)
    args = tiles[0].args if tiles else ""
    return str(args[0] if isinstance(args, tuple) and args else args)


def set_raw_mode(image: Image.Image, name: str) -> None:
    """Have the samples unpacked as if they were laid out as `name`."""
    loadable: Any = image
    loadable.tile = [
        tile._replace(args=(name, *tile.args[1:]) if isinstance(tile.args, tuple) else name)
        for tile in loadable.tile
    ]


def keyed_alpha(values: Array, key: object) -> Array | None:
    """Alpha [H, W] from one transparent colour `key` of `values` [H, W, C]; None where `key` is no colour."""
    if not isinstance(key, int | tuple):
        return None
    opaque: Array = np.any(values != np.asarray(key), axis=-1)
    return opaque.astype(np.float32)
