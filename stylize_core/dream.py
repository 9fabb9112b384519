"""DeepDream: a picture is changed until a network sees more of what it sees in it already.

Mordvintsev, Olah and Tyka 2015, "Inceptionism: Going Deeper into Neural Networks". Gradient ascent on the
mean squared activation of layers or single channels, from a small copy of the picture to its full size: what
was dreamt at one size is enlarged and added to the picture at the next, which dreams finer detail into it. At
each step the picture is shifted at random (jitter), so that no grid of the network's strides settles in it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional

from stylize_core.architecture import units
from stylize_core.device import wide
from stylize_core.errors import SettingsError
from stylize_core.loss.pixels import weighted_variation
from stylize_core.networks.encoder import Encoder
from stylize_core.optim.watching import CHECK_EVERY, Callback, Frames, RowReport, StepProgress
from stylize_core.settings.resolved import SMALLEST_OCTAVE, octaves_of
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
        for tile in self.encoder.tiles(image_bchw, self.tile_px):
            trace = self.encoder.trace(tile.seen(image_bchw))
            own = {layer: wide(tile.own(seen, layer)) for layer, seen in self.encoder.taps(trace).items()}
            squares += _squares(self.parts, own)
            seeds = self._seeds(own, image_bchw)
            placed = {
                layer: tile.with_rim(seed, trace.features[layer], layer) for layer, seed in seeds.items()
            }
            tile.seen(direction).add_(self.encoder.pull_back(trace, placed))
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
    found = []
    for tile in encoder.tiles(image_bchw, tile_px):
        seen = encoder(tile.seen(image_bchw))
        found.append(_squares(parts, {layer: tile.own(value, layer) for layer, value in seen.items()}))
    return torch.stack(found).sum(0)


def _squares(parts: Sequence[Part], features: Mapping[str, Tensor]) -> Tensor:
    return torch.stack([part.of(features).square().sum((1, 2, 3)) for part in parts])


def check_channels(encoder: Encoder, settings: StyleSettings) -> None:
    """Refuse a dream about channels that this network does not have, before any picture is read.

    Raises:
        SettingsError: naming the channel and those that there are.
    """
    dream_objective(
        encoder, torch.zeros(1, 3, encoder.min_side, encoder.min_side, device=encoder.device), settings
    )


@torch.no_grad()
def dream(
    encoder: Encoder,
    start_bchw: Tensor,
    *,
    settings: StyleSettings,
    callback: Callback | None = None,
    frames: Frames | None = None,
    tile_px: int = 0,
) -> tuple[Tensor, list[RowReport]]:
    """Dream on pictures [B, 3, H, W] in 0..1.

    Returns:
        pictures in 0..1 of the same shape and a report for each; a loss of -2 says that the layers respond
        twice as strongly as to the picture that was there before, in the size of that octave.

    Raises:
        SettingsError: a channel that its layer does not have.
    """
    height, width = start_bchw.shape[-2:]
    least = max(SMALLEST_OCTAVE, encoder.min_side)
    octaves = octaves_of(settings, width=width, height=height, least=least)
    sizes = [(round(height * one.share), round(width * one.share)) for one in octaves]
    run = _Run(encoder, start_bchw, settings, callback, frames, tile_px)
    if len(sizes) < settings.octaves:
        decision = f"{len(sizes)} of {settings.octaves} octaves; smaller ones would show too little"
        for report in run.reports:
            report.decisions.append(decision)
    if frames is not None:
        frames.offer(0, start_bchw)
    detail = torch.zeros_like(start_bchw)
    for octave, size in zip(octaves, sizes, strict=True):
        base = _scaled(start_bchw, size)
        image = run.octave(base, (base + _scaled(detail, size)).clamp(0, 1), octave.last - octave.first)
        detail = image - base
    return image, run.reports


# Why so many: a run of dreams has all that its caller gives.
class _Run:
    """The steps of all octaves, counted together."""

    def __init__(
        self,
        encoder: Encoder,
        start_bchw: Tensor,
        settings: StyleSettings,
        callback: Callback | None,
        frames: Frames | None,
        tile_px: int,
    ) -> None:
        self.reports = [RowReport(best_loss=0.0) for _ in start_bchw]
        self._encoder, self._start, self._settings = encoder, start_bchw, settings
        self._callback, self._frames, self._tile_px = callback, frames, tile_px
        self._generator = torch.Generator().manual_seed(settings.seed)
        self._step = 0

    def octave(self, base: Tensor, image: Tensor, steps: int) -> Tensor:
        """Dream for so many steps; `base` is the picture in this size, `image` what was dreamt so far."""
        aim = dream_objective(self._encoder, base, self._settings, tile_px=self._tile_px)
        losses = []
        sound = torch.ones(len(image), dtype=torch.bool, device=image.device)
        for _ in range(steps):
            loss, image = self._ascend(aim, image)
            sound &= torch.isfinite(loss) & torch.isfinite(image).all((1, 2, 3))
            losses.append(loss)
            self._step += 1
            self._show(base, image, losses[-1])
        self._note(losses, sound)
        return image

    def _ascend(self, aim: DreamObjective, image: Tensor) -> tuple[Tensor, Tensor]:
        """One step along the gradient in units of its mean size.

        The network sees the picture at a random place within its own reflection: shifted, but neither wrapped
        round its edges, which would leave seams, nor next to the network's padding.
        """
        height, width = image.shape[-2:]
        reach = min(self._settings.jitter, (min(height, width) - 1) // 2)
        room = min(self._settings.margin + reach, min(height, width) - 1 - reach)
        down, right = torch.randint(-reach, reach + 1, (2,), generator=self._generator).tolist()
        top, left = room + down, room + right
        around = functional.pad(image, (left, room - right, top, room - down), mode="reflect")
        loss, direction = aim(around)
        direction = direction[..., top : top + height, left : left + width]
        size = direction.abs().mean((1, 2, 3), keepdim=True)
        unit = direction / size.clamp_min(torch.finfo(direction.dtype).tiny)
        return loss, (image + self._settings.dream_rate * unit).clamp(0, 1)

    def _show(self, base: Tensor, image: Tensor, loss: Tensor) -> None:
        if self._frames is not None and self._step in self._frames.steps:
            size = self._start.shape[-2:]
            whole = image if image.shape[-2:] == size else self._start + _scaled(image - base, tuple(size))
            self._frames.offer(self._step, whole)
        if self._callback is not None and (
            self._step % CHECK_EVERY == 0 or self._step == self._settings.steps
        ):
            self._callback(StepProgress(self._step, self._settings.steps, tuple(loss.tolist())))

    def _note(self, losses: list[Tensor], sound: Tensor) -> None:
        if not losses:
            return
        curves = torch.stack(losses, 1).tolist()
        for report, curve, kept in zip(self.reports, curves, sound.tolist(), strict=True):
            report.loss_curve += curve
            report.evaluations = report.accepted_steps = len(report.loss_curve)
            report.best_loss = curve[-1]
            report.stop_reason = report.stop_reason if kept else "diverged"


def _part(name: str, weight: float, encoder: Encoder) -> Part:
    layer, _, channel = name.partition(":")
    count = encoder.channels(layer)
    if channel and int(channel) >= count:
        raise SettingsError("dream_layers", name, f"{layer} has the channels 0 to {count - 1}")
    return Part(layer, int(channel) if channel else None, weight, 1 if channel else count)


def _scaled(image_bchw: Tensor, size: tuple[int, ...]) -> Tensor:
    if tuple(image_bchw.shape[-2:]) == size:
        return image_bchw
    return functional.interpolate(image_bchw, size=size, mode="bicubic", antialias=True)
