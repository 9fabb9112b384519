"""Regions with styles of their own: guidance, the guided loss and its gradient, and what comes of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from commands import ROOT
from hypothesis import given
from hypothesis import settings as trials
from hypothesis import strategies as st
from reference import array
from small_networks import speckles, tiny_encoder, waves
from torch import Tensor
from torch.nn.functional import avg_pool2d

from stylize_core.architecture import layer_names, smallest_side
from stylize_core.errors import SettingsError
from stylize_core.image.decode import decode_picture
from stylize_core.image.resize import resize
from stylize_core.loss.functional import gram_matrix, style_loss
from stylize_core.loss.objective import Objective
from stylize_core.loss.regions import StyledRegion, areas, guidance, shared_out
from stylize_core.loss.targets import content_targets, stack_targets, style_targets
from stylize_core.networks.encoder import Encoder
from stylize_core.networks.weights import builtin_weights
from stylize_core.optim.watching import Frames
from stylize_core.settings.picture import PictureSettings
from stylize_core.settings.recipes import defaults_of
from stylize_core.settings.style import StyleSettings
from stylize_core.transfer import Stylized, stylize

IMAGES = ROOT / "manifests" / "images"
STATISTICS = ("gram", "moments")


def left_half(height: int, width: int, *, soft_px: int = 1) -> Tensor:
    """1 on the left, 0 on the right, [1, 1, H, W]."""
    x = torch.arange(width) + 0.5 - width / 2
    return (0.5 - x / soft_px).clamp(0, 1).expand(1, 1, height, width).contiguous()


def soft_masks(seed: int, *, height: int, width: int, count: int = 2) -> list[Tensor]:
    """Masks that overlap and leave something, [1, 1, H, W]."""
    generator = torch.Generator().manual_seed(seed)
    return [0.8 * torch.rand(1, 1, height, width, generator=generator) for _ in range(count)]


def targets(encoder: Encoder, settings: StyleSettings, *styles: Tensor) -> list[Any]:
    return [style_targets(encoder, style, settings) for style in styles]


def guided(content: Tensor, masks: list[Tensor], styles: list[Tensor], **chosen: Any) -> Objective:
    """The objective of regions in all styles but the last, which the rest has."""
    settings = StyleSettings(**chosen)
    encoder = tiny_encoder(settings, dtype=content.dtype)
    *own, rest = targets(encoder, settings, *styles)
    regions = [StyledRegion(mask.to(content), target) for mask, target in zip(masks, own, strict=True)]
    content_target = content_targets(encoder, content, settings)
    return Objective(encoder, content_target, {}, settings, areas(regions, rest))


@trials(deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 5))
def test_regions_and_rest_share_every_place_out(seed: int, count: int) -> None:
    masks = soft_masks(seed, height=3, width=4, count=count)
    shares = shared_out(masks)
    torch.testing.assert_close(torch.stack(shares).sum(0), torch.ones(1, 1, 3, 4))
    assert all(float(share.min()) >= -1e-6 for share in shares)
    single, rest = shared_out(masks[:1])
    assert torch.equal(single, masks[0])
    assert torch.equal(rest, 1 - masks[0])


@pytest.mark.parametrize("size", [(24, 32), (37, 41), (19, 50)])
def test_guidance_has_the_units_of_every_layer_and_a_full_mask_is_full_in_all(size: tuple[int, int]) -> None:
    layers = layer_names("slim")
    settings = StyleSettings(style_layers=layers)
    for layer, features in tiny_encoder(settings)(speckles(0, height=size[0], width=size[1])).items():
        channel = guidance(torch.ones(1, 1, *size), layer)
        assert channel.shape[-2:] == features.shape[-2:]
        assert bool((channel == 1).all())


def test_guidance_leaves_the_units_at_an_edge_out_and_keeps_those_at_the_frame() -> None:
    channel = guidance(left_half(8, 32), "relu2_1")[0, 0]
    assert channel.shape == (4, 16)
    assert channel[0].tolist() == [1.0] * 7 + [0.0] * 9


def test_a_region_too_thin_for_a_layer_counts_there_with_all_that_it_has() -> None:
    mask = torch.zeros(1, 1, 16, 16)
    mask[..., 5] = 1
    assert guidance(mask, "relu3_1")[0, 0, 0].tolist() == [0, 0.25, 0, 0]


@trials(deadline=None, max_examples=50)
@given(st.integers(0, 2**32), st.integers(16, 40), st.integers(16, 40), st.sampled_from(layer_names("slim")))
def test_guidance_stays_within_the_mask_and_never_loses_a_region(
    seed: int, height: int, width: int, layer: str
) -> None:
    generator = torch.Generator().manual_seed(seed)
    mask = (torch.rand(2, 1, height, width, generator=generator) - 0.7).clamp_min(0) / 0.3
    shrunk = avg_pool2d(mask, smallest_side(layer))
    found = guidance(mask, layer)
    assert bool((found <= shrunk + 1e-6).all())
    assert bool((found >= 0).all())
    assert bool((found.sum((1, 2, 3)) >= 0.2 * shrunk.sum((1, 2, 3)) - 1e-6).all())


@pytest.mark.parametrize("statistics", STATISTICS)
@pytest.mark.parametrize("loss", ["relative", "gatys"])
@pytest.mark.parametrize("pooling", ["average", "max"])
def test_the_guided_gradient_is_the_difference_of_losses_in_float64(
    statistics: Any, loss: str, pooling: str
) -> None:
    content, image = waves(0.1, height=13, width=18).double(), speckles(1, height=13, width=18).double()
    styles = [waves(angle, finer=3).double() for angle in (1.0, 0.3, 2.5)]
    chosen = {"statistics": statistics, "loss": loss, "pooling": pooling}
    objective = guided(content, soft_masks(0, height=13, width=18), styles, **chosen)
    assert len(objective.areas) == 3
    _, gradient = objective(image)
    rng = np.random.default_rng(3)
    for _ in range(4):
        direction = torch.tensor(rng.normal(size=image.shape))
        ahead, behind = (objective(image + step * direction)[0] for step in (1e-6, -1e-6))
        along = (gradient * direction).sum((1, 2, 3))
        np.testing.assert_allclose(array(ahead - behind) / 2e-6, array(along), rtol=2e-5, atol=1e-6)


def test_the_guided_loss_is_that_of_the_paper() -> None:
    # T_l^r is the root of the channel over its sum, F_l^r = T_l^r F_l and G_l^r the products of its columns;
    # on top of that every Gram matrix here is divided by the number of channels.
    mask, (one, other) = left_half(16, 32, soft_px=9).double(), (waves(1.0).double(), waves(2.0).double())
    image = speckles(5, height=16, width=32).double()
    chosen: dict[str, Any] = {"loss": "gatys", "style_layers": ["relu2_1"], "style_weight": 1}
    objective = guided(image, [mask], [one, other], **chosen)
    features = array(objective.encoder(image)["relu2_1"][0])
    expected = 0.0
    for share, style in ((mask, one), (1 - mask, other)):
        channel = array(guidance(share, "relu2_1")[0, 0])
        weighted = (np.sqrt(channel / channel.sum()) * features).reshape(len(features), -1)
        painted = array(objective.encoder(style)["relu2_1"][0]).reshape(len(features), -1)
        difference = weighted @ weighted.T - painted @ painted.T / painted.shape[1]
        expected += float(share.mean()) * np.sum((difference / len(features)) ** 2) / 4
    assert float(objective.terms(image)["style"]) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("statistics", STATISTICS)
def test_a_region_of_everything_is_the_whole_picture_in_its_style(statistics: Any) -> None:
    content, one, other = waves(0.1), waves(1.0, finer=3), speckles(4)
    objective = guided(content, [torch.ones(1, 1, 24, 32)], [one, other], statistics=statistics)
    settings = objective.settings
    whole = Objective(
        objective.encoder, objective.content, style_targets(objective.encoder, one, settings), settings
    )
    for found, expected in zip(objective(speckles(0)), whole(speckles(0)), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("statistics", STATISTICS)
def test_pictures_with_different_masks_are_a_batch_of_the_pictures_alone(statistics: Any) -> None:
    settings = StyleSettings(statistics=statistics)
    encoder = tiny_encoder(settings)
    images = torch.cat([speckles(0), speckles(1)])
    masks = [left_half(24, 32), soft_masks(1, height=24, width=32)[0]]
    own = targets(encoder, settings, waves(0.2), waves(1.0))
    rest = targets(encoder, settings, waves(2.0), speckles(9))
    together = Objective(
        encoder,
        {},
        {},
        settings,
        areas([StyledRegion(torch.cat(masks), stack_targets(own))], stack_targets(rest)),
    )
    losses, gradients = together(images)
    for row in range(2):
        alone = Objective(encoder, {}, {}, settings, areas([StyledRegion(masks[row], own[row])], rest[row]))
        for objective in (alone, together.rows([row])):
            loss, gradient = objective(images[row : row + 1])
            torch.testing.assert_close(loss[0], losses[row], rtol=1e-4, atol=0)
            assert float((gradient[0] - gradients[row]).norm() / gradient.norm()) < 1e-3


def test_a_regions_weight_multiplies_its_part_of_the_loss() -> None:
    settings = StyleSettings(mode="texture")
    encoder = tiny_encoder(settings)
    style, rest = targets(encoder, settings, waves(0.2), waves(2.0))
    mask, image = left_half(24, 32), speckles(0)

    def loss(weight: float) -> float:
        found = areas([StyledRegion(mask, style, weight)], rest)
        return float(Objective(encoder, {}, {}, settings, found).terms(image)["style"])

    assert loss(3) - loss(1) == pytest.approx(2 * (loss(1) - loss(0)), rel=1e-4)
    assert loss(1) > loss(0) > 0


def test_a_region_without_a_style_has_the_content_alone() -> None:
    picture, settings = waves(0.1, height=48, width=64), StyleSettings(steps=20)
    encoder = tiny_encoder(settings)
    style = style_targets(encoder, speckles(3), settings)
    made = stylize(
        picture, style, settings=settings, encoder=encoder, regions=[StyledRegion(left_half(48, 64), {})]
    )
    change = (made.image_bchw - picture).abs().mean((0, 1, 2))
    assert float(change[:12].max()) < 0.1 * float(change[40:].min())
    everything = [StyledRegion(torch.ones(1, 1, 48, 64), {})]
    untouched = stylize(picture, style, settings=settings, encoder=encoder, regions=everything)
    assert set(untouched.terms) == {"content"}
    assert float((untouched.image_bchw - picture).abs().max()) < 1e-3


def test_a_picture_that_nothing_is_asked_of_is_refused() -> None:
    settings = StyleSettings(steps=2, mode="texture")
    encoder = tiny_encoder(settings)
    everything = [StyledRegion(torch.ones(1, 1, 24, 32), {})]
    with pytest.raises(SettingsError, match="the regions leave no place with a style"):
        stylize(waves(0.1), waves(1.0), settings=settings, encoder=encoder, regions=everything)


@pytest.mark.parametrize(
    "chosen",
    [
        {"optimizer": "adam"},
        {"statistics": "moments"},
        {"colour": "luminance"},
        {"mode": "texture", "aspect": "1:2"},
        {"margin": 0},
    ],
)
def test_regions_work_with_every_kind_of_setting(chosen: dict[str, Any]) -> None:
    settings = StyleSettings(steps=10, **chosen)
    encoder, picture = tiny_encoder(settings), waves(0.1, height=48, width=64)
    styles = [
        style_targets(encoder, style, settings, content_bchw=picture)
        for style in (waves(1.0, finer=4), speckles(2))
    ]
    seen: dict[int, Tensor] = {}
    frames = Frames([10], seen.__setitem__)

    def made(mask: Tensor, frames: Frames | None = None) -> Stylized:
        regions = [StyledRegion(mask, styles[0])]
        return stylize(picture, styles[1], settings=settings, encoder=encoder, regions=regions, frames=frames)

    result = made(left_half(48, 64), frames)
    assert torch.equal(seen[10], result.image_bchw)
    assert torch.equal(made(left_half(48, 64)).image_bchw, result.image_bchw)
    assert not torch.equal(made(1 - left_half(48, 64)).image_bchw, result.image_bchw)


def photo(name: str, size: int) -> Tensor:
    data = (IMAGES / name).read_bytes()
    decoded = decode_picture(data, source=name, settings=PictureSettings())
    return resize(decoded, long_edge=size, enlarge=True).rgb[None]


@pytest.mark.parametrize("colour", ["style", "match"])
@pytest.mark.parametrize("statistics", STATISTICS)
def test_what_a_mask_hides_of_a_style_has_no_part_in_its_statistics(statistics: Any, colour: Any) -> None:
    # The first layer sees one pixel around, and its guidance ends one pixel before the edge.
    settings = StyleSettings(statistics=statistics, colour=colour, style_layers=["relu1_1"])
    encoder, style, mask = tiny_encoder(settings), speckles(0), left_half(24, 32)
    repainted = torch.where(mask.bool(), style, 1 - style)

    def found(picture: Tensor, **more: Any) -> Tensor:
        made = style_targets(encoder, picture, settings, content_bchw=waves(0.1), **more)
        return made["relu1_1"]

    torch.testing.assert_close(found(repainted, mask_b1hw=mask), found(style, mask_b1hw=mask))
    assert not torch.allclose(found(repainted), found(style), rtol=0.01)
    lower = torch.ones(1, 1, 24, 32)
    lower[..., :12, :] = 0
    both = found(style, mask_b1hw=mask, alpha_b1hw=lower)
    torch.testing.assert_close(both, found(style, mask_b1hw=mask * lower))


@pytest.mark.slow
@pytest.mark.parametrize("init", ["content", "noise"])
def test_each_region_takes_its_own_style_and_not_the_others(init: Any) -> None:
    three_blocks = defaults_of(2)["style_layers"]  # a fourth sees across the border
    settings = StyleSettings(size=192, steps=60, init=init, style_layers=three_blocks)
    encoder = Encoder(builtin_weights(), layers=settings.layers)
    content = photo("contents/landscape.jpg", 192)
    height, width = content.shape[-2:]
    left, right = targets(
        encoder, settings, photo("styles/impasto.jpg", 192), photo("styles/ink_waves.jpg", 192)
    )
    mask = left_half(height, width)
    made = stylize(
        content, right, settings=settings, encoder=encoder, regions=[StyledRegion(mask, left)]
    ).image_bchw
    whole = stylize(content, left, settings=settings, encoder=encoder).image_bchw

    def statistics(picture: Tensor, share: Tensor) -> dict[str, Tensor]:
        """Of a part of a picture, without any inset."""
        return {
            layer: gram_matrix(value, share_b1hw=avg_pool2d(share, height // value.shape[-2]))
            for layer, value in encoder(picture).items()
        }

    def distance(found: dict[str, Tensor], style: Any) -> float:
        """The relative distance of the statistics, as a mean over the style's layers."""
        return sum(float(style_loss(found[layer], style[layer])) for layer in left) / len(left)

    for share, own, other in ((mask, left, right), (1 - mask, right, left)):
        assert distance(statistics(made, share), own) < 0.01
        assert distance(statistics(made, share), other) > 0.4
    inside = (torch.arange(width) < width / 2 - 16).float().expand(1, 1, height, width)
    found = statistics(made, inside)
    assert distance(found, left) < 0.03
    assert distance(found, right) > 0.4
    assert distance(found, statistics(whole, inside)) < 0.02
