"""From which size on a picture is so large that memory decides how it is made. Knows no torch."""

from __future__ import annotations

COARSE_FROM = 2**23
"""Numbers of a picture, 2.8 megapixels, from which on what need not be exact is kept in bfloat16."""


def is_large(size: int) -> bool:
    """Whether vectors of so many numbers are worked with in parts."""
    return size >= COARSE_FROM
