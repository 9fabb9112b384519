"""A JPEG that is decoded smaller than it is: by its own cosine transform, of whose 8x8 terms fewer are used.

libjpeg decodes at 1/2, 1/4 and 1/8 so, as Pillow's `draft` asks it to; ITU-T T.81, annex B, for its markers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from PIL import Image

from stylize_core.image.large.parts import Unsplittable, refuse_beyond, strip_rows
from stylize_core.image.opening import Samples, raw_mode
from stylize_core.image.samples import samples_of

_MARKER = re.compile(rb"\xff+([^\x00\x01\xd0-\xd9\xff])", re.DOTALL)
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_PROGRESSIVE = {0xC2, 0xC6, 0xCA, 0xCE}
_SCAN = 0xDA
_SHARES = (8, 4, 2, 1)
_BYTES_A_PIXEL = 4  # of Pillow's pictures, whatever is in them
FINER = 2
"""How much finer than what is wanted a draft is, so that Lanczos, and not the draft, decides how it looks."""


def draft(image: Image.Image, data: bytes, *, shrunk: float, budget: float) -> int:
    """Have `image`, not loaded yet, decoded at one of so many parts of its sides; how many.

    Args:
        shrunk: how many times smaller than stored the picture is to become.

    Raises:
        Unsplittable: even so it takes more than the budget.
    """
    fine = next(share for share in _SHARES if share * FINER <= shrunk or share == 1)
    coarse = next(share for share in _SHARES if share <= shrunk or share == 1)
    held = _coefficient_bytes(data)
    width, height = image.size
    share = next((one for one in (fine, coarse) if held + _bytes(image.size, one) <= budget), 0)
    if not share:
        why = "it is stored in several passes" if held > budget else f"its rows are decoded at 1/{coarse}"
        refuse_beyond(held + _bytes(image.size, coarse), budget, why)
    if share > 1:
        image.draft(None, (width // share, height // share))  # None: the mode stays
    if share > 1 and image.size != (-(-width // share), -(-height // share)):
        raise Unsplittable(f"it cannot be decoded at 1/{share}")
    return share


def jpeg_strips(image: Image.Image) -> Iterator[Samples]:
    """The samples of a JPEG, decoded at its draft's size, a megapixel at a time."""
    layout = raw_mode(image)
    image.load()
    width, height = image.size
    rows = strip_rows(width)
    for top in range(0, height, rows):
        yield samples_of(image.crop((0, top, width, min(top + rows, height))), layout)


def _bytes(size: tuple[int, int], share: int) -> float:
    return size[0] * size[1] / share**2 * _BYTES_A_PIXEL


def _coefficient_bytes(data: bytes) -> int:
    """What libjpeg holds of all terms before it gives a row: two bytes each if there are several scans."""
    held, progressive, channels, at = 0, False, 0, 2
    while found := _MARKER.search(data, at):
        code, body = found[1][0], found.end()
        if code in _FRAMES:
            height, width = (int.from_bytes(data[body + at : body + at + 2]) for at in (3, 5))
            channels, progressive = data[body + 7], code in _PROGRESSIVE
            factors = [divmod(data[body + 9 + 3 * index], 16) for index in range(channels)]
            most = max(across for across, _ in factors) * max(down for _, down in factors)
            held = sum(2 * width * height * across * down // most for across, down in factors)
        if code == _SCAN:
            return held if progressive or data[body + 2] < channels else 0
        at = body + int.from_bytes(data[body : body + 2])
    return held
