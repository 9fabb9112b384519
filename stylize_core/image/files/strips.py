"""A picture as its writers get it: strips of rows, each made when it is asked for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

Array = NDArray[Any]

LEVEL = 6  # of zlib: named, so that a new default would not change our bytes
STRIP_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Strips:
    """A picture [height, width, channels] of unsigned integers of `itemsize` bytes, from top to bottom.

    Attributes:
        pixels: arrays [rows, width, channels], each of `rows_of` rows but the last.
    """

    width: int
    height: int
    channels: int
    itemsize: int
    pixels: Iterator[Array]

    @property
    def rows(self) -> int:
        """How many rows a strip has."""
        return rows_of(self.width, self.channels, self.itemsize)

    @property
    def nbytes(self) -> int:
        """What all pixels take before they are packed."""
        return self.width * self.height * self.channels * self.itemsize


def rows_of(width: int, channels: int, itemsize: int) -> int:
    """How many rows make a strip of a megabyte, at least one."""
    return max(1, STRIP_BYTES // (width * channels * itemsize))
