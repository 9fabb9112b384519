"""How many numbers a network's layers hold for a picture, and how many products they take. Knows no torch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from stylize_core.architecture import (
    CHANNELS_PER_BLOCK,
    INCEPTION_LAYERS,
    channel_count,
    convolutions,
    down_to_deepest,
    inception_units,
)

# Of GoogLeNet's layers, for each number of their results: the products of all convolutions in their branches,
# and the numbers that are kept for the pass back, of normalisations and of the pooling behind them as well.
_INCEPTION_PRODUCTS = (147, 64, 576, 606, 706, 710, 828, 947, 1083, 964, 1174, 1313)
_INCEPTION_KEPT = (2.75, 2.0, 2.75, 6.1, 6.0, 6.2, 6.5, 6.6, 6.6, 6.1, 6.5, 5.9)


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer as a picture of some size fills it.

    Attributes:
        channels: of its result.
        units: places of its result, in all rows and columns.
        given: channels of what it sees.
        products: multiplications that make its result; 0 for a pooling.
    """

    name: str
    channels: int
    units: int
    given: int
    products: int

    @property
    def numbers(self) -> int:
        """How many numbers its result has."""
        return self.channels * self.units


def layers_for(architecture: str, wanted: tuple[str, ...], *, width: int, height: int) -> Iterator[Layer]:
    """The layers that have to be computed for those wanted, from the picture inwards.

    >>> [(one.name, one.numbers) for one in layers_for("slim", ("relu2_1",), width=64, height=32)]
    [('relu1_1', 32768), ('relu1_2', 32768), ('pool1', 8192), ('relu2_1', 16384)]
    """
    needed = down_to_deepest(architecture, wanted)
    if architecture == "googlenet":
        yield from _inception(needed, width, height)
        return
    blocks = {place.relu: place.block for place in convolutions(architecture)}
    channels, sides = 3, (width, height)
    for name in needed:
        if name in blocks:
            own, units = CHANNELS_PER_BLOCK[architecture][blocks[name] - 1], sides[0] * sides[1]
            yield Layer(name, own, units, channels, 9 * channels * own * units)
            channels = own
        else:
            sides = (sides[0] // 2, sides[1] // 2)
            yield Layer(name, channels, sides[0] * sides[1], channels, 0)


def _inception(needed: tuple[str, ...], width: int, height: int) -> Iterator[Layer]:
    given = 3
    for name in needed:
        channels = channel_count("googlenet", name)
        units = inception_units(name, width) * inception_units(name, height)
        products = _INCEPTION_PRODUCTS[INCEPTION_LAYERS.index(name)] * channels * units
        yield Layer(name, channels, units, given, products)
        given = channels


def kept_numbers(architecture: str, layers: tuple[Layer, ...]) -> float:
    """How many numbers of a pass forward are kept for the pass back: every result after its ReLU."""
    if architecture == "googlenet":
        return sum(_INCEPTION_KEPT[INCEPTION_LAYERS.index(layer.name)] * layer.numbers for layer in layers)
    return sum(layer.numbers for layer in layers if layer.products)


def parameter_numbers(layers: tuple[Layer, ...]) -> int:
    """How many weights the convolutions have."""
    return sum(layer.products // layer.units for layer in layers if layer.products and layer.units)
