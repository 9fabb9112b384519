"""What is minimised: targets and losses tied to one value per picture, with its gradient."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import torch
from torch import Tensor

from stylize_core.architecture import units
from stylize_core.chunks import total
from stylize_core.device import wide
from stylize_core.loss.pixels import penalised_excess, weighted_variation
from stylize_core.loss.regions import Area
from stylize_core.loss.targets import Targets
from stylize_core.loss.terms import ContentTerm, StyleTerm, judged, range_weight
from stylize_core.networks.encoder import Encoder
from stylize_core.networks.tiled_pass import TiledPass, View
from stylize_core.settings.style import StyleSettings

# What is summed over all places: squared differences [B] by content layer, products [B, D, D] by style term.
Sums = dict[str, Tensor]


# Why so many: every term of the loss with its target and its weight.
@dataclass(frozen=True, slots=True)
class Objective:
    """The weighted sum of the losses for a batch of pictures, each row on its own.

    With a `tile_px` the picture is seen in tiles: on the way forward what they all show is added up, on the
    way back each is sent what follows from the sums. Loss and gradient are those of the whole picture within
    rounding, and the memory is that of one tile (`TiledPass`).

    Attributes:
        content: targets of `content_targets`, B rows.
        style: targets of `style_targets`, B rows, for the whole picture.
        areas: styles of parts of the picture, instead of `style`.
        tile_px: longest side of a tile's own part, px; 0 for all of the picture at once.
        whitened: whether styles are compared as `settings.whitening` has it for the first steps.
    """

    encoder: Encoder
    content: Targets
    style: Targets
    settings: StyleSettings
    areas: Sequence[Area] = ()
    tile_px: int = 0
    whitened: bool = False
    contents: Sequence[ContentTerm] = field(init=False, repr=False)
    styles: Sequence[Sequence[StyleTerm]] = field(init=False, repr=False)
    used: frozenset[str] = field(init=False, repr=False)
    range_weight: float | Tensor = field(init=False, repr=False)
    units_lb: Tensor = field(init=False, repr=False)
    shares_lb: Tensor = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Take what every evaluation needs of the targets once."""
        if self.style and not self.areas:
            object.__setattr__(self, "areas", (Area(self.style),))
        contents = [ContentTerm.of(layer, target, self.settings) for layer, target in self.content.items()]
        object.__setattr__(self, "contents", contents)
        styles = [self._terms_of(area) for area in self.areas]
        object.__setattr__(self, "styles", styles)
        of_style = [term for terms in styles for term in terms]
        object.__setattr__(self, "used", frozenset({*self.content, *(term.layer for term in of_style)}))
        object.__setattr__(self, "range_weight", range_weight(self.settings, contents, of_style))
        every: list[ContentTerm | StyleTerm] = [*contents, *of_style]
        if every:
            units_lb = torch.stack([term.unit_b for term in every])
            shares_lb = torch.stack([torch.full_like(term.unit_b, term.weight) for term in every])
            object.__setattr__(self, "units_lb", units_lb)
            object.__setattr__(self, "shares_lb", shares_lb)

    def _terms_of(self, area: Area) -> list[StyleTerm]:
        return [
            StyleTerm.of(
                layer,
                target,
                self.settings,
                area_b=area.weight_b,
                guide=area.guides.get(layer),
                whitened=self.whitened,
            )
            for layer, target in area.style.items()
        ]

    @torch.no_grad()
    def __call__(self, image_bchw: Tensor) -> tuple[Tensor, Tensor]:
        """Loss [B] and its gradient [B, 3, H, W] at pictures [B, 3, H, W].

        The loss is the sum of the terms and of the penalty for pixels outside 0..1, which is 0 for any
        finished picture and therefore not among the terms.
        """
        sums, seen, gradient = Sums(), TiledPass(self.encoder, image_bchw, self.tile_px), None
        if self.used:
            seen.forward(partial(self._add, sums))
        terms, slopes = self._judged(sums, image_bchw)
        if self.settings.tv_weight or not self.used:
            gradient = torch.zeros_like(image_bchw)
        if self.settings.tv_weight:
            terms["tv"] = weighted_variation(image_bchw, self.settings, gradient)
        if self.used or gradient is None:
            gradient = seen.backward(lambda view: _Seeds(self, view, slopes), gradient)
        if self.settings.colour == "luminance":  # the slope among grey pictures: a grey start stays grey
            gradient.copy_(gradient.mean(1, keepdim=True))
        penalty = penalised_excess(image_bchw, self.range_weight, gradient)
        return total(list(terms.values())) + penalty, gradient

    @torch.no_grad()
    def terms(self, image_bchw: Tensor) -> dict[str, Tensor]:
        """The weighted parts of the loss by name, each [B]; parts without weight are left out."""
        sums: Sums = {}
        if self.used:
            seen = TiledPass(self.encoder, image_bchw, self.tile_px)
            seen.forward(lambda view: self._add(sums, view, exact=True))
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
            whitened=self.whitened,
        )

    def _add(self, sums: Sums, view: View, *, exact: bool = False) -> None:
        """Add what a tile shows; `exact` sums are those of wide features."""
        own = {layer: wide(seen) if exact else seen for layer, seen in view.own.items()}
        for content in self.contents:
            if content.layer in own:
                apart_bchw = content.difference(own[content.layer], view.tile)
                _increase(sums, content.layer, apart_bchw.square().sum((1, 2, 3)))
                view.noted[content.layer] = apart_bchw
        for area, terms in enumerate(self.styles):
            for term in terms:
                if term.layer in own:
                    _increase(sums, f"{term.layer} {area}", term.sums(own[term.layer], view.tile))

    def _judged(self, sums: Sums, image_bchw: Tensor) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """The weighted parts of the loss by name, each [B], and its slopes by the sums of products."""
        distances, slopes = [sums[term.layer] for term in self.contents], dict[str, Tensor]()
        for area, of_area in enumerate(self.styles):
            keys, (height, width) = [f"{term.layer} {area}" for term in of_area], image_bchw.shape[-2:]
            places = [units(term.layer, height) * units(term.layer, width) for term in of_area]
            found, of_sums = judged(of_area, [sums[key] for key in keys], places)
            distances += found
            slopes |= zip(keys, of_sums, strict=True)
        return self._weighed(distances), slopes

    def _weighed(self, distances: Sequence[Tensor]) -> dict[str, Tensor]:
        """The parts of the loss by name, each [B], given how far every term is from its target."""
        if not distances:
            return {}
        losses_lb = self.shares_lb * (torch.stack(list(distances)) / self.units_lb)
        terms, styles, first = {}, [], len(self.contents)
        if self.contents:
            terms["content"] = self.settings.content_weight * losses_lb[:first].sum(0)
        for area, of_area in zip(self.areas, self.styles, strict=True):
            loss_b = losses_lb[first : first + len(of_area)].sum(0)
            styles.append(loss_b if area.weight_b is None else area.weight_b * loss_b)
            first += len(of_area)
        if styles:
            terms["style"] = self.settings.style_weight * total(styles)
        return terms

    def seed(self, layer: str, view: View, slopes: Mapping[str, Tensor]) -> Tensor | None:
        """The gradient by a tile's own units of one layer, if any part of the loss looks at it."""
        seeds: dict[str, Tensor] = {}
        for area, terms in reversed(list(enumerate(self.styles))):
            for term in terms:
                if term.layer == layer:
                    own = view.own[layer]
                    _increase(seeds, layer, term.seed(own, view.tile, slopes[f"{layer} {area}"]))
        for content in self.contents:
            if content.layer == layer:
                own, apart_bchw = view.own[layer], view.noted.pop(layer, None)
                apart_bchw = content.difference(own, view.tile) if apart_bchw is None else apart_bchw
                _increase(seeds, layer, content.seed(apart_bchw).to(own.dtype))
        return seeds.get(layer)


@dataclass(frozen=True, slots=True)
class _Seeds(Mapping[str, Tensor]):
    """The gradients by what a tile shows of each layer, each made when the way back comes to it."""

    objective: Objective
    view: View
    slopes: Mapping[str, Tensor]

    def __getitem__(self, layer: str) -> Tensor:
        """That by all that the tile sees, 0 in the rim."""
        seed = self.objective.seed(layer, self.view, self.slopes)
        if seed is None:
            raise KeyError(layer)
        return self.view.tile.with_rim(seed, self.view.trace.features[layer], layer)

    def __iter__(self) -> Iterator[str]:
        """The layers that are looked at."""
        return (layer for layer in self.view.own if layer in self.objective.used)

    def __len__(self) -> int:
        """How many they are."""
        return len(list(iter(self)))


def _increase(sums: dict[str, Tensor], name: str, value: Tensor) -> None:
    """Add to a sum that may be there already, in place."""
    if name in sums:
        sums[name].add_(value)
    else:
        sums[name] = value
