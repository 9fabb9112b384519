"""The network as what it is, a fixed chain of convolutions, with its derivative written by hand.

Nothing is kept but the activations after each ReLU, which the ReLU's own derivative and the losses both read;
no gradient is formed for weights; and the gradient of each loss joins where its layer lies. The result is
that of automatic differentiation (`tests/core/networks/test_vgg.py`), in less time and memory.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import cast

import torch
from torch import Tensor
from torch.nn import functional

from stylize_core.architecture import Convolution, convolutions, down_to_deepest
from stylize_core.networks.convolution import Filter, convolution
from stylize_core.sections import Section

# Averages of ReLU features are smaller than maxima. On photographs and paintings through VGG-19's first
# three blocks this factor per pooling keeps both at one level (`training/pooling.py` measures it).
AVERAGE_POOL_GAIN = 1.35


@dataclass(slots=True)
class Trace:
    """What a pass forward leaves for the pass back.

    Attributes:
        features: layer name to [B, C, h, w] after the ReLU, of every convolution, and after every pooling
            that is wanted, in the chain's format.
        chosen: per maximum pooling, which place won.
        handed_on: what the next section is given, if there is one.
    """

    features: dict[str, Tensor] = field(default_factory=dict)
    chosen: dict[int, Tensor] = field(default_factory=dict)
    handed_on: Tensor | None = None


class VggChain:
    """The convolutions of a VGG up to the deepest layer in use, frozen.

    Args:
        parameters: `features.<index>.weight` and `.bias`, the index as in torchvision.
        architecture: `slim`, `vgg19` or `vgg16`.
        layers: the layers that are wanted.
        pooling: `average` or `max`.
        dtype: number format of weights and activations.
    """

    def __init__(
        self,
        parameters: Mapping[str, Tensor],
        *,
        architecture: str,
        layers: Sequence[str],
        pooling: str,
        device: torch.device | str,
        dtype: torch.dtype,
    ) -> None:
        needed = down_to_deepest(architecture, layers)
        places = [place for place in convolutions(architecture) if place.relu in needed]
        make = partial(convolution, device=device, dtype=dtype)
        self._steps = [
            _Step(place, parameters, make, pooled=pooling == "average" and _opens_block(place))
            for place in places
        ]
        self._maximum = pooling == "max"
        self._pools = {layer for layer in layers if layer.startswith("pool")}
        self._ends_in_pool = bool(needed) and needed[-1] in self._pools

    def forward(self, given_bchw: Tensor, section: Section) -> Trace:
        """Run pictures [B, 3, H, W], prepared for these weights, or what was handed on through a section.

        They are in the chain's format.
        """
        trace, features = Trace(), given_bchw
        if section.first == 1:
            features = functional.pad(features, (1, 1, 1, 1), mode="replicate")
        features = features.contiguous(memory_format=torch.channels_last)
        for step in self._within(section):
            if _opens_block(step.place) and step.place.block > section.first:
                features = self._pool(features, step.place.block - 1, trace)
            features = step.forward(features)
            trace.features[step.place.relu] = features
        if section.last:
            trace.handed_on = self._pool(features, section.last, trace)
        elif self._ends_in_pool:
            self._pool(features, self._steps[-1].place.block, trace)
        return trace

    def backward(
        self, trace: Trace, seeds: Mapping[str, Tensor], section: Section, handed: Tensor | None = None
    ) -> Tensor:
        """The gradient by what a section was given, of pictures [B, 3, H, W], given that by some features.

        The trace is used up: what lies behind is let go on the way.

        Args:
            handed: the gradient by what was handed on, which is used up.
        """
        gradient = handed
        if section.last or self._ends_in_pool:
            gradient = self._unpool(handed, section.last or self._steps[-1].place.block, trace, seeds)
        for step in reversed(self._within(section)):
            name = step.place.relu
            gradient = _through_relu(gradient, seeds.get(name), trace.features.pop(name))
            if gradient is not None:
                gradient = step.backward(gradient)
            if _opens_block(step.place) and step.place.block > section.first:
                gradient = self._unpool(gradient, step.place.block - 1, trace, seeds)
        if gradient is None:
            raise ValueError("no layer has a gradient")
        return _unpad(gradient) if section.first == 1 else gradient

    def _within(self, section: Section) -> Sequence[_Step]:
        last = section.last or self._steps[-1].place.block
        return [step for step in self._steps if section.first <= step.place.block <= last]

    def _pool(self, features: Tensor, block: int, trace: Trace) -> Tensor:
        """A block's features in half the size; averages without the gain, which the next weights hold."""
        if self._maximum:
            pooled, trace.chosen[block] = functional.max_pool2d(features, 2, return_indices=True)
        else:
            pooled = functional.avg_pool2d(features, 2)
        if (name := f"pool{block}") in self._pools:
            trace.features[name] = pooled if self._maximum else pooled * AVERAGE_POOL_GAIN
        return pooled

    def _unpool(
        self, gradient: Tensor | None, block: int, trace: Trace, seeds: Mapping[str, Tensor]
    ) -> Tensor | None:
        """From the gradient by what the pooling of a block hands on to that by the block's last features.

        That of averages stays at their size; `_through_relu` spreads it.
        """
        features = trace.features[[step.place.relu for step in self._steps if step.place.block == block][-1]]
        seed = seeds.get(f"pool{block}")
        if seed is not None and not self._maximum:
            seed = seed * AVERAGE_POOL_GAIN
        gradient = _joined(gradient, seed, features.dtype)
        if gradient is None or not self._maximum:
            return gradient
        won = torch.ops.aten.max_pool2d_with_indices_backward(
            gradient, features, [2, 2], [2, 2], [0, 0], [1, 1], False, trace.chosen[block]
        )
        return cast("Tensor", won)


class _Step:
    """One convolution with its ReLU, and the convolution that carries gradients back through it."""

    def __init__(
        self,
        place: Convolution,
        parameters: Mapping[str, Tensor],
        make: Callable[..., Filter],
        *,
        pooled: bool,
    ) -> None:
        self.place = place
        weight = parameters[f"features.{place.index}.weight"].detach()
        # The gain of the pooling before a block is part of the block's first weights, so it costs no pass.
        weight = weight * AVERAGE_POOL_GAIN if pooled else weight
        bias = parameters[f"features.{place.index}.bias"].detach()
        self._filter = make(weight, bias, padding=0 if place.index == 0 else 1)
        self._turned = self._filter.turned()

    def forward(self, features: Tensor) -> Tensor:
        return self._filter(features).relu_()

    def backward(self, gradient: Tensor) -> Tensor:
        return self._turned(gradient)


def _joined(gradient: Tensor | None, seed: Tensor | None, dtype: torch.dtype) -> Tensor | None:
    """The gradient that comes from deeper layers and the one that a loss has at this layer; may be none."""
    if seed is None:
        return gradient
    return seed.to(dtype, copy=True) if gradient is None else gradient.add_(seed.to(dtype))


def _through_relu(gradient: Tensor | None, seed: Tensor | None, features: Tensor) -> Tensor | None:
    """From the gradients by a ReLU's features, of deeper layers and of a loss, to that by what it was given.

    The gradient of deeper layers may be that by averages of 2x2 features.
    """
    if gradient is not None and gradient.shape != features.shape:
        gradient = _spread(gradient, features)
        if seed is None:
            return gradient
    gradient = _joined(gradient, seed, features.dtype)
    return None if gradient is None else _masked(gradient, features)


def _spread(gradient: Tensor, features: Tensor) -> Tensor:
    """The gradient by averages, which is used up, as that by what the ReLU of the features was given."""
    rows, columns = gradient.shape[2:]
    spread = torch.empty_like(features)
    for rest in (spread[:, :, 2 * rows :], spread[..., 2 * columns :]):
        if rest.numel():
            rest.zero_()
    quarter_bhwc = gradient.mul_(0.25).permute(0, 2, 3, 1)
    wide_bhwc = torch.cat((quarter_bhwc, quarter_bhwc), -1).view(len(features), rows, 1, 2 * columns, -1)
    made, seen = (_in_pairs_of_rows(whole, rows, columns) for whole in (spread, features))
    torch.ops.aten.threshold_backward.grad_input(wide_bhwc, seen, 0, grad_input=made)
    return spread


def _in_pairs_of_rows(whole: Tensor, rows: int, columns: int) -> Tensor:
    """What of [B, C, H, W] lies in whole 2x2 squares, [B, rows, 2, 2 columns, C]."""
    squares_bhwc = whole.permute(0, 2, 3, 1)[:, : 2 * rows, : 2 * columns]
    return torch.unflatten(squares_bhwc, 1, (rows, 2))


def _masked(gradient: Tensor, features: Tensor) -> Tensor:
    """The ReLU's derivative, in place: nothing comes through where it was silent."""
    masked = torch.ops.aten.threshold_backward.grad_input(gradient, features, 0, grad_input=gradient)
    return cast("Tensor", masked)


def _opens_block(place: Convolution) -> bool:
    return place.block > 1 and place.relu.endswith("_1")


def _unpad(gradient: Tensor) -> Tensor:
    """Undo the repeated edge: what its copies received belongs to the edge."""
    gradient[..., 1, :].add_(gradient[..., 0, :])
    gradient[..., -2, :].add_(gradient[..., -1, :])
    gradient[..., 1].add_(gradient[..., 0])
    gradient[..., -2].add_(gradient[..., -1])
    return gradient[..., 1:-1, 1:-1]
