"""The network against torchvision's own and against NumPy, and what it sees of a picture."""

from __future__ import annotations

import dataclasses
from typing import Any, get_args

import numpy as np
import pytest
import reference
import torch
from reference import array
from small_networks import counted_convolutions, speckles, tiny_weights, torchvision_models, waves
from torch import Tensor

from stylize_core.architecture import ConventionName, layer_names
from stylize_core.errors import BadWeights, ImageTooSmall
from stylize_core.networks.encoder import Encoder, vgg_features
from stylize_core.networks.vgg import AVERAGE_POOL_GAIN
from stylize_core.networks.weights import CONVENTIONS, Weights

NETWORKS: tuple[Any, ...] = ("vgg19", "vgg16")


def _torchvision(architecture: str) -> torch.nn.Sequential:
    """torchvision's `features` with random values; its classifier is left out to save seconds."""
    configuration = torchvision_models().vgg.cfgs[{"vgg19": "E", "vgg16": "D"}[architecture]]
    with torch.random.fork_rng():
        torch.manual_seed(1)
        network: torch.nn.Sequential = torchvision_models().vgg.make_layers(configuration)
    return network.requires_grad_(False)


def _their_features(network: torch.nn.Sequential, prepared: Tensor, architecture: str) -> dict[str, Tensor]:
    """What comes out of each ReLU and each pooling, copied before anything can overwrite it."""
    names = iter(layer_names(architecture))
    found, features = {}, prepared
    for module in network:
        features = module(features)
        if isinstance(module, torch.nn.ReLU | torch.nn.MaxPool2d):
            found[next(names)] = features.clone()
    return found


def _our_features(network: torch.nn.Sequential, prepared: Tensor, architecture: str) -> dict[str, Tensor]:
    state = {f"features.{name}": value for name, value in network.state_dict().items()}
    return vgg_features(
        prepared, state, layers=layer_names(architecture), architecture=architecture, pooling="max"
    )


@pytest.mark.parametrize("architecture", NETWORKS)
def test_every_feature_is_torchvisions_where_the_edge_is_the_mean_colour(architecture: str) -> None:
    """A mean-coloured edge is zero after preparation, so repeating it is torchvision's padding with zeros."""
    network = _torchvision(architecture)
    prepared = torch.zeros(1, 3, 34, 40)
    prepared[..., 1:-1, 1:-1] = speckles(0, height=32, width=38) * 4 - 2
    theirs = _their_features(network, prepared, architecture)
    ours = _our_features(network, prepared, architecture)
    assert list(ours) == list(theirs) == list(layer_names(architecture))
    for layer, features in ours.items():
        torch.testing.assert_close(features, theirs[layer], rtol=1e-4, atol=1e-5)


def test_elsewhere_features_are_torchvisions_inside_the_picture_and_others_at_its_edge() -> None:
    network = _torchvision("vgg19")
    prepared = speckles(1, height=32, width=32) * 4 - 2
    theirs = _their_features(network, prepared, "vgg19")
    ours = _our_features(network, prepared, "vgg19")
    for layer, frame in (("relu1_1", 1), ("relu1_2", 2), ("relu2_2", 4)):
        inner = (..., slice(frame, -frame), slice(frame, -frame))
        torch.testing.assert_close(ours[layer][inner], theirs[layer][inner], rtol=1e-4, atol=1e-5)
        assert not torch.allclose(ours[layer], theirs[layer], rtol=1e-2, atol=1e-2)


@pytest.mark.parametrize("pooling", ["average", "max"])
@pytest.mark.parametrize("convention", get_args(ConventionName))
def test_every_feature_is_that_of_numpy(convention: ConventionName, pooling: str) -> None:
    weights = tiny_weights("vgg16", convention=convention, dtype=torch.float64)
    encoder = Encoder(weights, layers=layer_names("vgg16"), pooling=pooling)
    picture = waves(0.4, height=33, width=47).double()
    expected = reference.vgg(
        reference.prepared(array(picture[0]), convention),
        weights.parameters,
        architecture="vgg16",
        pooling=pooling,
        gain=AVERAGE_POOL_GAIN,
    )
    features = encoder(picture)
    assert list(features) == list(expected)
    for layer, value in features.items():
        scale = float(np.abs(expected[layer]).max())
        np.testing.assert_allclose(array(value[0]), expected[layer], rtol=1e-5, atol=1e-5 * scale)


@pytest.mark.parametrize("convention", get_args(ConventionName))
def test_pictures_are_prepared_as_their_networks_expect(convention: ConventionName) -> None:
    encoder = Encoder(tiny_weights(convention=convention), layers=["relu1_1"])
    picture = speckles(2)
    expected = reference.prepared(array(picture[0]), convention)
    np.testing.assert_allclose(array(encoder.prepare(picture)[0]), expected, rtol=1e-5, atol=1e-4)


def test_caffe_networks_see_blue_first() -> None:
    encoder = Encoder(tiny_weights(convention="caffe"), layers=["relu1_1"])
    red = torch.tensor([1.0, 0.0, 0.0]).view(1, 3, 1, 1).expand(1, 3, 2, 2)
    blue_green_red = encoder.prepare(red)[0, :, 0, 0]
    expected = np.array([0, 0, 255]) - np.array([103.939, 116.779, 123.68])
    np.testing.assert_allclose(array(blue_green_red), expected, rtol=1e-5)


def test_a_caffe_network_and_its_reordered_twin_see_the_same() -> None:
    """Blue first into weights for blue first is red first into weights for red first."""
    caffe = tiny_weights(convention="caffe")
    turned = {**caffe.parameters, "features.0.weight": caffe.parameters["features.0.weight"][:, [2, 1, 0]]}
    mean = torch.tensor(CONVENTIONS["caffe"].mean).view(1, 3, 1, 1)
    picture = speckles(3)
    seen = Encoder(caffe, layers=["relu2_1"])(picture)["relu2_1"]
    twin = vgg_features((picture - mean) * 255, turned, layers=["relu2_1"], architecture="slim")["relu2_1"]
    torch.testing.assert_close(seen, twin, rtol=1e-4, atol=1e-2)


@pytest.mark.parametrize("architecture", ["slim", *NETWORKS])
def test_nothing_is_computed_after_the_deepest_layer(architecture: Any) -> None:
    weights = tiny_weights(architecture)
    picture = speckles(4, height=32, width=32)
    number = 0
    for layer in layer_names(architecture):
        number += layer.startswith("relu")
        with counted_convolutions() as count:
            features = Encoder(weights, layers=["relu1_1", layer] if number > 1 else [layer])(picture)
        assert count.convolutions == number
        assert list(features)[-1] == layer


def test_layers_come_from_the_picture_inwards_however_they_are_asked_for() -> None:
    weights, picture = tiny_weights(), speckles(5)
    encoder = Encoder(weights, layers=["relu3_1", "relu1_1", "relu3_1"])
    with counted_convolutions() as count:
        features = encoder(picture)
    assert encoder.layers == tuple(features) == ("relu1_1", "relu3_1")
    assert count.convolutions == 5


def test_average_pooling_takes_the_mean_of_four_and_keeps_the_level() -> None:
    parameters = {
        f"features.{index}.{part}": value
        for index in (0, 2, 5)
        for part, value in (("weight", _centre()), ("bias", torch.zeros(3)))
    }
    picture = speckles(6, height=6, width=8)
    layers = ("relu1_2", "pool1", "relu2_1")
    features = vgg_features(picture, parameters, layers=layers, architecture="slim", pooling="average")
    torch.testing.assert_close(features["relu1_2"], picture)
    mean = picture.view(1, 3, 3, 2, 4, 2).mean((3, 5))
    torch.testing.assert_close(features["pool1"], mean * AVERAGE_POOL_GAIN)
    torch.testing.assert_close(features["relu2_1"], features["pool1"])
    features = vgg_features(picture, parameters, layers=layers, architecture="slim", pooling="max")
    torch.testing.assert_close(features["relu2_1"], picture.view(1, 3, 3, 2, 4, 2).amax((3, 5)))


def _centre() -> Tensor:
    """A convolution that hands its input on."""
    weight = torch.zeros(3, 3, 3, 3)
    weight[range(3), range(3), 1, 1] = 1
    return weight


def test_the_first_layer_sees_no_frame_around_a_flat_picture() -> None:
    features = Encoder(tiny_weights(), layers=["relu1_1", "relu1_2"])(torch.full((1, 3, 12, 12), 0.7))
    first = features["relu1_1"]
    torch.testing.assert_close(first, first[..., :1, :1].expand_as(first))
    assert float(features["relu1_2"].var((2, 3)).max()) > 0  # the second pads with zeros, as trained


def test_features_are_never_negative() -> None:
    features = Encoder(tiny_weights("vgg19"), layers=layer_names("vgg19"))(waves(0.1, height=32))
    assert all(float(value.min()) >= 0 for value in features.values())


def test_gradients_are_pulled_back_to_the_picture_and_never_formed_for_the_weights() -> None:
    weights = tiny_weights()
    trained = dataclasses.replace(
        weights, parameters={name: value.requires_grad_() for name, value in weights.parameters.items()}
    )
    picture = speckles(7)
    encoder = Encoder(trained, layers=["relu3_4"])
    trace = encoder.trace(picture)
    gradient = encoder.pull_back(trace, {"relu3_4": torch.ones_like(trace.features["relu3_4"])})
    assert gradient.shape == picture.shape
    assert float(gradient.abs().sum()) > 0
    assert not gradient.requires_grad
    assert all(value.grad is None for value in trained.parameters.values())


def test_the_picture_is_never_written_to() -> None:
    picture = speckles(8)
    kept = picture.clone()
    Encoder(tiny_weights(convention="caffe"), layers=["relu3_4"])(picture)
    assert torch.equal(picture, kept)


def test_rows_of_a_batch_are_seen_alone() -> None:
    encoder = Encoder(tiny_weights(), layers=["relu1_1", "relu3_4"])
    batch = torch.cat([speckles(seed) for seed in range(4)])
    together = encoder(batch)
    for row in range(4):
        for layer, value in encoder(batch[row : row + 1]).items():
            torch.testing.assert_close(together[layer][row : row + 1], value, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("layer", "side"),
    [
        ("relu1_1", 1),
        ("pool1", 2),
        ("relu2_1", 2),
        ("relu3_4", 4),
        ("relu4_1", 8),
        ("relu5_4", 16),
        ("pool5", 32),
    ],
)
def test_pictures_are_seen_down_to_the_smallest_side_and_refused_below(layer: str, side: int) -> None:
    encoder = Encoder(tiny_weights("vgg19"), layers=["relu1_1", layer])
    assert encoder.min_side == side
    assert encoder(torch.zeros(1, 3, side, side))[layer].shape[-2:] == (1, 1)
    if side > 1:
        message = f"40x{side - 1} px is too small for {layer}, which needs {side} px a side"
        with pytest.raises(ImageTooSmall, match=message):
            encoder(torch.zeros(1, 3, side - 1, 40))


def test_the_layer_that_is_too_deep_is_named_however_layers_are_ordered() -> None:
    encoder = Encoder(tiny_weights(), layers=["relu3_1", "relu1_1"])
    with pytest.raises(ImageTooSmall, match="3x40 px is too small for relu3_1, which needs 4 px"):
        encoder(torch.zeros(1, 3, 40, 3))


def test_weights_that_end_early_are_refused_with_the_layers_they_have() -> None:
    weights = tiny_weights("vgg19", layers=5)
    assert weights.layers[-1] == "relu3_1"
    Encoder(weights, layers=["relu3_1", "pool2"])
    message = (
        r"tiny\.safetensors has no relu4_2: its layers are relu1_1 to relu3_1; name other content_layers"
    )
    with pytest.raises(BadWeights, match=message):
        Encoder(weights, layers=["relu1_1", "relu4_2"])
    with pytest.raises(BadWeights, match="has no pool3"):
        Encoder(weights, layers=["pool3"])


def test_the_encoder_lies_where_it_was_asked_to() -> None:
    encoder = Encoder(tiny_weights(), layers=["relu1_1"], device="cpu")
    assert encoder.device == torch.device("cpu")
    assert isinstance(tiny_weights(), Weights)
