"""Pictures seen in tiles: loss, gradient and statistics are those of the whole picture."""

from __future__ import annotations

import random
from typing import Any

import pytest
import torch
from small_networks import speckles, tiny_encoder, waves
from torch import Tensor

from stylize_core import large_pictures
from stylize_core.architecture import layer_names, reach, stride
from stylize_core.dream.objective import dream_objective
from stylize_core.loss.objective import Objective
from stylize_core.loss.pixels import VARIATIONS
from stylize_core.loss.regions import StyledRegion, areas
from stylize_core.loss.targets import Targets, content_targets, style_targets
from stylize_core.networks.tiles import tiles
from stylize_core.sections import Section, sections
from stylize_core.settings.style import StyleSettings

SEEDS = range(24)
CLOSE = 1e-5  # of the whole, in float32


def _apart(found: Tensor, expected: Tensor) -> float:
    return float((found - expected).norm() / expected.norm())


def _with_the_same_choice(found: Tensor, expected: Tensor, settings: StyleSettings) -> Tensor:
    """The gradient, with that expected below one place of the features, if it is apart nowhere else.

    Where two values are one but for rounding, which is the larger and which side of 0 they lie on may come
    out either way, and so may what is sent back from there. In float64 there is no such place.
    """
    apart_hw = (found - expected).abs().amax((0, 1)) > CLOSE * expected.abs().max()
    if not bool(apart_hw.any()):
        return found
    rows, columns = (torch.nonzero(apart_hw.any(dim)).flatten() for dim in (1, 0))
    (top, bottom), (left, right) = (map(int, (one.min(), one.max() + 1)) for one in (rows, columns))
    deepest = settings.layers[-1]
    seen = 2 * reach(settings.encoder, deepest) + stride(deepest)
    assert max(bottom - top, right - left) <= seen
    same = found.clone()
    same[..., top:bottom, left:right] = expected[..., top:bottom, left:right]
    return same


def _any_settings(draw: random.Random) -> StyleSettings:
    encoder = draw.choice(["slim", "vgg19", "vgg16"])
    layers = layer_names(encoder)
    some = {layer: draw.uniform(0.5, 2) for layer in draw.sample(layers, draw.randint(1, 4))}
    chosen: dict[str, Any] = {
        "encoder": encoder,
        "loss": draw.choice(["relative", "gatys", "mean"]),
        "statistics": draw.choice(["gram", "gram", "moments"]),
        "pooling": draw.choice(["average", "max"]),
        "colour": draw.choice(["style", "style", "luminance"]),
        "content_layers": {draw.choice(layers): 1.0},
        "style_layers": some,
        "tv_weight": draw.choice([0.0, 0.3]),
        "tv_form": draw.choice(sorted(VARIATIONS)),
        "style_weight": 30.0,
    }
    return StyleSettings(**chosen)


def _regions(height: int, width: int, style: Targets) -> list[StyledRegion]:
    soft_b1hw = torch.linspace(-1, 2, width).clamp(0, 1).expand(1, 1, height, width)
    corner_b1hw = torch.zeros(1, 1, height, width)
    corner_b1hw[..., : height // 2, : width // 3] = 1
    shrunk = {layer: value * 0.7 for layer, value in style.items()}
    return [StyledRegion(soft_b1hw, shrunk, 0.8), StyledRegion(corner_b1hw, style)]


def _drawn(seed: int) -> tuple[StyleSettings, int, int, int]:
    """Settings, height and width of a picture, and a side of tiles."""
    draw = random.Random(seed)
    return _any_settings(draw), draw.randint(110, 190), draw.randint(110, 190), draw.choice([32, 40, 48, 64])


def test_what_is_drawn_has_networks_in_one_two_and_more_sections_with_tiles_in_the_last_and_without() -> None:
    cut, many = [], 0
    for seed in SEEDS:
        settings, height, width, side = _drawn(seed)
        layers = tiny_encoder(settings).layers
        cut.append(sections(settings.encoder, layers, width=width, height=height, tile_px=side))
        many += sum(len(tiles(section, height, width)) for section in cut[-1]) > 4
    assert many > 20
    assert {len(found) for found in cut} >= {1, 2, 3}
    assert {bool(found[-1].side) for found in cut if len(found) > 1} == {True, False}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("seed", SEEDS)
def test_loss_and_gradient_in_tiles_are_those_of_the_whole_picture(seed: int, dtype: torch.dtype) -> None:
    settings, height, width, side = _drawn(seed)
    encoder = tiny_encoder(settings, dtype=dtype)
    content = waves(0.3, height=height, width=width).to(dtype)
    image = 1.3 * speckles(1, height=height, width=width).to(dtype) - 0.1
    style = style_targets(
        encoder, waves(1.1, height=90, width=77, finer=3).to(dtype), settings, content_bchw=content
    )
    found = []
    for tile in (0, side):
        content_at = content_targets(encoder, content, settings, tile_px=tile)
        where = areas(_regions(height, width, style), style) if seed % 3 == 0 else ()
        objective = Objective(encoder, content_at, {} if where else style, settings, where, tile_px=tile)
        found.append((*objective(image), objective.terms(image)))
    (loss, gradient, terms), (tiled_loss, tiled_gradient, tiled_terms) = found
    torch.testing.assert_close(tiled_loss, loss, rtol=CLOSE, atol=0)
    if dtype == torch.float32:
        tiled_gradient = _with_the_same_choice(tiled_gradient, gradient, settings)
    assert _apart(tiled_gradient, gradient) < CLOSE
    assert {name: float(value) for name, value in tiled_terms.items()} == pytest.approx(
        {name: float(value) for name, value in terms.items()}, rel=CLOSE
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_a_batch_in_tiles_is_the_batch_in_each_format(dtype: torch.dtype) -> None:
    settings = StyleSettings(style_weight=50.0)
    encoder = tiny_encoder(settings, dtype=dtype)
    contents = torch.cat([waves(angle, height=130, width=99) for angle in (0.1, 0.9)])
    images = torch.cat([speckles(seed, height=130, width=99) for seed in (1, 2)])
    style = style_targets(encoder, contents.flip(2), settings)
    whole, tiled = (
        Objective(
            encoder, content_targets(encoder, contents, settings, tile_px=side), style, settings, tile_px=side
        )
        for side in (0, 64)
    )
    (loss, gradient), (tiled_loss, tiled_gradient) = whole(images), tiled(images)
    close = 1e-5 if dtype == torch.float32 else 5e-3
    torch.testing.assert_close(tiled_loss, loss, rtol=close, atol=0)
    assert _apart(tiled_gradient, gradient) < 4 * close
    assert torch.equal(tiled.rows([1])(images[1:])[0], tiled_loss[1:])


@pytest.mark.parametrize("statistics", ["gram", "moments"])
@pytest.mark.parametrize("masked", [False, True])
def test_the_statistics_of_a_style_in_tiles_are_those_of_all_of_it(statistics: Any, masked: bool) -> None:
    settings = StyleSettings(statistics=statistics)
    encoder = tiny_encoder(settings, dtype=torch.float64)
    style, alpha = waves(0.4, height=101, width=143).double(), torch.linspace(0, 1, 143).double()
    mask = (speckles(3, height=101, width=143)[:, :1] > 0.2).double() if masked else None
    whole, tiled = (
        style_targets(
            encoder, style, settings, alpha_b1hw=alpha.expand(1, 1, 101, 143), mask_b1hw=mask, tile_px=side
        )
        for side in (0, 32)
    )
    for layer, value in whole.items():
        assert _apart(tiled[layer], value) < 1e-9


@pytest.mark.parametrize("encoder_name", ["slim", "vgg19"])
def test_a_dream_in_tiles_is_the_dream(encoder_name: Any) -> None:
    layers = {"relu1_2": 1.0, "relu3_2:1": 2.0, "pool2": 1.0}
    settings = StyleSettings(mode="dream", encoder=encoder_name, dream_layers=layers, tv_weight=0.5)
    encoder = tiny_encoder(settings, dtype=torch.float64)
    before, image = waves(0.2, height=120, width=150).double(), speckles(5, height=120, width=150).double()
    whole, tiled = (dream_objective(encoder, before, settings, tile_px=side) for side in (0, 48))
    torch.testing.assert_close(tiled(image)[0], whole(image)[0])
    assert _apart(tiled(image)[1], whole(image)[1]) < 1e-9


@pytest.mark.parametrize("architecture", ["slim", "vgg19"])
def test_tiles_own_every_place_once_and_see_as_far_as_the_network(architecture: str) -> None:
    layer = {"slim": "relu3_4", "vgg19": "relu5_1"}[architecture]
    owned = torch.zeros(301, 517)
    for tile in tiles(Section(architecture, 1, (layer,), side=128), 301, 517):
        owned[slice(*tile.rows.owned), slice(*tile.columns.owned)] += 1
        for span, length in ((tile.rows, 301), (tile.columns, 517)):
            assert span.owned[0] % stride(layer) == span.seen[0] % stride(layer) == 0
            assert span.seen[0] == 0 or span.owned[0] - span.seen[0] >= reach(architecture, layer)
            assert span.seen[1] == length or span.seen[1] - span.owned[1] >= reach(architecture, layer)
    assert bool((owned == 1).all())


def test_a_large_content_is_kept_coarsely_and_hardly_changes_the_loss(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = StyleSettings(content_weight=5.0)
    encoder = tiny_encoder(settings)
    content, image = waves(0.3, height=130, width=99), speckles(1, height=130, width=99)
    style = style_targets(encoder, content.flip(2), settings)
    found = []
    for numbers in (2**25, 1000):
        monkeypatch.setattr(large_pictures, "COARSE_FROM", numbers)
        at = content_targets(encoder, content, settings, tile_px=64)
        found.append((*at.values(), *Objective(encoder, at, style, settings, tile_px=64)(image)))
    (fine, loss, gradient), (coarse, coarse_loss, coarse_gradient) = found
    assert (fine.dtype, coarse.dtype) == (torch.float32, torch.bfloat16)
    torch.testing.assert_close(coarse_loss, loss, rtol=1e-3, atol=0)
    assert _apart(coarse_gradient, gradient) < 5e-3


def test_a_narrower_rim_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = StyleSettings(style_layers={"relu3_4": 1.0}, content_weight=0.0)
    encoder = tiny_encoder(settings, dtype=torch.float64)
    image = speckles(1, height=160, width=160).double()
    style = style_targets(encoder, image.flip(3) * 0.5, settings)
    whole, _ = Objective(encoder, {}, style, settings)(image)
    monkeypatch.setattr("stylize_core.sections.reach", lambda *_, **__: 0)
    tiled, _ = Objective(encoder, {}, style, settings, tile_px=32)(image)
    assert float(abs(tiled / whole - 1)) > CLOSE
