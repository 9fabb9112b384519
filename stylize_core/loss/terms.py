"""The terms of an objective, each as what is summed over places, what the sums are worth, and the way back.

Content and style are compared by sums over units: of squared differences, and of products of features. Sums
add up, so the parts of a picture can be measured one after another. What the sums are worth, and their
slopes, is known once all are there; each part's units then get their gradient from the slopes alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from stylize_core.architecture import stride
from stylize_core.chunks import CHUNK
from stylize_core.device import wide
from stylize_core.large_pictures import is_large
from stylize_core.loss.functional import Form, content_unit, style_unit
from stylize_core.loss.moments import covariance_root, wasserstein, wasserstein_unit
from stylize_core.loss.products import products, sent_back
from stylize_core.loss.regions import Guide
from stylize_core.loss.whitening import Axes
from stylize_core.networks.tiles import Tile
from stylize_core.settings.style import StyleSettings


@dataclass(frozen=True, slots=True)
class ContentTerm:
    """One layer's part of the content loss.

    Attributes:
        target_bchw: features of the contents.
        unit_b: what their squared distance is divided by.
        weight: of the layer within the content loss.
        slope_b: the gradient of the whole loss by the layer's features, as a share of their difference.
    """

    layer: str
    target_bchw: Tensor
    unit_b: Tensor
    weight: float
    slope_b: Tensor

    @staticmethod
    def of(layer: str, target_bchw: Tensor, settings: StyleSettings) -> ContentTerm:
        """The term of a layer."""
        _, channels, height, width = target_bchw.shape
        large = is_large(3 * height * width * stride(layer) ** 2)
        rows = max(1, CHUNK // (channels * width)) if large else height
        unit_b = content_unit(target_bchw, settings.loss, rows=rows)
        weight = settings.content_layer_weights[layer]
        slope_b = 2 * (torch.ones_like(unit_b) * settings.content_weight * weight / unit_b)
        return ContentTerm(layer, target_bchw, unit_b, weight, slope_b)

    @property
    def steep_b(self) -> Tensor:
        """The whole loss by the layer's, [B]."""
        return self.slope_b * self.unit_b / 2

    @property
    def silent_b(self) -> Tensor:
        """The layer's loss for a picture without any features, [B]."""
        return content_unit(self.target_bchw, "relative") / self.unit_b

    def difference(self, own_bchw: Tensor, tile: Tile) -> Tensor:
        """How far a tile's own units are from the target, float32 or better."""
        return wide(own_bchw) - tile.among_all(self.target_bchw, self.layer)

    def seed(self, difference_bchw: Tensor) -> Tensor:
        """The gradient of the whole loss by a tile's own units."""
        return self.slope_b[:, None, None, None] * difference_bchw


# Why so many: what every evaluation needs of a target is taken once.
@dataclass(frozen=True, slots=True)
class StyleTerm:
    """One layer's part of the loss of one area's style.

    Attributes:
        target_bdd: Gram matrices [B, C, C], or moments [B, C+1, C+1].
        root_bcc: of the target's covariance, for moments.
        unit_b: what the distance is divided by.
        weight: of the layer within the area's style loss.
        steep_b: the whole loss by the layer's.
        slope_bdd: its gradient by Gram matrices, as a share of how far they are apart, for each of their
            elements; none for moments.
        guide: the units that count for the area, with the roots of their shares; None for all.
        axes: in which differences of Gram matrices are weighed; None: as they are.
    """

    layer: str
    target_bdd: Tensor
    root_bcc: Tensor | None
    unit_b: Tensor
    weight: float
    steep_b: Tensor
    slope_bdd: Tensor | None
    guide: Guide | None
    axes: Axes | None

    @staticmethod
    def of(
        layer: str,
        target_bdd: Tensor,
        settings: StyleSettings,
        *,
        area_b: Tensor | None,
        guide: Guide | None,
        whitened: bool = False,
    ) -> StyleTerm:
        """The term of a layer, in an area that counts so much, [B]; None: fully."""
        by_moments = settings.statistics == "moments"
        unit_b = _style_unit(target_bdd, settings.loss, by_moments)
        root_bcc = covariance_root(target_bdd) if by_moments else None
        weight = settings.style_layer_weights[layer]
        steep_b = torch.ones_like(unit_b) * settings.style_weight
        steep_b = (steep_b if area_b is None else steep_b * area_b) * weight
        slope_bdd = None
        if not by_moments:
            slope_bdd = (2 * (steep_b / unit_b))[:, None, None].expand_as(target_bdd).contiguous()
        guide = None if guide is None else guide.roots(target_bdd.shape[-1])
        axes = Axes.of(target_bdd) if whitened and not by_moments else None
        return StyleTerm(layer, target_bdd, root_bcc, unit_b, weight, steep_b, slope_bdd, guide, axes)

    @property
    def silent_b(self) -> Tensor:
        """The layer's loss for a picture without any features, [B]."""
        return _style_unit(self.target_bdd, "relative", self.root_bcc is not None) / self.unit_b

    def sums(self, own_bchw: Tensor, tile: Tile) -> Tensor:
        """What a tile adds to the sums of products of features, [B, D, D]."""
        return products(self._counted(own_bchw, tile))

    def count(self, places: int) -> int:
        """What sums of products are divided by, given the units of the layer in the whole picture."""
        return 1 if self.guide else self.target_bdd.shape[-1] * places

    def by_moments(self, statistics_bdd: Tensor, root_bcc: Tensor) -> tuple[Tensor, Tensor]:
        """How far moments are from the target's, [B], and the slope of the whole loss by them, [B, D, D]."""
        with torch.enable_grad():
            live_bdd = statistics_bdd.detach().requires_grad_()
            raw_bdd = live_bdd * live_bdd.shape[-1]
            apart_b = wasserstein(raw_bdd, self.target_bdd, root_bcc=root_bcc)
            (slope_bdd,) = torch.autograd.grad(apart_b / self.unit_b, live_bdd, self.steep_b)
        return apart_b.detach(), slope_bdd

    def seed(self, own_bchw: Tensor, tile: Tile, slope_bdd: Tensor) -> Tensor:
        """The gradient of the whole loss by a tile's own units."""
        back_bdhw = sent_back(self._counted(own_bchw, tile), slope_bdd)
        channels = own_bchw.shape[1]
        back_bchw = back_bdhw[:, :channels] if back_bdhw.shape[1] > channels else back_bdhw
        if self.guide is None:
            return back_bchw
        guide = self.guide.within(tile, self.layer)
        return guide.put(back_bchw * guide.share_b11n, own_bchw)

    def _counted(self, own_bchw: Tensor, tile: Tile) -> Tensor:
        """The features that count, in the size in which they do; for moments with a channel of ones."""
        if self.guide is None:
            return self._with_ones(own_bchw)
        guide = self.guide.within(tile, self.layer)
        return wide(self._with_ones(guide.pick(own_bchw))) * guide.share_b11n

    def _with_ones(self, features_bchw: Tensor) -> Tensor:
        if self.root_bcc is None:
            return features_bchw
        return torch.cat([features_bchw, torch.ones_like(features_bchw[:, :1])], 1)


def judged(
    terms: Sequence[StyleTerm], sums: list[Tensor], places: Sequence[int]
) -> tuple[list[Tensor], list[Tensor]]:
    """How far each term is from its target, [B], and the slope of the whole loss by its sums, [B, D, D].

    All layers go through each operation together, which a GPU is told once.

    Args:
        sums: of products of features, over all tiles.
        places: units of each layer in the whole picture.
    """
    counts = [float(term.count(units)) for term, units in zip(terms, places, strict=True)]
    statistics = torch._foreach_div(sums, counts)
    factors = [term.slope_bdd for term in terms if term.slope_bdd is not None]
    if factors:
        apart = torch._foreach_sub(statistics, [term.target_bdd for term in terms])
        pulls = [
            one if term.axes is None else term.axes.weighed(one)
            for term, one in zip(terms, apart, strict=True)
        ]
        distances = [products.sum((1, 2)) for products in torch._foreach_mul(apart, pulls)]
        slopes = torch._foreach_mul(factors, pulls)
        return distances, list(torch._foreach_div(slopes, counts))
    found = [
        term.by_moments(one, term.root_bcc)
        for term, one in zip(terms, statistics, strict=True)
        if term.root_bcc is not None
    ]
    slopes = torch._foreach_div([slope for _, slope in found], counts)
    return [distance for distance, _ in found], list(slopes)


def _style_unit(target_bdd: Tensor, form: Form, by_moments: bool) -> Tensor:
    return (wasserstein_unit if by_moments else style_unit)(target_bdd, form)


def range_weight(
    settings: StyleSettings, contents: Sequence[ContentTerm], styles: Sequence[StyleTerm]
) -> float | Tensor:
    """What the mean squared excess of pixels over 0..1 is multiplied by, a number or [B].

    `settings.range_weight`, in units of the style loss: what it is for a silent picture, by weight; without a
    style, of the content loss. That is 1 for `loss: relative`. So a range weight as large as the style's
    holds the pixels as firmly in any form of the loss, with any network's features.
    """
    terms = styles or contents
    if settings.loss == "relative" or not settings.range_weight or not terms:
        return settings.range_weight
    silent_b = torch.stack([term.steep_b * term.silent_b for term in terms]).sum(0)
    return settings.range_weight * silent_b / torch.stack([term.steep_b for term in terms]).sum(0)
