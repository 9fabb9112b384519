"""The size of a stored picture by its header alone. Knows no torch."""

from __future__ import annotations

import warnings
from pathlib import Path

from PIL import Image

FORMATS = ("PNG", "JPEG", "MPO", "GIF", "BMP", "TIFF", "WEBP", "AVIF")
_ORIENTATION, _LYING = 0x0112, (5, 6, 7, 8)


def stored_size(path: Path) -> tuple[int, int] | None:
    """Width and height of the picture as it is looked at, px; None where its header does not tell.

    Nothing is decoded and nothing judged: that is the work of `decode_picture`.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path, formats=FORMATS) as image:
                width, height = image.size
                turned = image.getexif().get(_ORIENTATION) in _LYING
    except Exception:  # a broken header is whatever a plug-in makes of it, and is told when it is read
        return None
    return (height, width) if turned else (width, height)
