"""What grows in a dream: how strongly layers, or single channels of them, respond to pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from stylize_core.architecture import units
from stylize_core.device import wide
from stylize_core.errors import SettingsError
from stylize_core.loss.pixels import weighted_variation
from stylize_core.networks.encoder import Encoder
from stylize_core.networks.tiled_pass import TiledPass, View
from stylize_core.settings.style import StyleSettings

# What a channel hardly shows anywhere counts with this share of its layer's mean square at least, or the
# slightest trace of it would outweigh all other layers.
FAINTEST = 0.01


@dataclass(frozen=True, slots=True)
class Part:
    """What is to grow: a layer, or one channel of it; with so many channels."""

    layer: str
    channel: int | None
    weight: float
    channels: int

    def of(self, features: Mapping[str, Tensor]) -> Tensor:
        """Its features, [B, C, h, w]."""
        whole = features[self.layer]
        return whole if self.channel is None else whole[:, self.channel : self.channel + 1]

    def places(self, image_bchw: Tensor) -> int:
        """How many numbers they are, for each picture."""
        height, width = (units(self.layer, side) for side in image_bchw.shape[-2:])
        return self.channels * height * width


@dataclass(frozen=True, slots=True)
class DreamObjective:
    """How strongly the parts respond to pictures, in units of their response to the pictures to dream on.

    Attributes:
        before: mean square of each part's features in those pictures, [parts, B].
        tile_px: longest side of the tiles that pictures are seen in, px; 0: all of a picture at once.
    """

    encoder: Encoder
    settings: StyleSettings
    parts: tuple[Part, ...]
    before: Tensor
    tile_px: int = 0

    @torch.no_grad()
    def __call__(self, image_bchw: Tensor) -> tuple[Tensor, Tensor]:
        """The loss [B], which is minus the growth, and the direction of ascent [B, 3, H, W]."""
        squares, direction = torch.zeros_like(self.before), torch.zeros_like(image_bchw)

        def seeds(view: View) -> Mapping[str, Tensor]:
            if not view.own:
                return {}
            own = {layer: wide(seen) for layer, seen in view.own.items()}
            squares.add_(_squares(self.parts, own))
            placed = self._seeds(own, image_bchw).items()
            seen = view.trace.features
            return {layer: view.tile.with_rim(seed, seen[layer], layer) for layer, seed in placed}

        TiledPass(self.encoder, image_bchw, self.tile_px).backward(seeds, direction)
        terms = self._terms(squares, image_bchw)
        if self.settings.tv_weight:
            roughening = torch.zeros_like(direction)
            terms["tv"] = weighted_variation(image_bchw, self.settings, roughening)
            direction = direction - roughening
        if self.settings.colour == "luminance":
            direction = direction.mean(1, keepdim=True).expand(direction.shape)
        return torch.stack(list(terms.values())).sum(0), direction

    @torch.no_grad()
    def terms(self, image_bchw: Tensor) -> dict[str, Tensor]:
        """The parts of the loss by name, each [B]."""
        terms = self._terms(_squares_of(self.encoder, image_bchw, self.parts, self.tile_px), image_bchw)
        if self.settings.tv_weight:
            terms["tv"] = weighted_variation(image_bchw, self.settings)
        return terms

    def _terms(self, squares: Tensor, image_bchw: Tensor) -> dict[str, Tensor]:
        grown = [
            part.weight * (of_part / part.places(image_bchw)) / before
            for part, of_part, before in zip(self.parts, squares, self.before, strict=True)
        ]
        return {"dream": -torch.stack(grown).sum(0)}

    def _seeds(self, own: Mapping[str, Tensor], image_bchw: Tensor) -> dict[str, Tensor]:
        """The gradient of the growth by a tile's own units."""
        seeds = {layer: torch.zeros_like(value) for layer, value in own.items()}
        for part, before in zip(self.parts, self.before, strict=True):
            if part.layer in own:
                slope = 2 * part.weight / (before * part.places(image_bchw))
                part.of(seeds).add_(part.of(own) * slope.view(-1, 1, 1, 1))
        return seeds


def dream_objective(
    encoder: Encoder, image_bchw: Tensor, settings: StyleSettings, *, tile_px: int = 0
) -> DreamObjective:
    """What the settings want to grow, measured against pictures [B, 3, H, W].

    Raises:
        SettingsError: a channel that its layer does not have.
    """
    parts = tuple(_part(name, weight, encoder) for name, weight in settings.dream_layer_weights.items())
    of_layers = [replace(part, channel=None, channels=encoder.channels(part.layer)) for part in parts]
    seen = _squares_of(encoder, image_bchw, [*parts, *of_layers], tile_px)
    means = [
        of_part / part.places(image_bchw) for part, of_part in zip([*parts, *of_layers], seen, strict=True)
    ]
    pairs = zip(means[: len(parts)], means[len(parts) :], strict=True)
    before = torch.stack([torch.maximum(mean, FAINTEST * of_layer) for mean, of_layer in pairs])
    return DreamObjective(encoder, settings, parts, before.clamp_min(1e-12), tile_px)


def _squares_of(encoder: Encoder, image_bchw: Tensor, parts: Sequence[Part], tile_px: int) -> Tensor:
    """The sum of squares of each part's features in pictures, [parts, B]."""
    found: list[Tensor] = []

    def add(view: View) -> None:
        if view.own:
            found.append(_squares(parts, {layer: wide(seen) for layer, seen in view.own.items()}))

    TiledPass(encoder, image_bchw, tile_px).forward(add)
    return torch.stack(found).sum(0)


def _squares(parts: Sequence[Part], features: Mapping[str, Tensor]) -> Tensor:
    """The sum of squares of each part's features among these, [parts, B]; 0 for those of other sections."""
    (some, *_) = features.values()
    nothing = some.new_zeros(len(some))
    return torch.stack(
        [part.of(features).square().sum((1, 2, 3)) if part.layer in features else nothing for part in parts]
    )


def check_channels(encoder: Encoder, settings: StyleSettings) -> None:
    """Refuse a dream about channels that this network does not have, before any picture is read.

    Raises:
        SettingsError: naming the channel and those that there are.
    """
    dream_objective(
        encoder, torch.zeros(1, 3, encoder.min_side, encoder.min_side, device=encoder.device), settings
    )


def _part(name: str, weight: float, encoder: Encoder) -> Part:
    layer, _, channel = name.partition(":")
    count = encoder.channels(layer)
    if channel and int(channel) >= count:
        raise SettingsError("dream_layers", name, f"{layer} has the channels 0 to {count - 1}")
    return Part(layer, int(channel) if channel else None, weight, 1 if channel else count)
