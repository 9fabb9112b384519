"""One loss and gradient on a device: plain PyTorch, our chain, and the peak of its convolutions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from benchmarks.evaluation import evaluation_flops
from benchmarks.gpu.clock import Cost, Work, cost_of, forget
from benchmarks.pictures import benchmark_settings, picture, weights_for
from benchmarks.plain import PlainVGG, plain_loss
from stylize_core.architecture import Architecture
from stylize_core.device import Precision, choose_precision, is_out_of_memory
from stylize_core.loss.objective import Objective
from stylize_core.loss.targets import content_targets, style_targets
from stylize_core.networks.encoder import Encoder
from stylize_core.settings.style import StyleSettings

# One large 3x3 convolution in channels-last, as many channels out as in: what the device can do at all.
PEAK_CHANNELS, PEAK_SIDE, PEAK_BATCH = 512, 64, 16
SMALL_PEAK = (64, 32, 1)  # for a trial of this program on a CPU


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One row of the table.

    Attributes:
        seconds: of one evaluation of the whole batch by the chain; None where memory did not suffice.
        plain_s: of as many evaluations of one picture each by plain PyTorch; None likewise.
        share: of the measured peak, by the arithmetic of all convolutions and their derivatives.
        peak_bytes: of the device's memory.
    """

    encoder: Architecture
    size: int
    batch: int
    precision: Precision
    seconds: float | None
    plain_s: float | None
    share: float | None
    peak_bytes: int | None

    @property
    def ratio(self) -> float | None:
        """How many times faster the chain is."""
        return self.plain_s / self.seconds if self.plain_s and self.seconds else None


def evaluations(
    encoder: Architecture,
    *,
    sizes: tuple[int, ...],
    batches: tuple[int, ...],
    device: torch.device,
    file: str | None,
) -> Iterator[Evaluation]:
    """A row for each size and batch, as soon as it is measured."""
    for size in sizes:
        settings = benchmark_settings(encoder, size=size)
        precision = choose_precision("auto", device, size=size)
        peak = convolution_peak(precision, device)
        plain = _cost(lambda settings=settings: _plain(settings, device, file), device)
        for batch in batches:
            cost = _cost(
                lambda settings=settings, batch=batch, precision=precision: chain_on(
                    settings, batch, precision, device, file
                ),
                device,
            )
            share = None
            if cost is not None:
                flops = batch * evaluation_flops(weights_for(encoder, file), settings.layers[-1], size * size)
                share = flops / cost.seconds / peak
            yield Evaluation(
                encoder,
                size,
                batch,
                precision,
                None if cost is None else cost.seconds,
                None if plain is None else plain.seconds * batch,
                share,
                None if cost is None else cost.peak_bytes,
            )


def convolution_peak(precision: Precision, device: torch.device) -> float:
    """Products and sums a second of one large convolution in that number format."""
    small = SMALL_PEAK if device.type == "cpu" else (PEAK_CHANNELS, PEAK_SIDE, PEAK_BATCH)
    channels, side, batch = small
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    features = torch.randn(batch, channels, side, side, device=device).to(dtype)
    kernel = torch.randn(channels, channels, 3, 3, device=device).to(dtype)
    features, kernel = (given.contiguous(memory_format=torch.channels_last) for given in (features, kernel))
    cost = cost_of(lambda: functional.conv2d(features, kernel, padding=1), device)
    return 2 * 9 * channels**2 * batch * side**2 / cost.seconds


def _cost(make: object, device: torch.device) -> Cost | None:
    """What the work that is made costs; None where memory does not hold it."""
    assert callable(make)
    try:
        return cost_of(make(), device)
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
    finally:
        forget(device)
    return None


def chain_on(
    settings: StyleSettings, batch: int, precision: Precision, device: torch.device, file: str | None
) -> Work:
    """One evaluation of our objective for so many pairs of example pictures."""
    contents, styles = pictures_on(settings, batch, device)
    encoder = encoder_on(settings, precision, device, file)
    objective = Objective(
        encoder=encoder,
        content=content_targets(encoder, contents, settings),
        style=style_targets(encoder, styles, settings),
        settings=settings,
    )
    return lambda: objective(contents)


def encoder_on(
    settings: StyleSettings, precision: Precision, device: torch.device, file: str | None
) -> Encoder:
    """The network as a worker has it."""
    return Encoder(
        weights_for(settings.encoder, file),
        layers=settings.layers,
        pooling=settings.network_pooling,
        device=device,
        dtype=torch.bfloat16 if precision == "bf16" else torch.float32,
    )


def pictures_on(settings: StyleSettings, batch: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Contents and styles [batch, 3, size, size], no two contents alike."""
    size = settings.picture_size.expected_px
    content, style = (
        functional.interpolate(picture(name, size), (size, size), mode="bilinear")
        for name in ("contents/town", "styles/flow")
    )
    contents = torch.cat([content.roll(7 * row, dims=-1) for row in range(batch)])
    return contents.to(device), style.expand(batch, -1, -1, -1).contiguous().to(device)


def _plain(settings: StyleSettings, device: torch.device, file: str | None) -> Work:
    content, style = pictures_on(settings, 1, device)
    network = PlainVGG(weights_for(settings.encoder, file), settings.layers).to(device)
    loss = plain_loss(network, content, style, settings)
    image = content.clone().requires_grad_()
    return lambda: torch.autograd.grad(loss(image), image)
