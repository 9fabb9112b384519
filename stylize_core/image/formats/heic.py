"""HEIC pictures, which Pillow does not read, through pillow-heif, which is installed on demand only.

Only the door to libheif is used, not the plug-in for Pillow: that one knows eight bits alone.
"""

from __future__ import annotations

import importlib.util
from typing import Any

import numpy as np
from PIL import Image

from stylize_core.image.opening import Samples, Unsupported

MISSING = (
    "this is HEIC, which needs pillow-heif: run `pip install pillow-heif` (the extra `heic`), or convert it"
)


def open_heic(data: bytes, *, max_pixels: float) -> Any:
    """The file with its pictures described and none decoded; upright, whatever its EXIF says.

    Raises:
        Unsupported: pillow-heif is not installed.
        DecompressionBombError: it announces more than `max_pixels`.
        Exception: whatever libheif raises on broken files.
    """
    if importlib.util.find_spec("pillow_heif") is None:
        raise Unsupported(MISSING)
    import pillow_heif
    from pillow_heif import options

    # Nothing but the picture is wanted, and what is not parsed cannot do harm; one thread keeps memory low.
    options.THUMBNAILS = options.DEPTH_IMAGES = options.AUX_IMAGES = False
    options.DECODE_THREADS = 1
    file = pillow_heif.open_heif(data, convert_hdr_to_8bit=False, hdr_to_16bit=False)
    width, height = file.size
    if width * height > max_pixels:
        raise Image.DecompressionBombError(f"it has {width * height} pixels")
    return file


def read_heic(file: Any) -> Samples:
    """Decode the primary picture of `file`, which `open_heic` gave; ten and twelve bits are kept."""
    layout, _, bits = file.mode.partition(";")
    width, height = file.size
    values = np.asarray(file)
    if file.size != (width, height) or values.shape[:2] != (height, width):
        raise ValueError("it does not have the size that it announces")
    values = values.reshape(height, width, -1)
    mode = f"{layout};{file.info['bit_depth']}" if bits else layout
    full = 2.0 ** int(file.info["bit_depth"]) - 1 if bits else 255.0
    if not bits and values.dtype != np.uint8:
        raise ValueError(f"pixels of layout {file.mode} are not supported")
    values = _sixteen(values, full) if bits else values
    top = np.float32(65535 if bits else 255)
    alpha = values[..., -1] / top if layout[-1] in "Aa" else None
    colours = values[..., :-1] if alpha is not None else values
    if layout[-1] == "a" and alpha is not None:
        straight = colours / np.maximum(alpha[..., None], 1 / top)
        colours = np.minimum(np.rint(straight), top).astype(values.dtype)
    return Samples(colours, float(top), "grey" if colours.shape[2] == 1 else "RGB", alpha, mode)


def _sixteen(values: Any, full: float) -> Any:
    """Samples on the scale of sixteen bits, which is finer than theirs, so that none is lost."""
    if full == 65535 or values.max(initial=0) > full:
        return values
    return np.rint(values * np.float32(65535 / full)).astype(np.uint16)
