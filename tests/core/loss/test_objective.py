"""The whole objective against NumPy, its gradient against differences, its rows against one another."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import reference
import torch
from reference import array
from small_networks import counted_convolutions, speckles, tiny_encoder, tiny_weights, waves
from torch import Tensor

from stylize_core.architecture import layer_names
from stylize_core.loss.functional import gram_matrix
from stylize_core.loss.moments import moments
from stylize_core.loss.objective import Objective
from stylize_core.loss.targets import content_targets, mean_targets, stack_targets, style_targets
from stylize_core.networks.encoder import Encoder
from stylize_core.networks.vgg import AVERAGE_POOL_GAIN
from stylize_core.settings.style import StyleSettings

POOLINGS = ("average", "max")
LOSSES = ("relative", "gatys")


def _objective(content: Tensor, style: Tensor, **settings: Any) -> Objective:
    chosen = StyleSettings(**settings)
    encoder = tiny_encoder(chosen, dtype=content.dtype)
    return Objective(
        encoder=encoder,
        content=content_targets(encoder, content, chosen),
        style=style_targets(encoder, style, chosen),
        settings=chosen,
    )


def _pairs(height: int = 24, width: int = 32) -> tuple[Tensor, Tensor, Tensor]:
    """Three contents, three styles of another size, three pictures to judge."""
    contents = torch.cat([waves(angle, height=height, width=width) for angle in (0.1, 0.8, 2.0)])
    styles = torch.cat([waves(angle, height=20, width=28, finer=3) for angle in (1.0, 0.3, 2.5)])
    return contents, styles, torch.cat([speckles(seed, height=height, width=width) for seed in (0, 1, 2)])


@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("loss", LOSSES)
def test_every_term_is_that_of_numpy(loss: str, pooling: str) -> None:
    content, style, image = (picture[:1].double() for picture in _pairs(13, 18))
    settings: dict[str, Any] = {"content_weight": 3.0, "style_weight": 7.0, "tv_weight": 11.0}
    objective = _objective(content, style, loss=loss, pooling=pooling, **settings)
    expected = _reference_terms(objective, content, style, image)
    for name, value in objective.terms(image).items():
        np.testing.assert_allclose(array(value), [expected[name]], rtol=1e-5)  # the preprocessing is float32
    total, _ = objective(image)
    np.testing.assert_allclose(array(total), [sum(expected.values())], rtol=1e-5)


def _reference_terms(objective: Objective, content: Tensor, style: Tensor, image: Tensor) -> dict[str, float]:
    settings, parameters = objective.settings, tiny_weights(dtype=torch.float64).parameters
    f, p, a = (
        reference.vgg(
            reference.prepared(array(picture[0]), "torchvision"),
            parameters,
            architecture="slim",
            pooling=settings.pooling,
            gain=AVERAGE_POOL_GAIN,
        )
        for picture in (image, content, style)
    )
    gatys = settings.loss == "gatys"
    content_loss = reference.gatys_content if gatys else reference.relative
    styles = {}
    for layer in settings.style_layer_weights:
        g, target = reference.gram(f[layer]), reference.gram(a[layer])
        styles[layer] = float(np.sum((g - target) ** 2) / 4) if gatys else reference.relative(g, target)
    return {
        "content": 3 * sum(w * content_loss(f[n], p[n]) for n, w in settings.content_layer_weights.items()),
        "style": 7 * sum(w * styles[n] for n, w in settings.style_layer_weights.items()),
        "tv": 11 * reference.total_variation(array(image[0])),
    }


@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("loss", LOSSES)
def test_the_gradient_is_the_difference_of_losses_in_float64(loss: str, pooling: str) -> None:
    contents, styles, images = (pictures[:2].double() for pictures in _pairs(9, 12))
    objective = _objective(contents, styles, loss=loss, pooling=pooling, tv_weight=5.0)
    _, gradient = objective(images)
    rng = np.random.default_rng(3)
    for _ in range(5):
        direction = torch.tensor(rng.normal(size=images.shape))
        ahead, _ = objective(images + 1e-6 * direction)
        behind, _ = objective(images - 1e-6 * direction)
        along = (gradient * direction).sum((1, 2, 3))
        np.testing.assert_allclose(array(ahead - behind) / 2e-6, array(along), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("loss", LOSSES)
def test_the_gradient_in_float32_is_that_of_float64(loss: str, pooling: str) -> None:
    pictures = _pairs()
    options: dict[str, Any] = {"loss": loss, "pooling": pooling, "tv_weight": 5.0}
    value, gradient = _objective(*pictures[:2], **options)(pictures[2])
    content, style, image = (picture.double() for picture in pictures)
    exact_value, exact_gradient = _objective(content, style, **options)(image)
    np.testing.assert_allclose(array(value), array(exact_value), rtol=1e-5)
    error = array(gradient) - array(exact_gradient)
    assert np.linalg.norm(error) < 1e-4 * np.linalg.norm(array(exact_gradient))


@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("loss", LOSSES)
def test_a_batch_of_pairs_is_the_pairs_alone(loss: str, pooling: str) -> None:
    contents, styles, images = _pairs()
    options: dict[str, Any] = {"loss": loss, "pooling": pooling, "tv_weight": 2.0}
    losses, gradients = _objective(contents, styles, **options)(images)
    for row in range(3):
        one = slice(row, row + 1)
        loss_alone, gradient_alone = _objective(contents[one], styles[one], **options)(images[one])
        torch.testing.assert_close(losses[one], loss_alone, rtol=1e-5, atol=0)
        error = (gradients[one] - gradient_alone).norm() / gradient_alone.norm()
        assert float(error) < 1e-4


def test_a_broken_row_leaves_its_neighbours_alone() -> None:
    contents, styles, images = _pairs()
    objective = _objective(contents, styles, tv_weight=1.0)
    losses, gradients = objective(images)
    broken = images.clone()
    broken[1, 0, 3, 3] = float("nan")
    after, gradients_after = objective(broken)
    assert torch.isnan(after).tolist() == [False, True, False]
    assert torch.equal(after[[0, 2]], losses[[0, 2]])
    assert torch.equal(gradients_after[[0, 2]], gradients[[0, 2]])


def test_rows_choose_targets_in_the_order_given() -> None:
    contents, styles, images = _pairs()
    objective = _objective(contents, styles)
    losses, _ = objective(images)
    chosen, _ = objective.rows([2, 0])(images[[2, 0]])
    torch.testing.assert_close(chosen, losses[[2, 0]], rtol=1e-5, atol=0)


def test_targets_kept_from_single_pictures_stack_to_those_of_the_batch() -> None:
    contents, styles, images = _pairs()
    settings = StyleSettings()
    encoder = tiny_encoder(settings)
    stacked = stack_targets([style_targets(encoder, styles[row : row + 1], settings) for row in range(3)])
    objective = _objective(contents, styles)
    kept = dataclasses.replace(objective, style=stacked)
    torch.testing.assert_close(kept(images)[0], objective(images)[0], rtol=1e-5, atol=0)


def test_content_has_no_loss_at_itself_and_no_style_loss_at_the_style() -> None:
    contents, _, _ = _pairs()
    at_home = _objective(contents, contents, tv_weight=1.0).terms(contents)
    assert at_home["content"].tolist() == at_home["style"].tolist() == [0.0, 0.0, 0.0]
    assert float(at_home["tv"].min()) > 0


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        ({"content_weight": 0}, {"style"}),
        ({"style_weight": 0}, {"content"}),
        ({"tv_weight": 1}, {"content", "style", "tv"}),
        ({"content_weight": 0, "style_weight": 0, "tv_weight": 1}, {"tv"}),
    ],
)
def test_parts_without_weight_are_left_out(weights: dict[str, float], expected: set[str]) -> None:
    contents, styles, images = _pairs()
    objective = _objective(contents, styles, **weights)
    assert set(objective.terms(images)) == expected
    loss, gradient = objective(images)
    assert loss.shape == (3,)
    assert float(gradient.abs().sum()) > 0


def test_variation_alone_never_asks_the_network() -> None:
    contents, styles, images = _pairs()
    with counted_convolutions() as count:
        _objective(contents, styles, content_weight=0, style_weight=0, tv_weight=1)(images)
    assert count.convolutions == 0


def test_a_network_with_more_layers_than_needed_gives_the_same() -> None:
    contents, styles, images = _pairs()
    exact = _objective(contents, styles)
    larger = dataclasses.replace(exact, encoder=Encoder(tiny_weights(), layers=layer_names("slim")))
    for one, other in zip(exact(images), larger(images), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6)


def test_terms_grow_with_their_weights() -> None:
    contents, styles, images = _pairs()
    once = _objective(contents, styles, content_weight=1, style_weight=1, tv_weight=1).terms(images)
    more = _objective(contents, styles, content_weight=2, style_weight=3, tv_weight=5).terms(images)
    for name, factor in (("content", 2), ("style", 3), ("tv", 5)):
        torch.testing.assert_close(more[name], factor * once[name])


def test_layer_weights_are_shares_of_their_sum() -> None:
    contents, styles, images = _pairs()
    only = {
        layer: _objective(contents, styles, style_layers=[layer]).terms(images)["style"]
        for layer in ("relu1_1", "relu2_2")
    }
    mixed = _objective(contents, styles, style_layers={"relu1_1": 1, "relu2_2": 3}).terms(images)["style"]
    torch.testing.assert_close(mixed, 0.25 * only["relu1_1"] + 0.75 * only["relu2_2"])


def test_what_is_transparent_carries_no_style() -> None:
    settings = StyleSettings()
    encoder = tiny_encoder(settings)
    style, alpha = speckles(4, height=64, width=128), torch.ones(1, 1, 64, 128)
    alpha[..., 56:] = 0
    repainted = style.clone()
    repainted[..., 96:] = 1  # out of sight of every opaque place
    one = style_targets(encoder, style, settings, alpha_b1hw=alpha)
    other = style_targets(encoder, repainted, settings, alpha_b1hw=alpha)
    assert all(torch.allclose(one[layer], other[layer], rtol=1e-6) for layer in one)
    unmasked = style_targets(encoder, repainted, settings)
    assert not any(torch.allclose(one[layer], unmasked[layer], rtol=1e-2) for layer in one)


def test_a_wholly_opaque_style_is_one_without_alpha() -> None:
    settings = StyleSettings()
    encoder = tiny_encoder(settings)
    style = speckles(5, height=37, width=41)
    opaque = style_targets(encoder, style, settings, alpha_b1hw=torch.ones(1, 1, 37, 41))
    for layer, target in style_targets(encoder, style, settings).items():
        torch.testing.assert_close(opaque[layer], target)


def test_a_wholly_transparent_style_is_finite() -> None:
    contents, styles, images = _pairs()
    settings = StyleSettings()
    encoder = tiny_encoder(settings)
    alpha = torch.zeros(3, 1, *styles.shape[-2:])
    targets = style_targets(encoder, styles, settings, alpha_b1hw=alpha)
    loss, gradient = dataclasses.replace(_objective(contents, styles), style=targets)(images)
    assert torch.isfinite(loss).all()
    assert torch.isfinite(gradient).all()


def test_nothing_keeps_the_graph_alive() -> None:
    contents, styles, images = _pairs()
    objective = _objective(contents, styles)
    before = images.clone()
    loss, gradient = objective(images)
    assert not loss.requires_grad
    assert not gradient.requires_grad
    assert not images.requires_grad
    assert torch.equal(images, before)
    assert not any(t.requires_grad for t in (*objective.content.values(), *objective.style.values()))


def test_a_gradient_is_given_even_where_gradients_are_switched_off() -> None:
    contents, styles, images = _pairs()
    with torch.no_grad():
        _, gradient = _objective(contents, styles)(images)
    assert float(gradient.abs().sum()) > 0


@pytest.mark.parametrize("measure", [gram_matrix, moments])
def test_the_mean_of_two_styles_is_what_one_picture_of_both_would_have(
    measure: Callable[[Tensor], Tensor],
) -> None:
    # Three quarters of the places are of the one, a quarter of the other: means of covariances would miss.
    one, other = speckles(1, width=48).double(), 3 + speckles(2, width=16).double()
    both = measure(torch.cat([one, other], 3))
    blended = mean_targets([{"relu1_1": measure(one)}, {"relu1_1": measure(other)}], [0.75, 0.25])
    torch.testing.assert_close(blended["relu1_1"], both)
