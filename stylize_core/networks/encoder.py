"""The network that looks at pictures: a VGG cut after the deepest layer in use, frozen.

Simonyan and Zisserman 2014 (arXiv 1409.1556); used as in Gatys, Ecker and Bethge 2015 (arXiv 1508.06576,
section "Methods"), with average pooling by default as they advise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from stylize_core.architecture import (
    Convolution,
    channel_count,
    convolutions,
    down_to_deepest,
    layer_names,
    least_side,
)
from stylize_core.device import Precision, convolutions_in, wide
from stylize_core.errors import BadWeights, ImageTooSmall
from stylize_core.networks.inception import Inception
from stylize_core.networks.vgg import AVERAGE_POOL_GAIN, Trace, VggChain
from stylize_core.networks.weights import Weights
from stylize_core.sections import Section, sections
from stylize_core.settings.style import StyleSettings


# Why so many: a network with all that its users ask of its layers.
class Encoder:
    """Pictures to named features, those of ReLUs and of poolings.

    The preprocessing comes with the weights, so pictures go in as plain RGB.

    Attributes:
        layers: the names that a call returns, from the picture inwards.
        min_side: the shortest picture side, px, that the deepest layer can see.
        precision: `fp32` (for float64 too), `tf32` or `bf16`.

    Args:
        weights: of a network with the layers; their format is converted.
        layers: names such as `relu3_1`.
        pooling: `average` or `max`; GoogLeNet always has its own maxima.
        device: where to compute.
        dtype: number format of weights and features within the network.
        tf32: whether a CUDA device may round float32 to TF32 within convolutions.

    Raises:
        BadWeights: the weights end before the deepest layer asked for.
    """

    def __init__(
        self,
        weights: Weights,
        *,
        layers: Sequence[str],
        pooling: str = "average",
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
        tf32: bool = False,
    ) -> None:
        _check_depth(weights, layers)
        self._weights, self._pooling, self._exact = weights, pooling, self
        convention = weights.prepared_as
        self.architecture = weights.architecture
        self.layers = tuple(layer for layer in layer_names(weights.architecture) if layer in layers)
        self._whole = Section(weights.architecture, 1, self.layers)
        self.device = torch.device(device)
        self.dtype = dtype
        self.precision: Precision = "bf16" if dtype == torch.bfloat16 else "tf32" if tf32 else "fp32"
        self.min_side = least_side(layers)
        self._channels = list(convention.channels)
        self._mean = torch.tensor(convention.mean, device=device).view(1, 3, 1, 1)
        self._std = torch.tensor(convention.std, device=device).view(1, 3, 1, 1)
        self._chain: VggChain | Inception
        if weights.architecture == "googlenet":
            self._chain = Inception(weights.parameters, layers=layers, device=device, dtype=dtype)
        else:
            self._chain = VggChain(
                weights.parameters,
                architecture=weights.architecture,
                layers=layers,
                pooling=pooling,
                device=device,
                dtype=dtype,
            )

    @property
    def rounds_coarsely(self) -> bool:
        """Whether its gradients are too coarse for the last steps of a descent, as those of bf16 are."""
        return self.precision == "bf16"

    def exact(self) -> Encoder:
        """This network as the last steps want it, built when it is first asked for; itself if it is that.

        In fp32, with the convolutions of a CUDA device in TF32.
        """
        if self._exact.rounds_coarsely:
            self._exact = Encoder(
                self._weights,
                layers=self.layers,
                pooling=self._pooling,
                device=self.device,
                tf32=self.device.type == "cuda",
            )
        return self._exact

    def __call__(self, image_bchw: Tensor) -> dict[str, Tensor]:
        """Features of pictures.

        Args:
            image_bchw: [B, 3, H, W], RGB in 0..1 (values outside are allowed while optimising).

        Returns:
            layer name to [B, C, h, w], non-negative; float32 where the network computes in a smaller one.

        Raises:
            ImageTooSmall: a side is shorter than `min_side`.
        """
        self.check_size(image_bchw)
        return {layer: wide(features) for layer, features in self.taps(self.trace(image_bchw)).items()}

    @torch.no_grad()
    def trace(self, given_bchw: Tensor, section: Section | None = None) -> Trace:
        """A pass through the network, or through a section of it, with what `pull_back` needs of it.

        Args:
            given_bchw: pictures [B, 3, H, W] of `min_side` at least, or what the section before handed on.
        """
        section = section or self._whole
        with convolutions_in(self.precision):
            if section.first == 1:
                given_bchw = self.prepare(given_bchw).to(self.dtype)
            return self._chain.forward(given_bchw, section)

    def sections(self, image_bchw: Tensor, tile_px: int) -> tuple[Section, ...]:
        """How pictures go through the network in tiles of that size; as a whole for 0."""
        height, width = image_bchw.shape[-2:]
        return sections(self.architecture, self.layers, width=width, height=height, tile_px=tile_px)

    def check_size(self, image_bchw: Tensor) -> None:
        """Refuse pictures that leave nothing to see at the deepest layer.

        Raises:
            ImageTooSmall: a side is shorter than `min_side`.
        """
        height, width = image_bchw.shape[-2:]
        if min(height, width) < self.min_side:
            raise ImageTooSmall(
                f"{width}x{height} px is too small for {self.layers[-1]}, "
                f"which needs {self.min_side} px a side; ask for more pixels, or crop the picture"
            )

    def channels(self, layer: str) -> int:
        """How many channels a layer has with these weights."""
        if self.architecture == "googlenet":
            return channel_count("googlenet", layer)
        block = [place for place in convolutions(self.architecture) if place.block == int(layer[4])]
        place = next((place for place in block if place.relu == layer), block[-1])
        return len(self._weights.parameters[f"features.{place.index}.bias"])

    def taps(self, trace: Trace) -> dict[str, Tensor]:
        """Those of `layers` that a trace has seen, in the network's number format."""
        return {layer: trace.features[layer] for layer in self.layers if layer in trace.features}

    @torch.no_grad()
    def pull_back(
        self,
        trace: Trace,
        seeds: Mapping[str, Tensor],
        section: Section | None = None,
        handed: Tensor | None = None,
    ) -> Tensor:
        """The gradient by what a section was given, from that by some features and by what it handed on.

        By pictures it is float32 or better and lies plane by plane, [B, 3, H, W], as they do. The trace and
        the gradient by what was handed on may be used up.
        """
        section = section or self._whole
        with convolutions_in(self.precision):
            gradient = self._chain.backward(trace, seeds, section, handed)
        return self._unprepared(wide(gradient)) if section.first == 1 else gradient

    def _unprepared(self, gradient: Tensor) -> Tensor:
        """From the gradient by prepared pictures to that by pictures."""
        if self._channels != [0, 1, 2]:
            gradient = gradient[:, self._channels]  # the conventions' reorderings are their own inverses
        planes = torch.empty(gradient.shape, dtype=gradient.dtype, device=gradient.device)
        return torch.div(gradient, self._std, out=planes)

    def prepare(self, image_bchw: Tensor) -> Tensor:
        """RGB in 0..1 to what these weights were trained on; same shape."""
        prepared = (image_bchw - self._mean) / self._std
        if self._channels != [0, 1, 2]:
            prepared = prepared[:, self._channels]
        return prepared


def vgg_features(
    prepared_bchw: Tensor,
    parameters: Mapping[str, Tensor],
    *,
    layers: Sequence[str],
    architecture: str,
    pooling: str = "average",
) -> dict[str, Tensor]:
    """The features of a VGG in plain, differentiable form, for training and as the chain's reference.

    No layer after the deepest one asked for is computed.

    The first convolution sees the picture's edge repeated rather than black, which keeps a dark frame out of
    the result; the deeper ones pad with zeros as they were trained.

    Args:
        prepared_bchw: [B, 3, H, W], prepared for these parameters.
        parameters: `features.<index>.weight` and `.bias`, the index as in torchvision.
        layers: names such as `relu3_1` and `pool3`.
        architecture: `slim`, `vgg19` or `vgg16`.
        pooling: `average` or `max`.
    """
    chain = {convolution.relu: convolution for convolution in convolutions(architecture)}
    found, features = {}, prepared_bchw
    for layer in down_to_deepest(architecture, layers):
        if layer in chain:
            features = _convolved(features, parameters, chain[layer])
        else:
            features = _pooled(features, pooling)
        if layer in layers:
            found[layer] = features
    return found


def _convolved(features_bchw: Tensor, parameters: Mapping[str, Tensor], place: Convolution) -> Tensor:
    weight = parameters[f"features.{place.index}.weight"]
    bias = parameters[f"features.{place.index}.bias"]
    if place.index == 0:
        padded = functional.pad(features_bchw, (1, 1, 1, 1), mode="replicate")
        return functional.relu(functional.conv2d(padded, weight, bias))
    return functional.relu(functional.conv2d(features_bchw, weight, bias, padding=1))


def _pooled(features_bchw: Tensor, pooling: str) -> Tensor:
    if pooling == "max":
        return functional.max_pool2d(features_bchw, 2)
    return functional.avg_pool2d(features_bchw, 2) * AVERAGE_POOL_GAIN


def encoder_for(
    settings: StyleSettings, weights: Weights, *, device: torch.device, precision: Precision
) -> Encoder:
    """The network that these settings ask for, cut after the deepest layer that they use.

    Raises:
        BadWeights: the weights end before that layer.
    """
    return Encoder(
        weights,
        layers=settings.layers,
        pooling=settings.network_pooling,
        device=device,
        dtype=torch.bfloat16 if precision == "bf16" else torch.float32,
        tf32=precision == "tf32",
    )


def _check_depth(weights: Weights, layers: Sequence[str]) -> None:
    available = weights.layers
    for layer in layers:
        needed = [
            name for name in down_to_deepest(weights.architecture, [layer]) if not name.startswith("pool")
        ]
        if needed[-1] not in available:
            raise BadWeights(
                f"{weights.source} has no {layer}: its layers are {available[0]} to {available[-1]}; "
                "name other content_layers and style_layers, or give full weights"
            )
