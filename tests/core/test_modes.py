"""Reconstructions: the content loss alone, the style loss alone, and where they start."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from small_networks import speckles, tiny_encoder, waves
from torch import Tensor

from stylize_core.errors import SettingsError
from stylize_core.image.decode import decode_picture
from stylize_core.image.resize import resize
from stylize_core.networks.encoder import Encoder
from stylize_core.networks.weights import builtin_weights
from stylize_core.pyramid.start import starting_picture
from stylize_core.settings.picture import PictureSettings
from stylize_core.settings.style import StyleSettings
from stylize_core.transfer import Stylized, stylize


def made(content: Tensor, style: Tensor, **settings: Any) -> Stylized:
    chosen = StyleSettings(**{"steps": 20, **settings})
    return stylize(content, style, settings=chosen, encoder=tiny_encoder(chosen))


def psnr(picture: Tensor, original: Tensor) -> float:
    return -10 * math.log10(float((picture - original).square().mean()))


def reconstructed(layer: str, *, steps: int) -> float:
    """PSNR of what the built-in encoder's layer knows of a picture, in dB."""
    picture = waves(0.3, height=48, width=64, finer=2)
    settings = StyleSettings(mode="content", content_layers=[layer], steps=steps)
    encoder = Encoder(builtin_weights(), layers=settings.layers, pooling="average")
    return psnr(stylize(picture, picture, settings=settings, encoder=encoder).image_bchw, picture)


def test_a_shallow_layer_knows_the_picture_almost_exactly_and_deeper_ones_less() -> None:
    found = [reconstructed(layer, steps=100) for layer in ("relu1_1", "relu2_1", "relu3_1")]
    assert found[0] > 60
    assert found[0] > found[1] + 10 > found[2] + 10


def test_the_content_mode_knows_no_style() -> None:
    one, other = (made(waves(0.3), style, mode="content") for style in (waves(1.7), speckles(1)))
    assert torch.equal(one.image_bchw, other.image_bchw)
    assert set(one.terms) == {"content"}
    transferred = made(waves(0.3), waves(1.7), init="noise")
    assert not torch.equal(one.image_bchw, transferred.image_bchw)


def test_the_texture_mode_knows_no_content_but_its_shape() -> None:
    one, other = (made(content, waves(1.7), mode="texture") for content in (waves(0.3), speckles(1)))
    assert torch.equal(one.image_bchw, other.image_bchw)
    assert set(one.terms) == {"style"}
    assert one.image_bchw.shape == (1, 3, 24, 32)
    assert one.reports[0].best_loss < one.reports[0].loss_curve[0] / 10


@pytest.mark.parametrize(
    ("aspect", "shape"), [("3:2", (40, 60)), ("1:1", (60, 60)), ("2:3", (60, 40)), ("16:10", (38, 60))]
)
def test_a_texture_takes_another_aspect_and_keeps_the_long_edge(aspect: str, shape: tuple[int, int]) -> None:
    result = made(waves(0.3, height=60, width=45), waves(1.7), mode="texture", aspect=aspect, steps=2)
    assert result.image_bchw.shape[-2:] == shape


@pytest.mark.parametrize(
    "aspect", ["3", "3/2", "0:1", "1:0", "-3:2", "1.5:1", "17:1", "1:17", " 3:2", "٣:2", 1.5]
)
def test_an_aspect_that_is_none_is_refused(aspect: Any) -> None:
    with pytest.raises(SettingsError, match=r"aspect: .*such as 3:2"):
        StyleSettings(mode="texture", aspect=aspect)


@pytest.mark.parametrize("mode", ["transfer", "content"])
def test_only_textures_take_an_aspect(mode: Any) -> None:
    with pytest.raises(SettingsError, match="only `mode: texture` takes one"):
        StyleSettings(mode=mode, aspect="3:2")


def test_reconstructions_start_from_noise_unless_told_otherwise() -> None:
    content = waves(0.3)
    starts = {
        mode: starting_picture(content, StyleSettings(mode=mode))
        for mode in ("transfer", "content", "texture")
    }
    assert torch.equal(starts["transfer"], content)
    noise = starting_picture(content, StyleSettings(init="noise"))
    assert torch.equal(starts["texture"], noise)
    torch.testing.assert_close(starts["content"], 0.5 + 0.1 * (noise - 0.5))
    assert torch.equal(starting_picture(content, StyleSettings(mode="texture", init="content")), content)


def test_what_is_not_given_is_spelled_as_what_it_means() -> None:
    def spelled(**settings: Any) -> dict[str, Any]:
        return StyleSettings(**settings).canonical()

    assert spelled(init="content") == spelled()
    assert spelled(mode="texture", init="noise") == spelled(mode="texture")
    assert spelled(mode="texture", init="content") != spelled(mode="texture")
    assert spelled(mode="texture", aspect="3:2") != spelled(mode="texture")


@pytest.mark.parametrize(("mode", "other"), [("content", "style"), ("texture", "content")])
def test_the_loss_that_a_mode_does_not_use_has_no_part_in_the_identity(mode: Any, other: str) -> None:
    plain = StyleSettings(mode=mode).canonical()
    weight: dict[str, Any] = {f"{other}_weight": 7}
    assert StyleSettings(mode=mode, **weight).canonical() == plain
    layers: dict[str, Any] = {f"{other}_layers": ["relu1_1"]}
    assert StyleSettings(mode=mode, **layers).canonical() == plain


@pytest.mark.parametrize(("mode", "key"), [("content", "content_weight"), ("texture", "style_weight")])
def test_a_mode_without_its_own_weight_has_nothing_to_do(mode: str, key: str) -> None:
    settings: dict[str, Any] = {"mode": mode, key: 0}
    with pytest.raises(SettingsError, match=f"{key}: 0 .*at least one weight"):
        StyleSettings(**settings)


@pytest.mark.slow
def test_textures_of_more_layers_have_larger_structures() -> None:
    """The share of the brightness's variance that survives averaging over 16 x 16 px."""
    data = (Path(__file__).parents[2] / "manifests/images/styles/ink_waves.jpg").read_bytes()
    picture = decode_picture(data, source="ink_waves.jpg", settings=PictureSettings())
    style = resize(picture, long_edge=160, enlarge=False).rgb[None]

    def coarse(layers: list[str]) -> float:
        settings = StyleSettings(mode="texture", style_layers=layers, steps=80, scales=1)
        encoder = Encoder(builtin_weights(), layers=settings.layers, pooling="average")
        brightness = stylize(style, style, settings=settings, encoder=encoder).image_bchw.mean(1)
        return float(torch.nn.functional.avg_pool2d(brightness, 16).var() / brightness.var())

    found = [coarse(["relu1_1", "relu2_1", "relu3_1"][:count]) for count in (1, 2, 3)]
    assert found == sorted(found), found
    assert found[2] > 1.5 * found[0]
