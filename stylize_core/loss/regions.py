"""Regions of a picture with styles of their own, by masks with soft edges.

Gatys, Ecker, Bethge, Hertzmann and Shechtman 2017 (Controlling Perceptual Factors in Neural Style Transfer,
arXiv 1611.07865), section 'Spatial control': every layer has guidance channels, one a region, and a region's
style is compared by the Gram matrix of the features times its channel, whose squares sum to 1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor
from torch.nn import functional

from stylize_core.architecture import INCEPTION_LAYERS, inception_units, smallest_side, stride
from stylize_core.networks.tiles import Tile

# A unit at a region's edge sees what lies on the other side, so each layer's outermost units are left out.
INSET = 1
# Where that would leave less than this share of a region (in deep layers, in thin regions), all of it counts.
LEAST_INSIDE = 0.2


@dataclass(frozen=True, slots=True)
class StyledRegion:
    """A part of pictures with a style of its own.

    Attributes:
        mask_b1hw: [B, 1, H, W] in 0..1, how much each place of the content belongs to it.
        style: the statistics of its style, B rows, as `style_targets` makes them; none: the content alone.
        weight: of its style loss, beside its share of the picture.
    """

    mask_b1hw: Tensor
    style: Mapping[str, Tensor]
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Guide:
    """The units of one layer that count for a region.

    Attributes:
        places_n: their numbers among the h w units, of all rows together.
        share_b11n: how much each counts, in any unit.
        columns: how many units of the layer, w, make a row of them.
    """

    places_n: Tensor
    share_b11n: Tensor
    columns: int

    def roots(self, channels: int) -> Guide:
        """Shares whose squares give sums the size of a Gram matrix of so many channels: `√(share / (C N))`.

        N is the sum of the shares.
        """
        places = self.share_b11n.sum((2, 3), keepdim=True).clamp_min(1e-6)
        return replace(self, share_b11n=(self.share_b11n / (channels * places)).sqrt())

    def within(self, tile: Tile, layer: str) -> Guide:
        """Those of them that are a tile's own, by their numbers among its own units."""
        if tile.is_whole:
            return self
        numbers_hw = torch.arange(0, self.columns, device=self.places_n.device)
        rows, columns = (span.of_layer(stride(layer))[1] for span in (tile.rows, tile.columns))
        own = numbers_hw[columns]
        down, across = self.places_n // self.columns - rows.start, self.places_n % self.columns - own[0]
        inside = (down >= 0) & (across >= 0) & (across < len(own))
        if rows.stop is not None:
            inside &= down < rows.stop - rows.start
        return Guide((down * len(own) + across)[inside], self.share_b11n[..., inside], len(own))

    def pick(self, features_bchw: Tensor) -> Tensor:
        """Those units of [B, C, h, w] as [B, C, 1, n]; the others cost neither time nor memory."""
        units_bnc = features_bchw.permute(0, 2, 3, 1).flatten(1, 2)
        return units_bnc.index_select(1, self.places_n).mT[:, :, None]

    def put(self, picked_bc1n: Tensor, like_bchw: Tensor) -> Tensor:
        """The way back: [B, C, 1, n] at their places in zeros of the shape and format of [B, C, h, w]."""
        batch, channels, height, width = like_bchw.shape
        units_bnc = like_bchw.new_zeros(batch, height * width, channels)
        units_bnc.index_add_(1, self.places_n, picked_bc1n[:, :, 0].mT.to(units_bnc.dtype))
        return units_bnc.view(batch, height, width, channels).permute(0, 3, 1, 2)

    def rows(self, index: Sequence[int]) -> Guide:
        """The part of it that concerns some rows of the batch."""
        return replace(self, share_b11n=self.share_b11n[list(index)])


@dataclass(frozen=True, slots=True)
class Area:
    """Where in pictures a style counts, and how much: everywhere and fully unless guides say otherwise.

    Attributes:
        style: the style's statistics by layer.
        guides: by layer.
        weight_b: [B], share of the whole style loss.
    """

    style: Mapping[str, Tensor]
    guides: Mapping[str, Guide] = field(default_factory=dict)
    weight_b: Tensor | None = None

    def rows(self, index: Sequence[int]) -> Area:
        """The part of it that concerns some rows of the batch."""
        chosen = list(index)
        return Area(
            {layer: value[chosen] for layer, value in self.style.items()},
            {layer: guide.rows(chosen) for layer, guide in self.guides.items()},
            None if self.weight_b is None else self.weight_b[chosen],
        )


def shared_out(masks: Sequence[Tensor]) -> list[Tensor]:
    """The masks [B, 1, H, W], and last what they leave: together 1 at every place.

    Where masks lie over one another and sum to more than 1, each gets its share.
    """
    total = torch.stack(list(masks)).sum(0)
    return [*(mask / total.clamp_min(1) for mask in masks), 1 - total.clamp_max(1)]


def areas(regions: Sequence[StyledRegion], rest: Mapping[str, Tensor]) -> tuple[Area, ...]:
    """Every style with where it counts; `rest` are the statistics for what the regions leave.

    A style's weight is its share of the picture, so that a place is pushed as hard as it would be if all of
    the picture had this style.
    """
    masks = shared_out([region.mask_b1hw for region in regions])
    styles = [*((region.style, region.weight) for region in regions), (rest, 1.0)]
    return tuple(
        Area(style, {layer: _guide(mask, layer) for layer in style}, weight * mask.mean((1, 2, 3)))
        for mask, (style, weight) in zip(masks, styles, strict=True)
        if style and bool(mask.any())
    )


def guidance(mask_b1hw: Tensor, layer: str) -> Tensor:
    """How much each unit of a layer counts for a region, [B, 1, h, w]: the mask's mean below it, edges inset.

    The outermost units are left out, softly where the mask is soft; the picture's frame is no edge.
    """
    shrunk = _shrunk(mask_b1hw, layer)
    inside = -functional.max_pool2d(-shrunk, 2 * INSET + 1, stride=1, padding=INSET) if INSET else shrunk
    enough = inside.sum((1, 2, 3), keepdim=True) >= LEAST_INSIDE * shrunk.sum((1, 2, 3), keepdim=True)
    return torch.where(enough, inside, shrunk)


def _shrunk(mask_b1hw: Tensor, layer: str) -> Tensor:
    """The mask's mean below each unit."""
    if layer in INCEPTION_LAYERS:
        height, width = (inception_units(layer, side) for side in mask_b1hw.shape[-2:])
        return functional.adaptive_avg_pool2d(mask_b1hw, (height, width))
    return functional.avg_pool2d(mask_b1hw, smallest_side(layer))


def _guide(mask_b1hw: Tensor, layer: str) -> Guide:
    share_b1hw = guidance(mask_b1hw, layer)
    share_b11n = share_b1hw.flatten(2)[:, :, None]
    places_n = share_b11n.amax((0, 1, 2)).nonzero()[:, 0]
    return Guide(places_n, share_b11n[..., places_n], share_b1hw.shape[-1])
