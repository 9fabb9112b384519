"""The derivative written by hand against automatic differentiation of the plain form."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from small_networks import tiny_weights

from stylize_core.architecture import Architecture, convolutions, down_to_deepest
from stylize_core.networks.encoder import vgg_features
from stylize_core.networks.vgg import VggChain
from stylize_core.sections import Section

WHOLE = Section("vgg19", 1, ())
LAYERS: dict[str, tuple[Architecture, tuple[str, ...]]] = {
    "slim": ("slim", ("relu1_1", "relu2_2", "relu3_4")),
    "vgg16": ("vgg16", ("relu1_2", "relu5_1")),
    "vgg19": ("vgg19", ("relu4_2",)),
    "pools": ("slim", ("pool1", "relu2_1", "pool2", "pool3")),
    "pool-alone": ("vgg16", ("pool2",)),
}
# Relative errors; bfloat16 keeps eight bits, and a ReLU that it puts on the other side of 0 flips a gradient.
TOLERANCE = {torch.float64: 1e-12, torch.float32: 1e-5, torch.bfloat16: 0.25}


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize("pooling", ["average", "max"])
@pytest.mark.parametrize("which", LAYERS)
@pytest.mark.parametrize("size", [(32, 48), (37, 51)], ids=["even", "odd"])
def test_features_and_gradient_are_those_of_automatic_differentiation(
    which: str, pooling: str, dtype: torch.dtype, size: tuple[int, int]
) -> None:
    architecture, layers = LAYERS[which]
    weights = tiny_weights(architecture, dtype=torch.float64)
    generator = torch.Generator().manual_seed(1)
    image = torch.randn(2, 3, *size, generator=generator, dtype=torch.float64, requires_grad=True)
    expected = vgg_features(
        image, weights.parameters, layers=layers, architecture=architecture, pooling=pooling
    )
    seeds = {layer: torch.randn(f.shape, generator=generator).double() for layer, f in expected.items()}
    total = torch.stack([(expected[layer] * seeds[layer]).sum() for layer in layers]).sum()
    (gradient,) = torch.autograd.grad(total, image)

    chain = VggChain(
        weights.parameters,
        architecture=architecture,
        layers=layers,
        pooling=pooling,
        device="cpu",
        dtype=dtype,
    )
    trace = chain.forward(image.detach().to(dtype), WHOLE)
    seen = dict(trace.features)
    found = chain.backward(trace, seeds, WHOLE).double()
    for layer in layers:
        assert distance(seen[layer].double(), expected[layer].detach()) <= TOLERANCE[dtype]
    assert distance(found, gradient) <= TOLERANCE[dtype]


def chain_of(*layers: str, architecture: Architecture = "vgg19") -> VggChain:
    return VggChain(
        tiny_weights(architecture).parameters,
        architecture=architecture,
        layers=layers,
        pooling="average",
        device="cpu",
        dtype=torch.float32,
    )


@pytest.mark.parametrize("deepest", ["relu3_2", "relu2_2", "pool2"])
def test_nothing_is_computed_after_the_deepest_layer_and_no_pooling_kept_unasked(deepest: str) -> None:
    found = chain_of(deepest, "relu1_1").forward(torch.zeros(1, 3, 16, 16), WHOLE).features
    needed = down_to_deepest("vgg19", [deepest])
    assert tuple(found) == tuple(name for name in needed if name.startswith("relu") or name == deepest)


def test_a_gradient_at_a_shallow_pooling_needs_none_at_deeper_layers() -> None:
    chain = chain_of("pool1", "relu3_1", "pool3", architecture="slim")
    trace = chain.forward(torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(0)), WHOLE)
    seeds = {"pool1": torch.ones_like(trace.features["pool1"])}
    alone = chain_of("pool1", architecture="slim")
    again = replace(trace, features=dict(trace.features))
    assert torch.equal(chain.backward(trace, seeds, WHOLE), alone.backward(again, seeds, WHOLE))


def distance(found: torch.Tensor, expected: torch.Tensor) -> float:
    return float((found - expected).norm() / expected.norm())


@pytest.mark.parametrize(("dtype", "rounding"), [(torch.float32, 1e-5), (torch.bfloat16, 0.2)], ids=str)
def test_a_network_as_wide_as_vgg_has_the_gradient_of_automatic_differentiation(
    dtype: torch.dtype, rounding: float
) -> None:
    parameters = wide_parameters(channels=128)
    generator = torch.Generator().manual_seed(1)
    image = torch.rand(1, 3, 41, 54, generator=generator, dtype=torch.float64, requires_grad=True)
    expected = vgg_features(image, parameters, layers=("relu2_2",), architecture="vgg19")["relu2_2"]
    seed = torch.randn(expected.shape, generator=generator, dtype=torch.float64)
    (gradient,) = torch.autograd.grad((expected * seed).sum(), image)
    chain = VggChain(
        parameters, architecture="vgg19", layers=("relu2_2",), pooling="average", device="cpu", dtype=dtype
    )
    trace = chain.forward(image.detach().to(dtype), WHOLE)
    assert distance(trace.features["relu2_2"].double(), expected.detach()) < rounding
    assert distance(chain.backward(trace, {"relu2_2": seed}, WHOLE).double(), gradient) < rounding


def wide_parameters(channels: int) -> dict[str, torch.Tensor]:
    """The first two blocks of a VGG with that many channels in each."""
    generator, parameters, inputs = torch.Generator().manual_seed(0), {}, 3
    for place in convolutions("vgg19")[:4]:
        weight = torch.randn(channels, inputs, 3, 3, generator=generator, dtype=torch.float64)
        parameters[f"features.{place.index}.weight"] = weight * (2 / (9 * inputs)) ** 0.5
        parameters[f"features.{place.index}.bias"] = torch.zeros(channels, dtype=torch.float64)
        inputs = channels
    return parameters
