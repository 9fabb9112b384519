"""What all formats share that are read in parts: how much at a time, and how much at most."""

from __future__ import annotations

STRIP_PIXELS = 2**20
BYTES_A_PIXEL = 12
"""What a pixel takes that is decoded as one of a whole picture: three samples of float32."""
LEAST_BYTES = 64 * 2**20
"""What reading in parts takes however small the parts are: a strip in all its forms."""


class Unsplittable(ValueError):
    """A picture that cannot be read in parts; the text says why, after `it`."""


def budget_bytes(max_megapixels: float) -> float:
    """How much memory a picture may take while it is read: what the largest whole one takes."""
    return max_megapixels * 1e6 * BYTES_A_PIXEL


def strip_rows(width: int) -> int:
    """How many rows are converted at a time."""
    return max(1, STRIP_PIXELS // width)


def refuse_beyond(needed: float, budget: float, why: str) -> None:
    """Raise `Unsplittable` where a part takes more than the budget; `why` says what makes it so large."""
    if needed > budget:
        raise Unsplittable(
            f"{why}, which takes {needed / 1e6:.0f} MB of memory; {budget / 1e6:.0f} are allowed"
        )
