"""Pictures on their way through a network and back, section by section and tile by tile."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from stylize_core.architecture import units
from stylize_core.networks.encoder import Encoder
from stylize_core.networks.tiles import Tile, tiles
from stylize_core.networks.vgg import Trace
from stylize_core.sections import Section


@dataclass(frozen=True, slots=True)
class View:
    """A tile as a section of the network sees it.

    Attributes:
        own: the tile's own units by layer, in the network's number format.
        noted: what a visitor wants again on the way back; gone where the tile is seen a second time.
    """

    tile: Tile
    trace: Trace
    own: Mapping[str, Tensor]
    noted: dict[str, Tensor] = field(default_factory=dict)


class TiledPass:
    """A pass through a network, and back through what it saw, in the memory of one tile.

    A section is gone through by all tiles before the next one begins. What it hands on is kept of the whole
    picture and nothing else is: on the way back a tile is seen a second time. Only the last one of all, which
    comes first on the way back, is still there; so a picture in one tile goes there and back once.

    Args:
        image_bchw: [B, 3, H, W].
        tile_px: longest side of a tile's own part in the first block, px; 0 for all of a picture at once.

    Raises:
        ImageTooSmall: a side is too short for the deepest layer.
    """

    def __init__(self, encoder: Encoder, image_bchw: Tensor, tile_px: int) -> None:
        encoder.check_size(image_bchw)
        self._encoder, self._size = encoder, image_bchw.shape[-2:]
        self._sections = encoder.sections(image_bchw, tile_px)
        self._given = [image_bchw]
        self._latest: View | None = None

    def forward(self, visit: Callable[[View], None]) -> None:
        """Show every tile of every section, from the picture inwards."""
        for section in self._sections:
            self._through(section, visit)

    def backward(
        self, seeds_of: Callable[[View], Mapping[str, Tensor]], into: Tensor | None = None
    ) -> Tensor:
        """The gradient by the picture, [B, 3, H, W]; once.

        Args:
            seeds_of: what makes the gradients by a view's features, as `Tile.with_rim` has them. Every view
                is asked for exactly once, whether the way forward was shown or not.
            into: what the gradient is added to, [B, 3, H, W].
        """
        for section in self._sections[len(self._given) - 1 : -1]:
            self._through(section, lambda _: None)
        handed: Tensor | None = None
        while len(self._given) > 1:
            handed = self._back_through(self._sections[len(self._given) - 1], seeds_of, handed, None)
            self._given.pop()
        return self._back_through(self._sections[0], seeds_of, handed, into)

    def _through(self, section: Section, visit: Callable[[View], None]) -> None:
        room: Tensor | None = None
        for tile in tiles(section, *self._size):
            self._latest = None  # the memory of one tile, not of two
            self._latest = self._view(section, tile)
            visit(self._latest)
            if (part := self._latest.trace.handed_on) is not None:
                room = self._room(section, part) if room is None else room
                tile.among_all(room, section.layers[-1]).copy_(tile.own(part, section.layers[-1]))
        if room is not None:
            self._given.append(room)
            self._latest = None

    def _back_through(
        self,
        section: Section,
        seeds_of: Callable[[View], Mapping[str, Tensor]],
        handed: Tensor | None,
        into: Tensor | None,
    ) -> Tensor:
        """The gradient by what a section was given; that by what it handed on is used up."""
        own = tiles(section, *self._size)
        if len(own) == 1 and into is None:
            return self._back_through_tile(section, own[0], seeds_of, handed)
        gradient = torch.zeros_like(self._given[-1]) if into is None else into
        for tile in reversed(own):
            seen = self._back_through_tile(section, tile, seeds_of, handed)
            tile.seen(gradient, section.given_stride).add_(seen)
        return gradient

    def _back_through_tile(
        self,
        section: Section,
        tile: Tile,
        seeds_of: Callable[[View], Mapping[str, Tensor]],
        handed: Tensor | None,
    ) -> Tensor:
        """What a tile's own units, and what became of them, ask of what the tile sees."""
        view, self._latest = self._latest or self._view(section, tile), None
        trace, seeds = view.trace, seeds_of(view)
        del view  # features are let go of on the way
        if handed is None and not seeds:
            return torch.zeros_like(tile.seen(self._given[-1], section.given_stride))
        part = None
        if handed is not None and trace.handed_on is not None:
            name = section.layers[-1]
            part = tile.with_rim(tile.among_all(handed, name), trace.handed_on, name)
        return self._encoder.pull_back(trace, seeds, section, part)

    def _view(self, section: Section, tile: Tile) -> View:
        trace = self._encoder.trace(tile.seen(self._given[-1], section.given_stride), section)
        own = {layer: tile.own(seen, layer) for layer, seen in self._encoder.taps(trace).items()}
        return View(tile, trace, own)

    def _room(self, section: Section, part_bchw: Tensor) -> Tensor:
        """Room for what a section hands on of the whole picture, given a tile's part of it."""
        height, width = (units(section.layers[-1], side) for side in self._size)
        return torch.empty(
            (*part_bchw.shape[:2], height, width),
            dtype=part_bchw.dtype,
            device=part_bchw.device,
            memory_format=torch.channels_last,
        )
