"""Style transfer as tutorials have it: float32, NCHW, automatic differentiation, torch's L-BFGS."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from stylize_core.architecture import convolutions
from stylize_core.networks.vgg import AVERAGE_POOL_GAIN
from stylize_core.networks.weights import CONVENTIONS, Weights
from stylize_core.settings.style import StyleSettings


class PlainVGG(nn.Module):
    """The same network as ours, up to the deepest layer in use."""

    mean: Tensor
    std: Tensor

    def __init__(self, weights: Weights, layers: tuple[str, ...]) -> None:
        super().__init__()
        convention = CONVENTIONS[weights.convention]
        self.register_buffer("mean", torch.tensor(convention.mean).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(convention.std).view(1, 3, 1, 1))
        self.layers, self.convs, self.opens, self.names = layers, nn.ModuleList(), [], []
        for place in convolutions(weights.architecture):
            weight = weights.parameters[f"features.{place.index}.weight"]
            conv = nn.Conv2d(
                weight.shape[1],
                weight.shape[0],
                3,
                padding=1,
                padding_mode="zeros" if place.index else "replicate",
            )
            conv.load_state_dict(
                {"weight": weight, "bias": weights.parameters[f"features.{place.index}.bias"]}
            )
            self.convs.append(conv.requires_grad_(False))
            self.opens.append(place.block > 1 and place.relu.endswith("_1"))
            self.names.append(place.relu)
            if place.relu == layers[-1]:
                break

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """Layer name to features of a picture [1, 3, H, W]."""
        found = {}
        features = (image - self.mean) / self.std
        for conv, opens, name in zip(self.convs, self.opens, self.names, strict=True):
            if opens:
                features = nn.functional.avg_pool2d(features, 2) * AVERAGE_POOL_GAIN
            features = torch.relu(conv(features))
            if name in self.layers:
                found[name] = features
        return found


def plain_loss(
    network: PlainVGG, content: Tensor, style: Tensor, settings: StyleSettings
) -> Callable[[Tensor], Tensor]:
    """The relative objective of this project, written without any care for speed."""
    with torch.no_grad():
        contents = {k: network(content)[k] for k in settings.content_layer_weights}
        styles = {k: _gram(network(style)[k]) for k in settings.style_layer_weights}

    def loss(image: Tensor) -> Tensor:
        found: Mapping[str, Tensor] = network(image)
        total = torch.zeros(())
        for layer, weight in settings.content_layer_weights.items():
            target = contents[layer]
            error = (found[layer] - target).square().sum() / target.square().sum()
            total = total + settings.content_weight * weight * error
        for layer, weight in settings.style_layer_weights.items():
            target = styles[layer]
            error = (_gram(found[layer]) - target).square().sum() / target.square().sum()
            total = total + settings.style_weight * weight * error
        return total

    return loss


def plain_optimisation(
    loss: Callable[[Tensor], Tensor], start: Tensor, *, steps: int
) -> tuple[Tensor, float]:
    """The picture that torch.optim.LBFGS finds from `start`, and the seconds it took.

    The loss is scaled: torch's thresholds are absolute and would end the work too early.
    """
    image = start.clone().requires_grad_()
    (first,) = torch.autograd.grad(loss(image), image)
    scale = float(1 / first.square().mean().sqrt()) * 1e-2
    optimiser = torch.optim.LBFGS(
        [image], max_iter=steps, max_eval=steps, tolerance_grad=-1, tolerance_change=-1, history_size=100
    )

    def closure() -> float:
        optimiser.zero_grad()
        value = loss(image) * scale
        value.backward()  # type: ignore[no-untyped-call]
        return float(value.detach())

    began = time.perf_counter()
    optimiser.step(closure)  # type: ignore[no-untyped-call]
    return image.detach(), time.perf_counter() - began


def _gram(features: Tensor) -> Tensor:
    _, channels, height, width = features.shape
    flat = features.view(channels, height * width)
    return flat @ flat.t() / (channels * height * width)
