"""The networks by name: their layers, their defaults, their published weights. Knows no torch.

Layers carry the field's names: `relu4_2` is the ReLU after the second convolution of block four, `pool4` what
pooling leaves of that block (Simonyan and Zisserman 2014, arXiv 1409.1556, configurations D and E).
"""

from __future__ import annotations

import math
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

Architecture = Literal["slim", "vgg19", "vgg16", "googlenet"]
DEFAULT_ENCODER: Architecture = "slim"
ConventionName = Literal["torchvision", "caffe", "features"]

CONVOLUTIONS_PER_BLOCK: Mapping[str, tuple[int, ...]] = {
    "slim": (2, 2, 4, 1),
    "vgg19": (2, 2, 4, 4, 4),
    "vgg16": (2, 2, 3, 3, 3),
}
INCEPTION_LAYERS = (
    "conv1", "conv2", "conv3", "inception3a", "inception3b", "inception4a", "inception4b", "inception4c",
    "inception4d", "inception4e", "inception5a", "inception5b",
)  # fmt: skip
"""GoogLeNet's, under torchvision's names."""

CHANNELS_PER_BLOCK: Mapping[str, tuple[int, ...]] = {
    "slim": (16, 32, 64, 96),
    "vgg19": (64, 128, 256, 512, 512),
    "vgg16": (64, 128, 256, 512, 512),
}
INCEPTION_CHANNELS = (64, 64, 192, 256, 480, 512, 512, 512, 528, 832, 832, 1024)
"""Those of `INCEPTION_LAYERS`."""

ARCHITECTURES: tuple[str, ...] = (*CONVOLUTIONS_PER_BLOCK, "googlenet")

PACKAGED: tuple[str, ...] = ("slim", "slim_block4")
"""The files of the built-in encoder: its first three blocks, and the fourth, which came later."""
PACKAGED_BLOCKS = 3
"""How many blocks the first of them holds; what needs no more is the same with it alone."""

DEFAULT_CONTENT_LAYERS: Mapping[str, tuple[str, ...]] = {
    "slim": ("relu3_3",),
    "vgg19": ("relu4_2",),
    "vgg16": ("relu4_2",),
    "googlenet": ("inception3b",),
}
DEFAULT_STYLE_LAYERS: Mapping[str, tuple[str, ...]] = {
    "slim": ("relu1_1", "relu2_1", "relu3_1", "relu4_1"),
    "vgg19": ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1"),
    "vgg16": ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1"),
    "googlenet": ("conv1", "conv3", "inception3b", "inception4c"),
}
DEFAULT_DREAM_LAYERS: Mapping[str, tuple[str, ...]] = {
    "slim": ("relu3_1",),
    "vgg19": ("relu4_3",),
    "vgg16": ("relu4_3",),
    "googlenet": ("inception4c",),
}
COARSEST_PX: Mapping[str, int] = {"slim": 32, "vgg19": 64, "vgg16": 64, "googlenet": 64}
"""The smallest long edge that says something: eight units of the default content layer, or a few more."""
DIAGONAL_GAIN: Mapping[str, float] = {"slim": 1.6, "vgg19": 1.0, "vgg16": 1.0, "googlenet": 1.0}
"""How much less of fine slanting structure a network's gradients tell than of upright one."""


@dataclass(frozen=True, slots=True)
class Convolution:
    """A 3x3 convolution with its ReLU: `index` is its place in torchvision's `features`."""

    relu: str
    block: int
    index: int


@dataclass(frozen=True, slots=True)
class Published:
    """Weights that torchvision publishes; the file name ends in the first 8 hex digits of its sha256."""

    architecture: Architecture
    enum: str
    member: str
    convention: ConventionName
    sha256_prefix: str
    licence: str


_OF_TORCHVISION = (
    "none is stated: torchvision leaves terms that derive from the training data, ImageNet, to you"
)
PUBLISHED: Mapping[str, Published] = {
    "vgg19": Published("vgg19", "VGG19_Weights", "IMAGENET1K_V1", "torchvision", "dcbb9e9d", _OF_TORCHVISION),
    "vgg16": Published(
        "vgg16",
        "VGG16_Weights",
        "IMAGENET1K_FEATURES",
        "features",
        "88682ab5",
        "CC BY 4.0, Visual Geometry Group, University of Oxford",
    ),
    "googlenet": Published(
        "googlenet", "GoogLeNet_Weights", "IMAGENET1K_V1", "torchvision", "1378be20", _OF_TORCHVISION
    ),
}


def convolutions(architecture: str) -> tuple[Convolution, ...]:
    """The convolutions of a VGG from the picture inwards.

    >>> [c.relu for c in convolutions("slim")][:3]
    ['relu1_1', 'relu1_2', 'relu2_1']
    >>> convolutions("vgg19")[-1]
    Convolution(relu='relu5_4', block=5, index=34)
    """
    found, index = [], 0
    for block, count in enumerate(CONVOLUTIONS_PER_BLOCK[architecture], start=1):
        for number in range(1, count + 1):
            found.append(Convolution(f"relu{block}_{number}", block, index))
            index += 2
        index += 1  # the pooling layer
    return tuple(found)


def layer_names(architecture: str) -> tuple[str, ...]:
    """The names that `content_layers` and `style_layers` may use, from the picture inwards.

    >>> layer_names("slim")[:4]
    ('relu1_1', 'relu1_2', 'pool1', 'relu2_1')
    """
    if architecture == "googlenet":
        return INCEPTION_LAYERS
    found: list[str] = []
    for block, count in enumerate(CONVOLUTIONS_PER_BLOCK[architecture], start=1):
        found += [f"relu{block}_{number}" for number in range(1, count + 1)]
        found.append(f"pool{block}")
    return tuple(found)


def channel_count(architecture: str, layer: str) -> int:
    """How many channels a layer has with the published or built-in weights; a file's may have others.

    >>> channel_count("vgg19", "relu4_2"), channel_count("googlenet", "inception3a")
    (512, 256)
    """
    if architecture == "googlenet":
        return INCEPTION_CHANNELS[INCEPTION_LAYERS.index(layer)]
    return CHANNELS_PER_BLOCK[architecture][int(layer[4]) - 1]


def down_to_deepest(architecture: str, layers: Iterable[str]) -> tuple[str, ...]:
    """The layers that have to be computed for these, from the picture inwards.

    >>> down_to_deepest("slim", ["relu1_1", "pool1"])
    ('relu1_1', 'relu1_2', 'pool1')
    """
    names = layer_names(architecture)
    return names[: 1 + max((names.index(layer) for layer in layers), default=-1)]


def usable_layers(architecture: str, reached: Container[str]) -> tuple[str, ...]:
    """The layers of weights that end early, given those but for poolings that they reach.

    >>> usable_layers("vgg19", ("relu1_1", "relu1_2", "relu2_1"))
    ('relu1_1', 'relu1_2', 'pool1', 'relu2_1')
    """
    found = []
    for layer in layer_names(architecture):
        needed = [name for name in down_to_deepest(architecture, [layer]) if not name.startswith("pool")]
        if needed[-1] in reached:
            found.append(layer)
    return tuple(found)


def in_words(layers: Sequence[str]) -> str:
    """What layers there are, for people.

    >>> in_words(layer_names("slim"))
    'relu1_1 to relu4_1 and pool1 to pool4'
    """
    kinds = (
        [name for name in layers if name.startswith(kind)] for kind in ("conv", "inception", "relu", "pool")
    )
    return " and ".join(f"{names[0]} to {names[-1]}" for names in kinds if names)


def smallest_side(layer: str) -> int:
    """The shortest picture side, in px, that leaves one column at `layer`.

    >>> smallest_side("relu5_1"), smallest_side("pool5")
    (16, 32)
    """
    if layer in INCEPTION_LAYERS:
        return {"conv1": 1, "conv2": 3, "conv3": 3, "inception3a": 7, "inception3b": 7}.get(layer, 15)
    block = int(layer[4])
    return int(2 ** (block if layer.startswith("pool") else block - 1))


def least_side(layers: Iterable[str]) -> int:
    """The shortest picture side, px, at which every one of the layers sees something."""
    return max(map(smallest_side, layers), default=1)


# With fewer, Winograd's filtering pays in sums what it saves in products (`python -m benchmarks evaluation`).
_LEAST_FOR_WINOGRAD = {2: 128 * 128, 4: 64 * 128}


def goes_winograds_way(given: int, made: int, *, number_bytes: int) -> bool:
    """Whether a CPU computes a 3x3 convolution by Winograd's filtering, with kernels four times as large.

    Args:
        given: channels of what it is given.
        made: channels of what it makes.
        number_bytes: of a number; for float64, which only tests use, it never does.
    """
    return given * made >= _LEAST_FOR_WINOGRAD.get(number_bytes, math.inf)


def inception_units(layer: str, side: int) -> int:
    """How many units a layer of GoogLeNet has along a picture's side of so many px.

    Its stride of two and its poolings round up, so that is not the side divided by anything.

    >>> inception_units("conv1", 130), inception_units("inception4c", 130)
    (65, 8)
    """
    units = (side + 1) // 2
    poolings = (layer != "conv1") if layer.startswith("conv") else int(layer.removeprefix("inception")[0]) - 1
    for window in (3, 3, 3, 2)[:poolings]:
        units = -(-(units - window) // 2) + 1
    return units


def stride(layer: str) -> int:
    """How many px of the picture lie between neighbouring units of a layer.

    >>> stride("relu4_2"), stride("pool4"), stride("inception3a")
    (8, 16, 8)
    """
    if layer in INCEPTION_LAYERS:
        return {"conv1": 2, "conv2": 4, "conv3": 4}.get(layer) or int(2 ** int(layer[9]))
    return smallest_side(layer)


def units(layer: str, side: int) -> int:
    """How many units a layer has along a picture's side of so many px.

    >>> units("relu4_2", 130), units("inception4c", 130)
    (16, 8)
    """
    return inception_units(layer, side) if layer in INCEPTION_LAYERS else side // stride(layer)


def reach(architecture: str, layer: str, *, since: int = 1) -> int:
    """How many px at most a unit of a layer sees on either side of its own place, `stride` px wide.

    Args:
        since: only what lies between there and the layer counts: a block of a VGG, 1 for all of the network.

    >>> reach("vgg19", "relu4_2"), reach("vgg19", "relu5_1"), reach("googlenet", "conv1")
    (38, 70, 3)
    >>> reach("vgg19", "pool1"), reach("vgg19", "relu4_2", since=4)
    (2, 16)
    """
    before = after = 0
    for window, step, padding in reversed(_windows(architecture, layer, since)):
        before, after = before * step + padding, after * step + window - 1 - padding
    given = int(2 ** (since - 1))
    return given * max(before, after - stride(layer) // given + 1)


def _windows(architecture: str, layer: str, since: int) -> list[tuple[int, int, int]]:
    """Window, stride and padding of all that lies between the picture, or a block, and a layer."""
    passed = down_to_deepest(architecture, [layer])
    if architecture != "googlenet":
        own = [name for name in passed if int(name[4]) >= since]
        return [(2, 2, 0) if name.startswith("pool") else (3, 1, 1) for name in own]
    found = []
    for name in passed:
        if name in ("conv2", "inception3a", "inception4a"):
            found.append((3, 2, 0))
        if name == "inception5a":
            found.append((2, 2, 0))
        found.append({"conv1": (7, 2, 3), "conv2": (1, 1, 0)}.get(name, (3, 1, 1)))
    return found
