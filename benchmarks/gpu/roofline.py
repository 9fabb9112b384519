"""What an evaluation must take at least on a GPU: arithmetic and memory of each term, by the makers' figures.

Nothing here is measured: the terms are counted from the network, the rates stand in data sheets, and what a
launch costs the host is a usual figure. S. Williams, A. Waterman and D. Patterson, "Roofline: an insightful
visual performance model", 2009.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rich.table import Table

from benchmarks.pictures import benchmark_settings, weights_for
from stylize_core.architecture import Architecture, convolutions


@dataclass(frozen=True, slots=True)
class Card:
    """A GPU as its data sheet has it: dense bf16 with float32 sums, flop/s, and memory, bytes/s."""

    name: str
    flops: float
    bandwidth: float


CARDS = {
    "a100": Card("A100 80 GB", 312e12, 2.0e12),
    "h100": Card("H100 SXM", 989e12, 3.35e12),
    "h200": Card("H200", 989e12, 4.8e12),
    "l40s": Card("L40S", 362e12, 0.864e12),
}
BYTES = 2  # of a feature in bf16
# How often a layer's features pass through memory. There: written by the convolution, read and written for
# bias and ReLU, read by the next one. Back: the gradient read and written by the convolution's derivative,
# and read and written once more where the features, which are read, are zero.
PASSES = 9
GRAM_PASSES = 3  # the features for their products, and again for the gradient, which is added to another
PIXEL_BYTES = 12
SOLVER_PASSES = 6  # picture, gradient, direction and their copies, beside the history
LAUNCHES = 300  # about, of an evaluation and a step of the solver, launched one by one
LAUNCH_S = 4e-6


@dataclass(frozen=True, slots=True)
class Term:
    """One kind of work in an evaluation of a batch: products and sums, and bytes through memory."""

    name: str
    flops: float
    bytes_moved: float

    def seconds(self, card: Card) -> float:
        """The longer of what arithmetic and memory need."""
        return max(self.flops / card.flops, self.bytes_moved / card.bandwidth)


def terms(encoder: Architecture, *, size: int, batch: int) -> Iterator[Term]:
    """The terms of one evaluation of square pictures, and of the solver's step after it."""
    settings = benchmark_settings(encoder, size=size)
    weights = weights_for(encoder, None).parameters
    first = True
    for place in convolutions(encoder):
        channels_out, channels_in = weights[f"features.{place.index}.weight"].shape[:2]
        pixels = batch * (size // 2 ** (place.block - 1)) ** 2
        # The first layer's derivative ends at the picture, with three channels.
        flops = 2 * 2 * 9 * channels_out * channels_in * pixels
        yield Term(
            "convolutions", flops, PASSES * BYTES * channels_out * pixels + first * 8 * PIXEL_BYTES * pixels
        )
        if place.relu in settings.style_layer_weights:
            products = 2 * 2 * channels_out**2 * pixels
            yield Term("Gram matrices", products, GRAM_PASSES * BYTES * channels_out * pixels)
        first = False
        if place.relu == settings.layers[-1]:
            break
    numbers = batch * size * size * PIXEL_BYTES
    yield Term("solver", 0.0, numbers * (SOLVER_PASSES + 2 * 2 * settings.history))


def evaluation_s(encoder: Architecture, card: Card, *, size: int, batch: int) -> dict[str, float]:
    """Seconds of each term on the device, of all of them, and of the host's launches."""
    found: dict[str, float] = {}
    for term in terms(encoder, size=size, batch=batch):
        found[term.name] = found.get(term.name, 0.0) + term.seconds(card)
    return found | {"device": sum(found.values()), "host": LAUNCHES * LAUNCH_S}


def roofline_table(
    encoder: Architecture, card: Card, *, sizes: tuple[int, ...], batches: tuple[int, ...]
) -> Table:
    """Estimates, in milliseconds, of one evaluation and step of the solver."""
    table = Table(
        "size", "batch", "convolutions", "Gram matrices", "solver", "device", "launches", "evaluation",
        "pictures/s", "of the peak",
        title=f"ESTIMATE, not measured: {encoder} in bf16 on {card.name} ({card.flops / 1e12:.0f} TFLOP/s, "
        f"{card.bandwidth / 1e12:.2f} TB/s), ms",
    )  # fmt: skip
    for size in sizes:
        for batch in batches:
            found = evaluation_s(encoder, card, size=size, batch=batch)
            flops = sum(term.flops for term in terms(encoder, size=size, batch=batch))
            slower = max(found["device"], found["host"])
            names = ("convolutions", "Gram matrices", "solver", "device", "host")
            table.add_row(
                str(size),
                str(batch),
                *(f"{found[name] * 1e3:.2f}" for name in names),
                f"{slower * 1e3:.2f}",
                f"{batch / slower:.0f}",
                f"{flops / slower / card.flops:.0%}",
            )
    return table
