"""A network cut at its poolings, so that a large picture goes through it piece by piece. Knows no torch.

A tile has to be seen with a rim as wide as the layers look beyond it: 70 px on either side for relu5_1, a few
within one block. So blocks are gone through in tiles of their own where what they hand on, which is kept of
the whole picture, is no more than a tile. Chen, Xu, Zhang and Guestrin 2016 (Training Deep Nets with
Sublinear Memory Cost, arXiv 1604.06174) cut networks like this, though not pictures.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from stylize_core.architecture import (
    CHANNELS_PER_BLOCK,
    down_to_deepest,
    reach,
    stride,
)

WHOLE_TILES = 4
"""The last section is not cut into tiles if it holds no more numbers than so many tiles."""

LITTLE = 2.5
"""So many numbers for each pixel are handed on of any picture; the picture itself has three."""

SMALLEST_TILE_PX = 256
"""Tiles of this side are the last resort, for which even that is too much."""


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a network that pictures, or what the section before made of them, go through in tiles.

    Attributes:
        first: the block that it begins with, from 1.
        layers: what is wanted of it; what it hands on to the next section comes last.
        hands_on: whether there is a next section.
        side: longest side of a tile's own part, px of the picture; 0 for one tile that is all of it.
    """

    architecture: str
    first: int
    layers: tuple[str, ...]
    hands_on: bool = False
    side: int = 0

    @property
    def given_stride(self) -> int:
        """How many px of the picture lie between neighbouring units of what it is given."""
        return int(2 ** (self.first - 1))

    @property
    def step(self) -> int:
        """What tiles and rims are multiples of, px, so that every unit falls where it falls in the whole."""
        return max((stride(layer) for layer in self.layers), default=1)

    @property
    def rim(self) -> int:
        """How far its layers look beyond a tile, in whole steps, px."""
        rims = (reach(self.architecture, layer, since=self.first) for layer in self.layers)
        return max((-(-rim // self.step) * self.step for rim in rims), default=0)

    @property
    def last(self) -> int | None:
        """The block whose pooling is handed on; None at the network's end."""
        return _block(self.layers[-1]) if self.hands_on else None


@lru_cache(64)  # asked at every evaluation
def sections(
    architecture: str, layers: tuple[str, ...], *, width: int, height: int, tile_px: int
) -> tuple[Section, ...]:
    """How pictures of that size go through a network, from the picture inwards.

    It is cut where no more is handed on than a tile of the first block holds in numbers, or where that is
    little beside the picture. The last section sees all of the picture at once if that is no more than four
    tiles, about what one takes with all that is made of it. Tiles of other sections are as much larger as
    they hold fewer numbers for a pixel, and may hold half as many as such a last section, which takes its
    room anyway.

    Args:
        layers: those of it that are used.
        width: of the pictures, px.
        height: of the pictures, px.
        tile_px: longest side of a tile's own part; 0: the whole network is one section without tiles.

    >>> [(one.first, one.side, one.rim) for one in sections(
    ...     "vgg19", ("relu1_1", "relu5_1"), width=2048, height=1536, tile_px=512)]
    [(1, 527, 8), (3, 914, 16), (4, 0, 48)]
    """
    if not tile_px or not layers or architecture == "googlenet":
        return (Section(architecture, 1, layers, side=tile_px),)
    numbers, handed = _numbers_for_a_pixel(architecture, layers)
    room = numbers[0] * tile_px**2 / (width * height)
    most = max(room, LITTLE) if tile_px > SMALLEST_TILE_PX else room
    firsts = [1, *(block + 1 for block in range(1, len(numbers)) if handed[block - 1] <= most)]
    while len(firsts) > 1 and sum(numbers[firsts[-2] - 1 :]) <= WHOLE_TILES * room:
        firsts.pop()
    last = sum(numbers[firsts[-1] - 1 :])
    whole = last if last <= WHOLE_TILES * room else 0.0
    found = []
    for first, after in pairwise([*firsts, len(numbers) + 1]):
        own, hands_on = sum(numbers[first - 1 : after - 1]), after <= len(numbers)
        growth = max(1.0, numbers[0] / own, numbers[0] * whole / (2 * own * room))
        side = int(tile_px * growth**0.5) if hands_on or not whole else 0
        within = [layer for layer in layers if first <= _block(layer) < after]
        if hands_on:
            within = [*(layer for layer in within if layer != f"pool{after - 1}"), f"pool{after - 1}"]
        found.append(Section(architecture, first, tuple(within), hands_on, side))
    return tuple(found)


def _numbers_for_a_pixel(architecture: str, layers: Sequence[str]) -> tuple[list[float], list[float]]:
    """How many numbers each needed block holds for a pixel of the picture, and how many it hands on."""
    needed, held, handed = down_to_deepest(architecture, layers), [], []
    for block in range(1, 1 + max(_block(layer) for layer in layers)):
        channels, name = CHANNELS_PER_BLOCK[architecture][block - 1], f"relu{block}_"
        count = sum(layer.startswith(name) for layer in needed)
        held.append(count * channels / stride(f"{name}1") ** 2)
        handed.append(channels / stride(f"pool{block}") ** 2)
    return held, handed


def _block(layer: str) -> int:
    return int(layer[4])
