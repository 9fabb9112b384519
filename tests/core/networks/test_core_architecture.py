"""The networks by name (another test module is called after the architecture of the project)."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from small_networks import tiny_weights, torchvision_models

from stylize_core.architecture import (
    CONVOLUTIONS_PER_BLOCK,
    DEFAULT_CONTENT_LAYERS,
    DEFAULT_STYLE_LAYERS,
    PUBLISHED,
    channel_count,
    convolutions,
    layer_names,
    smallest_side,
)
from stylize_core.networks.encoder import Encoder
from stylize_core.networks.weights import builtin_weights


@pytest.mark.parametrize(("architecture", "configuration"), [("vgg19", "E"), ("vgg16", "D")])
def test_convolutions_stand_where_torchvision_has_them(architecture: str, configuration: str) -> None:
    network = torchvision_models().vgg.make_layers(torchvision_models().vgg.cfgs[configuration])
    theirs = [index for index, module in enumerate(network) if isinstance(module, torch.nn.Conv2d)]
    assert [convolution.index for convolution in convolutions(architecture)] == theirs
    pools = [index for index, module in enumerate(network) if isinstance(module, torch.nn.MaxPool2d)]
    for convolution in convolutions(architecture):
        assert convolution.block == 1 + sum(index < convolution.index for index in pools)


def test_slim_is_the_beginning_of_vgg19() -> None:
    assert convolutions("slim") == convolutions("vgg19")[:9]


@pytest.mark.parametrize("architecture", list(CONVOLUTIONS_PER_BLOCK))
def test_default_layers_exist_and_names_are_their_own(architecture: str) -> None:
    names = layer_names(architecture)
    assert len(set(names)) == len(names)
    assert {*DEFAULT_CONTENT_LAYERS[architecture], *DEFAULT_STYLE_LAYERS[architecture]} <= set(names)


@pytest.mark.parametrize("architecture", list(CONVOLUTIONS_PER_BLOCK))
def test_the_smallest_side_is_that_of_the_network_itself(architecture: Any) -> None:
    weights = tiny_weights(architecture)
    for layer in layer_names(architecture):
        side = smallest_side(layer)
        encoder = Encoder(weights, layers=[layer])
        assert encoder(torch.zeros(1, 3, side, side))[layer].shape[-2:] == (1, 1)


@pytest.mark.parametrize("name", list(PUBLISHED))
def test_published_weights_are_known_to_torchvision_under_the_same_digest(name: str) -> None:
    published = PUBLISHED[name]
    url = getattr(torchvision_models(), published.enum)[published.member].url
    assert url.startswith("https://")
    assert url.endswith(f"-{published.sha256_prefix}.pth")
    assert len(published.sha256_prefix) == 8


@pytest.mark.parametrize("name", list(PUBLISHED))
def test_published_weights_are_prepared_as_torchvision_says(name: str) -> None:
    published = PUBLISHED[name]
    transforms = getattr(torchvision_models(), published.enum)[published.member].transforms()
    encoder = Encoder(tiny_weights(convention=published.convention), layers=["relu1_1"])
    picture = torch.rand(1, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (transforms.mean, transforms.std))
    torch.testing.assert_close(encoder.prepare(picture), (picture - mean) / std, rtol=1e-4, atol=2e-3)


@pytest.mark.parametrize(("architecture", "configuration"), [("vgg19", "E"), ("vgg16", "D")])
def test_layers_have_as_many_channels_as_torchvisions(architecture: str, configuration: str) -> None:
    network = torchvision_models().vgg.make_layers(torchvision_models().vgg.cfgs[configuration])
    for convolution in convolutions(architecture):
        assert network[convolution.index].out_channels == channel_count(architecture, convolution.relu)
        assert (
            channel_count(architecture, f"pool{convolution.block}") == network[convolution.index].out_channels
        )


def test_the_built_in_networks_layers_have_as_many_channels_as_its_weights() -> None:
    for layer, features in Encoder(builtin_weights(), layers=layer_names("slim"))(
        torch.zeros(1, 3, 16, 16)
    ).items():
        assert features.shape[1] == channel_count("slim", layer)
