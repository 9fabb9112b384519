"""GoogLeNet, the network of the first dreams: torchvision's modules, frozen, down to the deepest layer used.

Szegedy et al. 2014, "Going Deeper with Convolutions", arXiv 1409.4842, with batch normalisation as
torchvision publishes it. Derivatives are automatic: the network branches, and a dream needs no more speed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from stylize_core.architecture import INCEPTION_LAYERS
from stylize_core.errors import BadWeights
from stylize_core.networks.vgg import Trace
from stylize_core.sections import Section


@dataclass(slots=True)
class GraphTrace(Trace):
    """A pass forward with what automatic differentiation keeps of it.

    Attributes:
        image: the prepared pictures that gradients are taken by.
        live: layer name to features that know where they come from.
    """

    image: Tensor = field(kw_only=True)
    live: dict[str, Tensor] = field(kw_only=True)


class Inception:
    """GoogLeNet with its own maximum pooling, up to the deepest layer in use.

    Args:
        parameters: torchvision's names to values, as `inception_parameters` finds them.
        layers: the layers that are wanted.
        dtype: number format of weights and activations.
    """

    def __init__(
        self,
        parameters: Mapping[str, Tensor],
        *,
        layers: Sequence[str],
        device: torch.device | str,
        dtype: torch.dtype,
    ) -> None:
        self._layers = set(layers)
        self._stages: list[tuple[str, nn.Module]] = []
        left = set(layers)
        for name, module in _skeleton().items():
            if not left:
                break
            own = {key: parameters[f"{name}.{key}"] for key in _wanted(module)}
            counters = {key: torch.tensor(0) for key in module.state_dict() if key not in own}
            module.load_state_dict(own | counters, assign=True)
            self._stages.append((name, module.to(device, dtype).eval().requires_grad_(False)))
            left.discard(name)

    def forward(self, given_bchw: Tensor, section: Section) -> Trace:
        """Run pictures [B, 3, H, W], prepared for these weights and in the network's format, through it."""
        live: dict[str, Tensor] = {}
        with torch.enable_grad():
            image = features = given_bchw.detach().requires_grad_()
            for name, module in self._stages:
                features = module(features)
                if name in self._layers:
                    live[name] = features
        seen = {name: features.detach() for name, features in live.items()}
        return GraphTrace(features=seen, image=image, live=live)

    def backward(
        self, trace: Trace, seeds: Mapping[str, Tensor], section: Section, handed: Tensor | None = None
    ) -> Tensor:
        """The gradient [B, 3, H, W] by the prepared pictures, given that by some features; once per trace."""
        if not isinstance(trace, GraphTrace):
            raise TypeError("this trace is of another network")
        outputs = [trace.live[layer] for layer in seeds]
        given = [seed.to(output.dtype) for seed, output in zip(seeds.values(), outputs, strict=True)]
        (gradient,) = torch.autograd.grad(outputs, trace.image, given)
        return gradient


def inception_parameters(state: Mapping[str, Any], *, source: str) -> dict[str, Tensor]:
    """The leading layers found in a state dict, in float32; whatever comes after them is left out.

    Raises:
        BadWeights: the first layer is missing, or tensors do not fit.
    """
    kept: dict[str, Tensor] = {}
    skeleton = _skeleton()
    for layer in INCEPTION_LAYERS:
        expected = {f"{layer}.{key}": value for key, value in _wanted(skeleton[layer]).items()}
        if not all(isinstance(state.get(key), Tensor) for key in expected):
            break
        for key, value in expected.items():
            if state[key].shape != value.shape or not state[key].is_floating_point():
                raise BadWeights(
                    f"{source}: {key} has the shape {tuple(state[key].shape)}; googlenet needs "
                    f"{tuple(value.shape)} of real numbers"
                )
            kept[key] = state[key].to(torch.float32)
    if not kept:
        raise BadWeights(f"{source} has no conv1.conv.weight: it is no state dict of googlenet")
    if not all(bool(torch.isfinite(value).all()) for value in kept.values()):
        raise BadWeights(f"{source} holds values that are not finite")
    return kept


def inception_reach(parameters: Mapping[str, Tensor]) -> tuple[str, ...]:
    """The layers that these parameters hold."""
    there = {key.partition(".")[0] for key in parameters}
    return tuple(layer for layer in INCEPTION_LAYERS if layer in there)


def _wanted(module: nn.Module) -> dict[str, Tensor]:
    """What a module needs of a file: everything but the counters of its training."""
    state = module.state_dict()
    return {key: value for key, value in state.items() if not key.endswith("num_batches_tracked")}


def _skeleton() -> dict[str, nn.Module]:
    """The parts of the network in order, without values."""
    from torchvision.models import GoogLeNet

    with torch.device("meta"):
        return dict(GoogLeNet(num_classes=1, aux_logits=False, init_weights=False).named_children())
