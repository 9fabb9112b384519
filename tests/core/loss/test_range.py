"""What holds pixels within 0..1 is as strong in every form of the loss, whatever its units."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from reference import array
from small_networks import speckles, tiny_encoder, tiny_weights, waves
from torch import Tensor

from stylize_core.loss.objective import Objective
from stylize_core.loss.regions import StyledRegion, areas
from stylize_core.loss.targets import content_targets, style_targets
from stylize_core.networks.encoder import Encoder
from stylize_core.settings.presets import PROGRAMS
from stylize_core.settings.style import StyleSettings
from stylize_core.transfer import HELD_IN_RANGE, stylize

FORMS = ("mean", "gatys")
SEEN = ("relu1_1", "relu2_1", "relu3_1")
"""In pictures so small a fourth block sees little but their frame."""
CONTENT, STYLE = waves(0.3, height=64, width=80), waves(1.7, height=60, width=44, finer=4)


def objective(
    content: Tensor = CONTENT, style: Tensor = STYLE, *, tile_px: int = 0, masked: bool = False, **given: Any
) -> Objective:
    settings = StyleSettings(**{"style_layers": SEEN, "style_weight": 300.0, "range_weight": 300.0, **given})
    encoder = tiny_encoder(settings, dtype=content.dtype)
    seen = style_targets(encoder, style, settings, tile_px=tile_px)
    shown = content_targets(encoder, content, settings, tile_px=tile_px)
    if not masked:
        return Objective(encoder, shown, seen, settings, tile_px=tile_px)
    mask = torch.zeros_like(content[:, :1])
    mask[..., :32] = 1
    return Objective(encoder, shown, {}, settings, areas([StyledRegion(mask, seen)], {}), tile_px=tile_px)


def unit(made: Objective) -> list[float]:
    """What the given weight is multiplied by."""
    assert isinstance(made.range_weight, Tensor)
    return [float(weight) / made.settings.range_weight for weight in made.range_weight]


def silent(network: Encoder) -> None:
    """Let a network see nothing in any picture."""
    for step in network._chain._steps:  # type: ignore[union-attr]
        step._filter = lambda features, made=step._filter: made(features) * 0


@pytest.mark.parametrize("loss", FORMS)
@pytest.mark.parametrize(
    "settings",
    [{}, {"mode": "texture"}, {"mode": "content"}, {"statistics": "moments"}, {"masked": True}],
    ids=str,
)
def test_the_unit_is_the_style_loss_of_a_silent_picture_by_weight_or_the_content_loss(
    loss: str, settings: dict[str, Any]
) -> None:
    made = objective(loss=loss, content_weight=7.0, **settings)
    found, share = unit(made), 0.4 if "masked" in settings else 1.0
    silent(made.encoder)
    lost = made.terms(torch.full_like(CONTENT, 0.5))
    expected = lost["style"] / (300 * share) if "style" in lost else lost["content"] / 7
    # Moments are compared with some variance more in all directions, which silence has as well.
    assert found == pytest.approx(expected.tolist(), rel=0.02 if "statistics" in settings else 1e-4)


@pytest.mark.parametrize("settings", [{}, {"masked": True}, {"mode": "content"}], ids=str)
def test_a_loss_without_units_and_one_that_compares_nothing_take_the_weight_as_it_is(
    settings: dict[str, Any],
) -> None:
    assert objective(**settings).range_weight == 300
    smooth = objective(loss="mean", content_weight=0.0, style_weight=0.0, tv_weight=1.0)
    assert smooth.range_weight == 300
    assert objective(loss="mean", range_weight=0.0).range_weight == 0


@pytest.mark.parametrize("loss", FORMS)
def test_every_picture_of_a_batch_and_of_its_rows_has_its_own_unit(loss: str) -> None:
    contents, styles = torch.cat([CONTENT, 0.2 * CONTENT]), torch.cat([STYLE, 0.2 * STYLE])
    both = objective(contents, styles, loss=loss)
    first, second = unit(both)
    assert second < 0.8 * first
    assert [*unit(objective(loss=loss)), *unit(both.rows([1]))] == pytest.approx([first, second], rel=1e-5)


def test_the_unit_is_that_of_tiles_and_hardly_depends_on_the_size() -> None:
    whole, tiled = (unit(objective(loss="mean", tile_px=tile_px)) for tile_px in (0, 32))
    assert tiled == pytest.approx(whole, rel=1e-5)
    small, large = (
        unit(objective(CONTENT, waves(1.7, height=side, width=side), loss="mean")) for side in (64, 128)
    )
    assert large == pytest.approx(small, rel=0.2)


@pytest.mark.parametrize("loss", FORMS)
def test_outside_the_range_the_penalty_and_its_slope_are_added(loss: str) -> None:
    held, free = (objective(loss=loss, range_weight=weight) for weight in (300.0, 0.0))
    image = speckles(2, height=64, width=80) * 1.6 - 0.3
    (loss_b, gradient), (free_b, free_gradient) = held(image), free(image)
    outside, weight = (image - image.clamp(0, 1)).double(), 300 * unit(held)[0]
    np.testing.assert_allclose(array(loss_b - free_b), weight * array(outside.square().mean()), rtol=1e-3)
    slope = weight * 2 * array(outside) / image.numel()
    np.testing.assert_allclose(
        array(gradient - free_gradient), slope, rtol=1e-3, atol=1e-6 * float(gradient.abs().max())
    )


@pytest.mark.parametrize("loss", FORMS)
def test_it_keeps_what_cutting_off_would_undo_whatever_the_size_of_features(loss: str) -> None:
    for larger in (0.1, 1.0, 30.0):
        kept, cut = (_saved(loss, larger, weight) for weight in (1.0, 0.0))
        assert kept < 0.8 * cut


def _saved(loss: str, larger: float, share: float) -> float:
    """The loss of the finished picture, by a network with features so many times as large.

    Args:
        share: of the range weight in the style's.
    """
    weight = (300.0 if loss == "mean" else 3e5) / larger**2  # style is made of squares of features
    chosen: dict[str, Any] = {"loss": loss, "style_weight": weight, "range_weight": share * weight}
    settings = StyleSettings(steps=40, scales=1, diagonal_gain=1, init="noise", style_layers=SEEN, **chosen)
    weights = tiny_weights()
    for name, value in weights.parameters.items():
        if name.endswith("bias") or name == "features.0.weight":
            value *= larger
    encoder = Encoder(weights, layers=settings.layers)
    made = stylize(waves(0.3), waves(1.7, height=30, width=22, finer=4), settings=settings, encoder=encoder)
    said = [f"{HELD_IN_RANGE} `loss: {loss}`"] if share else []
    assert made.reports[0].decisions == said
    return sum(values[0] for values in made.terms.values())


def test_presets_of_programs_that_cut_pixels_off_hold_them_as_firmly_as_they_paint() -> None:
    for preset in PROGRAMS.values():
        assert preset["range_weight"] == preset["style_weight"]
