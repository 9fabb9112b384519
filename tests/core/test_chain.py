"""The derivative written by hand against automatic differentiation of the plain form."""

from __future__ import annotations

import pytest
import torch
from small_networks import tiny_weights

from stylize_core.architecture import layer_names
from stylize_core.chain import Chain
from stylize_core.encoder import vgg_features

LAYERS = {"slim": ("relu1_1", "relu2_2", "relu3_4"), "vgg16": ("relu1_2", "relu5_1"), "vgg19": ("relu4_2",)}
# Relative errors; bfloat16 keeps eight bits, and a ReLU that it puts on the other side of 0 flips a gradient.
TOLERANCE = {torch.float64: 1e-12, torch.float32: 1e-5, torch.bfloat16: 0.25}


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize("pooling", ["average", "max"])
@pytest.mark.parametrize("architecture", LAYERS)
@pytest.mark.parametrize("size", [(32, 48), (37, 51)], ids=["even", "odd"])
def test_features_and_gradient_are_those_of_automatic_differentiation(
    architecture: str, pooling: str, dtype: torch.dtype, size: tuple[int, int]
) -> None:
    layers = LAYERS[architecture]
    weights = tiny_weights(architecture, dtype=torch.float64)  # type: ignore[arg-type]
    generator = torch.Generator().manual_seed(1)
    image = torch.randn(2, 3, *size, generator=generator, dtype=torch.float64, requires_grad=True)
    expected = vgg_features(
        image, weights.parameters, layers=layers, architecture=architecture, pooling=pooling
    )
    seeds = {layer: torch.randn(f.shape, generator=generator).double() for layer, f in expected.items()}
    total = torch.stack([(expected[layer] * seeds[layer]).sum() for layer in layers]).sum()
    (gradient,) = torch.autograd.grad(total, image)

    chain = Chain(
        weights.parameters,
        architecture=architecture,
        layers=layers,
        pooling=pooling,
        device="cpu",
        dtype=dtype,
    )
    trace = chain.forward(image.detach().to(dtype))
    found = chain.backward(trace, seeds).double()
    for layer in layers:
        assert distance(trace.features[layer].double(), expected[layer].detach()) <= TOLERANCE[dtype]
    assert distance(found, gradient) <= TOLERANCE[dtype]


def test_nothing_is_computed_after_the_deepest_layer() -> None:
    chain = Chain(
        tiny_weights("vgg19").parameters,
        architecture="vgg19",
        layers=("relu3_2", "relu1_1"),
        pooling="average",
        device="cpu",
        dtype=torch.float32,
    )
    names = layer_names("vgg19")
    assert tuple(chain.forward(torch.zeros(1, 3, 16, 16)).features) == names[: names.index("relu3_2") + 1]


def distance(found: torch.Tensor, expected: torch.Tensor) -> float:
    return float((found - expected).norm() / expected.norm())
