"""GoogLeNet against torchvision's own, with random values in the real architecture."""

from __future__ import annotations

import hashlib
import io
from functools import cache
from typing import Any

import pytest
import safetensors.torch
import torch
from small_networks import speckles, tiny_weights, torchvision_models, waves
from torch import Tensor

from stylize_core.architecture import INCEPTION_LAYERS, PUBLISHED, channel_count, reach, smallest_side
from stylize_core.dream.objective import dream_objective
from stylize_core.errors import BadWeights, SettingsError
from stylize_core.loss.regions import StyledRegion, guidance
from stylize_core.loss.targets import style_targets
from stylize_core.networks.encoder import Encoder
from stylize_core.networks.tiles import tiles
from stylize_core.networks.weights import Weights, weights_from_bytes
from stylize_core.settings.style import StyleSettings
from stylize_core.settings.weights_file import WeightsFile
from stylize_core.transfer import stylize


@cache
def network() -> Any:
    """torchvision's network, made for pictures as its published weights are, with values of a fixed seed."""
    with torch.random.fork_rng():
        torch.manual_seed(1)
        made = (
            torchvision_models()
            .GoogLeNet(num_classes=3, aux_logits=False, transform_input=True, init_weights=False)
            .eval()
        )
        for name, value in made.state_dict().items():
            if name.endswith("conv.weight"):
                torch.nn.init.kaiming_normal_(value)  # so that signals do not fade on their way
            elif name.endswith("running_mean"):
                value.normal_(0, 0.1)
            elif name.endswith("running_var"):
                value.uniform_(0.5, 1.5)
    return made.requires_grad_(False)


def loaded(state: dict[str, Tensor] | None = None, *, safe: bool = True) -> Weights:
    state = network().state_dict() if state is None else state
    file = io.BytesIO()
    torch.save(state, file)
    data = safetensors.torch.save(state) if safe else file.getvalue()
    digest = hashlib.sha256(data).hexdigest()
    return weights_from_bytes(
        data, sha256=digest, architecture="googlenet", convention="torchvision", source="net.pth"
    )


def their_features(picture: Tensor) -> dict[str, Tensor]:
    """What torchvision's network computes after its own preparation of a picture in 0..1."""
    transforms = torchvision_models().GoogLeNet_Weights.IMAGENET1K_V1.transforms()
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (transforms.mean, transforms.std))
    features = network()._transform_input((picture - mean) / std)
    found = {}
    for name, module in network().named_children():
        if name == "avgpool":
            break
        features = module(features)
        found[name] = features.clone()
    return {name: found[name] for name in INCEPTION_LAYERS}


@pytest.mark.parametrize("safe", [True, False], ids=["safetensors", "pth"])
def test_every_layer_is_torchvisions(safe: bool) -> None:
    picture = waves(0.4, height=64, width=80)
    found = Encoder(loaded(safe=safe), layers=INCEPTION_LAYERS)(picture)
    expected = their_features(picture)
    assert tuple(found) == INCEPTION_LAYERS
    for layer, features in found.items():
        assert features.shape[1] == channel_count("googlenet", layer)
        assert float(features.min()) >= 0
        assert float(features.max()) > 0
        torch.testing.assert_close(features, expected[layer], rtol=1e-3, atol=1e-4 * float(features.max()))


def test_gradients_reach_the_picture_from_every_layer() -> None:
    layers = ("conv2", "inception3b", "inception4a")
    encoder = Encoder(loaded(), layers=layers)
    picture = speckles(1, height=40, width=48)
    trace = encoder.trace(picture)
    seeds = {layer: torch.rand_like(value) for layer, value in encoder.taps(trace).items()}
    found = encoder.pull_back(trace, seeds)
    image = picture.clone().requires_grad_()
    theirs = their_features(image)
    (expected,) = torch.autograd.grad(
        torch.stack([(theirs[n] * seeds[n]).sum() for n in layers]).sum(), image
    )
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-3 * float(expected.abs().max()))


@pytest.mark.parametrize("layer", INCEPTION_LAYERS)
def test_the_smallest_side_leaves_one_place(layer: str) -> None:
    side = smallest_side(layer)
    encoder = Encoder(loaded(), layers=[layer])
    assert encoder(torch.zeros(1, 3, side, side))[layer].shape[-2:] == (1, 1)


@pytest.mark.parametrize(("height", "width"), [(15, 16), (33, 47), (64, 97), (98, 130)])
def test_a_mask_says_of_every_unit_how_much_it_counts(height: int, width: int) -> None:
    """Units lie on another grid than those of a VGG."""
    features = Encoder(loaded(), layers=INCEPTION_LAYERS)(waves(0.4, height=height, width=width))
    mask = torch.linspace(0, 1, width).expand(1, 1, height, width)
    for layer, found in features.items():
        shown = guidance(mask, layer)
        assert shown.shape[-2:] == found.shape[-2:], layer
        assert bool((shown.diff(dim=3) >= 0).all()), layer


def test_regions_have_styles_of_their_own() -> None:
    settings = StyleSettings(encoder="googlenet", steps=3, content_weight=0)
    encoder = Encoder(loaded(), layers=settings.layers, pooling="max")
    content, styles = waves(0.3, height=64, width=90), [waves(1.7, finer=3), speckles(1)]
    left = torch.zeros(1, 1, 64, 90)
    left[..., :45] = 1
    one, other = (style_targets(encoder, style, settings) for style in styles)
    made = stylize(content, other, settings=settings, encoder=encoder, regions=[StyledRegion(left, one)])
    assert made.reports[0].loss_curve[-1] < made.reports[0].loss_curve[0]


def test_weights_may_end_early_and_say_what_they_reach() -> None:
    state = {
        name: value for name, value in network().state_dict().items() if not name.startswith("inception4")
    }
    weights = loaded(state)
    assert weights.layers[-1] == "inception3b"
    with pytest.raises(BadWeights, match=r"has no inception4c: its layers are conv1 to inception3b"):
        Encoder(weights, layers=["inception4c"])


def test_what_is_no_googlenet_is_refused_by_name() -> None:
    state = network().state_dict()
    with pytest.raises(BadWeights, match="it is no state dict of googlenet"):
        loaded(dict(tiny_weights().parameters))
    with pytest.raises(
        BadWeights, match=r"conv2\.conv\.weight has the shape \(1,\); googlenet needs \(64, 64, 1, 1\)"
    ):
        loaded({**state, "conv2.conv.weight": torch.zeros(1)})
    with pytest.raises(BadWeights, match="not finite"):
        loaded({**state, "conv1.bn.bias": torch.full((64,), float("nan"))})


def test_it_is_prepared_as_published_only() -> None:
    file = WeightsFile(file="a.pth", sha256="0" * 64, convention="caffe")
    with pytest.raises(SettingsError, match=r"weights\.convention: 'caffe' .*as torchvision publishes it"):
        StyleSettings(encoder="googlenet", weights=file)


def test_the_published_file_is_the_one_that_torchvision_names() -> None:
    published = PUBLISHED["googlenet"]
    assert torchvision_models().GoogLeNet_Weights.IMAGENET1K_V1.url.endswith(
        f"googlenet-{published.sha256_prefix}.pth"
    )


def test_it_dreams_of_layers_and_of_single_channels() -> None:
    picture = 0.25 + waves(0.3, height=48, width=64) / 2
    for layers in ([], ["inception3a:7"], {"inception3a": 1, "inception3b:3": 2}):
        given: dict[str, Any] = {"steps": 6, "octaves": 2, "dream_rate": 0.01, "dream_layers": layers}
        settings = StyleSettings(mode="dream", encoder="googlenet", **given)
        encoder = Encoder(loaded(), layers=settings.layers)
        made = stylize(picture, {}, settings=settings, encoder=encoder)
        before = float(dream_objective(encoder, picture, settings).terms(picture)["dream"])
        assert made.terms["dream"][0] < 1.02 * before < 0
        assert made.reports[0].evaluations == 6


def test_a_dream_in_tiles_is_the_dream_of_the_whole_picture() -> None:
    layers = {"conv1": 1.0, "inception3a": 1.0}  # deeper ones see more than a small picture has
    settings = StyleSettings(mode="dream", encoder="googlenet", dream_layers=layers)
    encoder = Encoder(loaded(), layers=settings.layers, dtype=torch.float64)
    before = waves(0.2, height=190, width=230).double()
    image = speckles(5, height=190, width=230).double()
    whole, tiled = (dream_objective(encoder, before, settings, tile_px=side) for side in (0, 64))
    (section,) = encoder.sections(image, 64)
    assert len(tiles(section, 190, 230)) == 12
    torch.testing.assert_close(tiled(image)[0], whole(image)[0])
    torch.testing.assert_close(tiled(image)[1], whole(image)[1])


def test_layers_see_as_far_as_is_said() -> None:
    encoder = Encoder(loaded(), layers=["inception4a"], dtype=torch.float64)
    image = torch.zeros(1, 3, 336, 336, dtype=torch.float64)
    trace = encoder.trace(image + speckles(1, height=336, width=336).double())
    seed = torch.zeros_like(trace.features["inception4a"])
    seed[..., 10, 10] = 1
    seen = encoder.pull_back(trace, {"inception4a": seed}).abs().sum((0, 1, 3)).nonzero()[:, 0]
    first, last = 160 - int(seen[0]), int(seen[-1]) - (160 + 15)
    assert max(first, last) <= reach("googlenet", "inception4a") < max(first, last) + 16
