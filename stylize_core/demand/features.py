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

# Of one evaluation with GoogLeNet, in numbers per unit of a layer's result: what its branches, normalisations
# and poolings keep for the pass back, and the products of its convolutions; by hooks on torchvision's.
_INCEPTION_KEPT = 3.4
_INCEPTION_PRODUCTS = (147, 64, 576, 640, 700, 460, 560, 640, 720, 700, 560, 620)


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
    kept = sum(layer.numbers for layer in layers if layer.products)
    return kept * _INCEPTION_KEPT if architecture == "googlenet" else kept


def parameter_numbers(layers: tuple[Layer, ...]) -> int:
    """How many weights the convolutions have."""
    return sum(layer.products // layer.units for layer in layers if layer.products and layer.units)
