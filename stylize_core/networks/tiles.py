"""A picture cut into tiles whose units are seen exactly as in the whole.

Each tile owns a rectangle and is seen with a rim around it, as wide as the layers look beyond their own
places. Rectangles and rims end at multiples of the deepest layer's stride, so every pooling window and every
unit falls where it falls in the whole picture; at the picture's edge there is no rim, and the network pads
there as ever. What a layer's own units show, summed over all tiles, is therefore what it shows of the whole.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from stylize_core.architecture import stride
from stylize_core.sections import Section


@dataclass(frozen=True, slots=True)
class Span:
    """What a tile is along one side, px from the picture's beginning.

    Attributes:
        seen: what the network is shown, from and to.
        owned: the part of it that is the tile's own; the owned parts of all tiles are the picture.
        last: whether the picture ends with what is owned.
        to_the_end: whether the picture ends with what is seen.
    """

    seen: tuple[int, int]
    owned: tuple[int, int]
    last: bool
    to_the_end: bool

    def seen_units(self, step: int) -> slice:
        """The units of a layer with that stride that it sees, among all."""
        return slice(self.seen[0] // step, None if self.to_the_end else self.seen[1] // step)

    def of_layer(self, step: int) -> tuple[slice, slice]:
        """The tile's own units of a layer with that stride: among those that it sees, and among all."""
        first, end = self.owned[0] // step, None if self.last else self.owned[1] // step
        offset = self.seen[0] // step
        return slice(first - offset, None if end is None else end - offset), slice(first, end)


@dataclass(frozen=True, slots=True)
class Tile:
    """A rectangle of a picture, with its rim."""

    rows: Span
    columns: Span

    @property
    def is_whole(self) -> bool:
        """Whether it is all of the picture."""
        return all(span.last and span.owned[0] == 0 for span in (self.rows, self.columns))

    def seen(self, given_bchw: Tensor, step: int = 1) -> Tensor:
        """What is seen of a picture, or of features with that stride, [B, C, h, w], as a view."""
        return given_bchw[..., self.rows.seen_units(step), self.columns.seen_units(step)]

    def own(self, features_bchw: Tensor, layer: str) -> Tensor:
        """Its own units among those that it sees, as a view."""
        step = stride(layer)
        return features_bchw[..., self.rows.of_layer(step)[0], self.columns.of_layer(step)[0]]

    def among_all(self, features_bchw: Tensor, layer: str) -> Tensor:
        """Its own units among those of the whole picture, as a view."""
        step = stride(layer)
        return features_bchw[..., self.rows.of_layer(step)[1], self.columns.of_layer(step)[1]]

    def with_rim(self, own_bchw: Tensor, seen_bchw: Tensor, layer: str) -> Tensor:
        """Values for its own units as values for all that it sees, 0 in the rim.

        Args:
            own_bchw: as `own` has them.
            seen_bchw: the layer's features, whose shape and order in memory the result has.
        """
        if self.is_whole:
            return own_bchw
        wide_bchw = torch.zeros_like(seen_bchw)
        self.own(wide_bchw, layer).copy_(own_bchw)
        return wide_bchw


@lru_cache(64)  # asked at every evaluation
def tiles(section: Section, height: int, width: int) -> tuple[Tile, ...]:
    """The tiles of a picture for a section of a network, row by row; all of about the same size.

    Args:
        height: of the picture, px.
        width: of the picture, px.

    >>> [tile.rows.seen for tile in tiles(Section("slim", 1, ("relu3_4",), side=128), 300, 64)]
    [(0, 124), (76, 224), (176, 300)]
    """
    cuts = [tuple(_spans(length, section.side, section.step, section.rim)) for length in (height, width)]
    return tuple(Tile(rows, columns) for rows in cuts[0] for columns in cuts[1])


def _spans(length: int, side: int, step: int, rim: int) -> Iterator[Span]:
    """One side of a picture in equal parts that begin at multiples of `step`."""
    parts = max(1, -(-length // max(side, step))) if side else 1
    size = -(-length // (parts * step)) * step
    # What is left of the last unit is no part of its own: no layer sees it.
    ends = [*range(size, length - step, size), length]
    for first, end in zip([0, *ends[:-1]], ends, strict=True):
        seen = (max(0, first - rim), min(length, end + rim))
        yield Span(seen, (first, end), end == length, seen[1] == length)
