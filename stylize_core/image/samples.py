"""From a file to its samples: layouts of eight bits here, deeper ones by `image_depth`."""

from __future__ import annotations

import re

import numpy as np
from PIL import Image

from stylize_core.image.depth import DEEP, read_deep, read_grey, refuse_deep_planes
from stylize_core.image.opening import CHANNELS, Array, Samples, Space, keyed_alpha, raw_mode

_SPACES: dict[str, Space] = {
    "L": "grey",
    "LA": "grey",
    "RGB": "RGB",
    "RGBA": "RGB",
    "CMYK": "CMYK",
    "LAB": "LAB",
}
_PLAINER = {"PA": "RGBA", "La": "LA", "1": "L", "YCbCr": "RGB", "RGBX": "RGB", "RGBa": "RGBA"}


def read_samples(data: bytes, kind: str, image: Image.Image) -> Samples:
    """Decode the first frame of `image`, which `open_image(data, kind)` gave.

    Raises:
        Exception: whatever Pillow raises; the image object is of no further use then, since a second attempt
            on it may succeed with half a picture.
    """
    refuse_deep_planes(image)
    layout = raw_mode(image)
    if DEEP.fullmatch(layout):
        return read_deep(data, kind, image)
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        return read_grey(image)
    image.load()
    return samples_of(image, layout)


def samples_of(image: Image.Image, layout: str) -> Samples:
    """The samples, of eight bits or fewer, of a picture or of a part of one that was loaded from `layout`."""
    mode, key = image.mode, image.info.get("transparency")
    if mode == "P":
        image = image.convert("RGB" if key is None else "RGBA")
    elif mode in _PLAINER:
        image = image.convert(_PLAINER[mode])
    if image.mode not in _SPACES:
        raise ValueError(f"pixels of layout {mode} are not supported")
    space = _SPACES[image.mode]
    pixels: Array = np.asarray(image)
    pixels = pixels.reshape(*pixels.shape[:2], -1)
    if image.mode in ("LA", "RGBA"):
        alpha: Array | None = pixels[..., -1] / np.float32(255)
    else:
        alpha = keyed_alpha(pixels, _scaled_key(layout, key)) if mode in ("1", "L", "RGB") else None
    return Samples(pixels[..., : CHANNELS[space]], 255.0, space, alpha, mode)


def _scaled_key(layout: str, key: object) -> object:
    """The transparent grey on the 0..255 scale: Pillow scales samples of 2 and 4 bits, but not their key."""
    bits = re.fullmatch(r"L;([24])", layout)
    return key * 255 // (2 ** int(bits[1]) - 1) if bits and isinstance(key, int) else key
