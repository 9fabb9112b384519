"""What is minimised: targets and losses tied to one value per picture, with its gradient."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from stylize_core.architecture import units
from stylize_core.device import wide
from stylize_core.loss.pixels import penalised_excess, weighted_variation
from stylize_core.loss.regions import Area
from stylize_core.loss.targets import Targets
from stylize_core.loss.terms import ContentTerm, StyleTerm
from stylize_core.networks.encoder import Encoder
from stylize_core.networks.tiles import Tile
from stylize_core.networks.vgg import Trace
from stylize_core.settings.style import StyleSettings

# What is summed over all places: squared differences [B] by content layer, products [B, D, D] by style term.
Sums = dict[str, Tensor]


@dataclass(frozen=True, slots=True)
class _View:
    """A tile as the network sees it.

    Attributes:
        own: the tile's own units by layer, in the network's number format.
        apart: how far they are from the content, by layer.
    """

    tile: Tile
    trace: Trace
    own: Mapping[str, Tensor]
    apart: Mapping[str, Tensor]


# Why so many: every term of the loss with its target and its weight.
@dataclass(frozen=True, slots=True)
class Objective:
    """The weighted sum of the losses for a batch of pictures, each row on its own.

    With a `tile_px` the picture is seen in tiles, in two passes: the first adds up what all of them show, the
    second sends back to each what follows from the sums. Loss and gradient are those of the whole picture
    within rounding, and the memory is that of one tile.

    Attributes:
        content: targets of `content_targets`, B rows.
        style: targets of `style_targets`, B rows, for the whole picture.
        areas: styles of parts of the picture, instead of `style`.
        tile_px: longest side of a tile's own part; 0 for all of the picture at once.
    """

    encoder: Encoder
    content: Targets
    style: Targets
    settings: StyleSettings
    areas: Sequence[Area] = ()
    tile_px: int = 0
    contents: Sequence[ContentTerm] = field(init=False, repr=False)
    styles: Sequence[Sequence[StyleTerm]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Take what every evaluation needs of the targets once."""
        if self.style and not self.areas:
            object.__setattr__(self, "areas", (Area(self.style),))
        contents = [ContentTerm.of(layer, target, self.settings) for layer, target in self.content.items()]
        object.__setattr__(self, "contents", contents)
        object.__setattr__(self, "styles", [self._terms_of(area) for area in self.areas])

    def _terms_of(self, area: Area) -> list[StyleTerm]:
        return [
            StyleTerm.of(layer, target, self.settings, area_b=area.weight_b, guide=area.guides.get(layer))
            for layer, target in area.style.items()
        ]

    @torch.no_grad()
    def __call__(self, image_bchw: Tensor) -> tuple[Tensor, Tensor]:
        """Loss [B] and its gradient [B, 3, H, W] at pictures [B, 3, H, W].

        The loss is the sum of the terms and of the penalty for pixels outside 0..1, which is 0 for any
        finished picture and therefore not among the terms.
        """
        tiles, sums, view = self._tiles(image_bchw), Sums(), None
        for tile in tiles:
            view = None  # the memory of one tile, not of two
            view = self._view(tile, image_bchw)
            self._add(sums, view)
        terms, slopes = self._judged(sums, image_bchw)
        gradient = torch.zeros_like(image_bchw)
        if self.settings.tv_weight:
            terms["tv"] = weighted_variation(image_bchw, self.settings, gradient)
        for tile in reversed(tiles):  # what is left of the first pass is the last tile's
            self._send_back(view or self._view(tile, image_bchw), slopes, gradient)
            view = None
        if self.settings.colour == "luminance":  # the slope among grey pictures: a grey start stays grey
            gradient.copy_(gradient.mean(1, keepdim=True))
        penalty = penalised_excess(image_bchw, self.settings.range_weight, gradient)
        return _total(terms) + penalty, gradient

    @torch.no_grad()
    def terms(self, image_bchw: Tensor) -> dict[str, Tensor]:
        """The weighted parts of the loss by name, each [B]; parts without weight are left out."""
        sums: Sums = {}
        for tile in self._tiles(image_bchw):
            self._add(sums, self._view(tile, image_bchw, exact=True))
        terms, _ = self._judged(sums, image_bchw)
        if self.settings.tv_weight:
            terms["tv"] = weighted_variation(image_bchw, self.settings)
        return terms

    def rows(self, index: Sequence[int]) -> Objective:
        """The objective for some rows of the batch only."""
        chosen = list(index)
        return Objective(
            encoder=self.encoder,
            content={layer: value[chosen] for layer, value in self.content.items()},
            style={},
            settings=self.settings,
            areas=[area.rows(chosen) for area in self.areas],
            tile_px=self.tile_px,
        )

    def _tiles(self, image_bchw: Tensor) -> Sequence[Tile]:
        return self.encoder.tiles(image_bchw, self.tile_px) if self.contents or self.styles else ()

    def _view(self, tile: Tile, image_bchw: Tensor, *, exact: bool = False) -> _View:
        """A tile as the network sees it; `exact` sums need wide features, and lead to no gradient."""
        trace = self.encoder.trace(tile.seen(image_bchw))
        used = {*self.content, *(term.layer for terms in self.styles for term in terms)}
        taps = {layer: seen for layer, seen in self.encoder.taps(trace).items() if layer in used}
        own = {layer: tile.own(wide(seen) if exact else seen, layer) for layer, seen in taps.items()}
        apart = {term.layer: term.difference(own[term.layer], tile) for term in self.contents}
        return _View(tile, trace, own, apart)

    def _add(self, sums: Sums, view: _View) -> None:
        """Add what a tile shows."""
        for layer, apart_bchw in view.apart.items():
            _increase(sums, layer, apart_bchw.square().sum((1, 2, 3)))
        for area, terms in enumerate(self.styles):
            for term in terms:
                _increase(sums, f"{term.layer} {area}", term.sums(view.own[term.layer], view.tile))

    def _judged(self, sums: Sums, image_bchw: Tensor) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """The weighted parts of the loss by name, each [B], and its slopes by the sums of products."""
        terms, slopes, styles = {}, {}, {}
        if self.contents:
            losses = {term.layer: term.loss(sums[term.layer]) for term in self.contents}
            terms["content"] = self.settings.content_weight * _total(losses)
        for area, of_area in enumerate(self.styles):
            losses = {}
            for term in of_area:
                key, (height, width) = f"{term.layer} {area}", image_bchw.shape[-2:]
                places = units(term.layer, height) * units(term.layer, width)
                losses[term.layer], slopes[key] = term.judged(sums[key], places)
            weight_b = self.areas[area].weight_b
            styles[str(area)] = _total(losses) if weight_b is None else weight_b * _total(losses)
        if styles:
            terms["style"] = self.settings.style_weight * _total(styles)
        return terms, slopes

    def _send_back(self, view: _View, slopes: Mapping[str, Tensor], gradient_bchw: Tensor) -> None:
        """Add what a tile's own units ask of the pixels that they see."""
        seeds = _Seeds(self, view, slopes)
        view.tile.seen(gradient_bchw).add_(self.encoder.pull_back(view.trace, seeds))

    def seed(self, layer: str, view: _View, slopes: Mapping[str, Tensor]) -> Tensor | None:
        """The gradient by a tile's own units of one layer, if any part of the loss looks at it."""
        seeds: dict[str, Tensor] = {}
        for area, terms in reversed(list(enumerate(self.styles))):
            for term in terms:
                if term.layer == layer:
                    own = view.own[layer]
                    _increase(seeds, layer, term.seed(own, view.tile, slopes[f"{layer} {area}"]))
        for content in self.contents:
            if content.layer == layer:
                _increase(seeds, layer, content.seed(view.apart[layer]).to(view.own[layer].dtype))
        return seeds.get(layer)


@dataclass(frozen=True, slots=True)
class _Seeds(Mapping[str, Tensor]):
    """The gradients by what a tile shows of each layer, each made when the way back comes to it."""

    objective: Objective
    view: _View
    slopes: Mapping[str, Tensor]

    def __getitem__(self, layer: str) -> Tensor:
        """That by all that the tile sees, 0 in the rim."""
        seed = self.objective.seed(layer, self.view, self.slopes)
        if seed is None:
            raise KeyError(layer)
        return self.view.tile.with_rim(seed, self.view.trace.features[layer], layer)

    def __iter__(self) -> Iterator[str]:
        """The layers that are looked at."""
        return iter(self.view.own)

    def __len__(self) -> int:
        """How many they are."""
        return len(self.view.own)


def _increase(sums: dict[str, Tensor], name: str, value: Tensor) -> None:
    """Add to a sum that may be there already, in place."""
    if name in sums:
        sums[name].add_(value)
    else:
        sums[name] = value


def _total(terms: Mapping[str, Tensor]) -> Tensor:
    return torch.stack(list(terms.values())).sum(0)
