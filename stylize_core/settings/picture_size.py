"""How large a picture is made: by its long edge, by its area, or as large as its content came."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from stylize_core.errors import ImageTooLarge

Size = int | Literal["original"]
"""The long edge of a picture, px, or `original`: that of the content."""

SMALLEST_PX = 32
LARGEST_PX = 16383
SMALL_PX = 256
"""Pictures up to this size are computed by one CPU thread, whatever else is there: so their bytes depend
neither on the machine's cores nor on the number of workers."""
CAMERA_EDGE_PX = 4096
"""What `original` is taken for until a content has been read: a little more than most cameras give."""


@dataclass(frozen=True, slots=True)
class PictureSize:
    """What decides the size of a picture whose shape is not known yet.

    Attributes:
        size: the long edge, px, or `original`.
        megapixels: the area, which counts instead of `size` where it is above 0.
    """

    size: Size
    megapixels: float = 0.0

    @property
    def known_px(self) -> int | None:
        """The long edge, px, where it is the same for every content."""
        return None if self.megapixels or isinstance(self.size, str) else self.size

    @property
    def expected_px(self) -> int:
        """The long edge, px; where only a content can tell, that of a camera's picture or of a square."""
        if self.megapixels:
            return max(SMALLEST_PX, math.ceil(math.sqrt(self.megapixels * 1e6)))
        return CAMERA_EDGE_PX if isinstance(self.size, str) else self.size

    @property
    def is_small(self) -> bool:
        """Whether one CPU thread computes it; see `SMALL_PX`."""
        return self.expected_px <= SMALL_PX

    def of_style(self, style_scale: float) -> PictureSize:
        """The size that a style is measured in beside a picture of this size."""
        return PictureSize(self.style_px(style_scale))

    def style_px(self, style_scale: float) -> int:
        """The long edge, px, that a style is measured with beside a picture of this size."""
        return round(self.expected_px * style_scale)

    def edge_for(self, width: int, height: int) -> int:
        """The long edge, px, of what is made of a content of `width` x `height` px, at least 32.

        Raises:
            ImageTooLarge: it would be beyond 16383 px.
        """
        if (known := self.known_px) is not None:
            return known
        longest, shortest = max(width, height), min(width, height)
        edge = round(math.sqrt(self.megapixels * 1e6 * longest / shortest)) if self.megapixels else longest
        if edge > LARGEST_PX:
            asked = f"megapixels: {self.megapixels:g}" if self.megapixels else "size: original"
            limit = f"at most {LARGEST_PX} px are made; set `size` to the long edge that you want"
            raise ImageTooLarge(f"of {width}x{height} px `{asked}` makes a long edge of {edge} px; {limit}")
        return max(SMALLEST_PX, edge)


def pixels_of(width: float, height: float, long_edge: int) -> int:
    """How many pixels a picture in the shape of `width` x `height` has with that long edge, px."""
    share = long_edge / max(width, height, 1.0)
    return max(1, round(width * share)) * max(1, round(height * share))
