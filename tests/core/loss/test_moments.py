"""Wasserstein's distance of styles against SciPy, its gradient against differences, and flat pictures."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from reference import Array, array
from scipy.linalg import sqrtm
from small_networks import speckles, tiny_encoder, waves
from torch import Tensor

from stylize_core.loss import moments as moments_module
from stylize_core.loss.moments import (
    RIDGE,
    covariance_root,
    moments,
    wasserstein,
    wasserstein_unit,
)
from stylize_core.loss.objective import Objective
from stylize_core.loss.targets import style_targets
from stylize_core.settings.style import StyleSettings
from stylize_core.transfer import stylize


def _features(seed: int, *shape: int) -> Tensor:
    rng = np.random.default_rng(seed)
    return torch.tensor(np.maximum(rng.normal(size=shape) * rng.uniform(0.2, 2, (1, shape[1], 1, 1)), 0))


def _distance(features: Tensor, style: Tensor) -> Tensor:
    target = moments(style)
    return wasserstein(moments(features), target, root_bcc=covariance_root(target))


def _scipy(features_chw: Array, style_chw: Array) -> float:
    """The distance as it is printed, with the ridge that the module promises."""
    f, s = (values.reshape(len(values), -1) for values in (features_chw, style_chw))
    c, a = np.cov(f, bias=True), np.cov(s, bias=True)
    ridge = RIDGE * np.trace(a) / len(a) * np.eye(len(a))
    c, a = c + ridge, a + ridge
    root = sqrtm(a)
    overlap = np.trace(sqrtm(root @ c @ root)).real
    return float(np.sum((f.mean(1) - s.mean(1)) ** 2) + np.trace(c) + np.trace(a) - 2 * overlap)


@pytest.mark.parametrize("channels", [2, 5, 12])
def test_the_distance_is_that_of_scipy(channels: int) -> None:
    features, style = _features(0, 2, channels, 9, 8), _features(1, 2, channels, 7, 11)
    expected = [_scipy(array(f), array(s)) for f, s in zip(features, style, strict=True)]
    np.testing.assert_allclose(array(_distance(features, style)), expected, rtol=1e-9)


def test_in_one_dimension_it_is_the_distance_of_means_and_deviations() -> None:
    features = torch.tensor([[[[1.0, 3.0]]]], dtype=torch.float64)  # mean 2, deviation 1
    style = torch.tensor([[[[1.0, 9.0]]]], dtype=torch.float64)  # mean 5, deviation 4
    np.testing.assert_allclose(array(_distance(features, style)), [9 + 9], rtol=1e-3)


def test_moments_hold_products_and_means_of_the_places_that_count() -> None:
    features = _features(2, 1, 3, 4, 5)
    counts = torch.tensor(np.random.default_rng(3).integers(0, 2, (1, 1, 4, 5)), dtype=torch.float64)
    counted = array(features[0, :, counts[0, 0] > 0])
    packed = array(moments(features, share_b1hw=counts))[0]
    np.testing.assert_allclose(packed[:3, :3], counted @ counted.T / counted.shape[1])
    np.testing.assert_allclose(packed[3], [*counted.mean(1), 1])
    np.testing.assert_allclose(packed[:, 3], packed[3])


def test_moments_of_two_halves_mix_to_those_of_the_whole() -> None:
    features = _features(4, 1, 3, 4, 6)
    halves = (moments(features[..., :3]) + moments(features[..., 3:])) / 2
    np.testing.assert_allclose(array(halves), array(moments(features)))


def test_equal_statistics_have_no_distance_wherever_features_lie() -> None:
    features = _features(5, 1, 6, 4, 6)
    order = torch.randperm(24, generator=torch.Generator().manual_seed(0))
    shuffled = features.flatten(2)[:, :, order].view(features.shape)
    assert abs(float(_distance(features, shuffled))) < 1e-10
    assert float(_distance(features, 1.1 * features)) > 1e-3


def test_the_relative_distance_has_no_units() -> None:
    features, style = _features(6, 1, 4, 6, 6), _features(7, 1, 4, 6, 6)

    def relative(factor: float) -> float:
        target = moments(factor * style)
        root = covariance_root(target)
        return float(
            wasserstein(moments(factor * features), target, root_bcc=root)
            / wasserstein_unit(target, "relative")
        )

    assert relative(1000.0) == pytest.approx(relative(1.0), rel=1e-9)
    energy = float((array(style) ** 2).sum() / 36)
    assert relative(1.0) == pytest.approx(_scipy(array(features[0]), array(style[0])) / energy, rel=1e-9)


@pytest.mark.parametrize("places", [36, 4])  # with fewer places than channels the covariance has no inverse
def test_the_gradient_is_that_of_differences(places: int) -> None:
    features = _features(8, 1, 6, 1, places).requires_grad_()
    target = moments(_features(9, 1, 6, 5, 5))
    root = covariance_root(target)
    assert torch.autograd.gradcheck(
        lambda value: wasserstein(moments(value), target, root_bcc=root), features, eps=1e-7
    )


FLAT = torch.full((1, 3, 24, 32), 0.5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    ("image", "style"), [(FLAT, waves(1)), (waves(1), FLAT), (FLAT, FLAT), (waves(1), waves(1))]
)
def test_flat_and_equal_pictures_have_finite_losses_and_gradients(
    image: Tensor, style: Tensor, dtype: torch.dtype
) -> None:
    settings = StyleSettings(mode="texture", statistics="moments", style_weight=100)
    encoder = tiny_encoder(settings, dtype=dtype)
    targets = style_targets(encoder, style.to(dtype), settings)
    objective = Objective(encoder=encoder, content={}, style=targets, settings=settings)
    loss, gradient = objective(image.to(dtype))
    assert torch.isfinite(loss).all()
    assert torch.isfinite(gradient).all()
    assert torch.equal(image, style) == (abs(float(loss)) < 1e-2)  # of others it is 90 and more


def test_moments_that_are_not_finite_spoil_their_own_row_only() -> None:
    features, style = _features(10, 3, 4, 5, 5), _features(11, 3, 4, 5, 5)
    spoilt = features.clone()
    spoilt[1, 0, 0, 0] = torch.inf
    found, proper = _distance(spoilt, style), _distance(features, style)
    assert torch.isnan(found[1])
    np.testing.assert_allclose(array(found[[0, 2]]), array(proper[[0, 2]]), rtol=1e-12)


def test_a_style_that_is_not_finite_spoils_the_loss_and_not_the_program() -> None:
    style = _features(12, 2, 4, 5, 5)
    style[0, 1, 2, 3] = torch.nan
    found = _distance(_features(13, 2, 4, 5, 5), style)
    assert torch.isnan(found).tolist() == [True, False]


def _made(**settings: Any) -> tuple[Tensor, dict[str, list[float]]]:
    chosen = StyleSettings(**{"steps": 30, "mode": "texture", "margin": 0, **settings})
    contents, styles = torch.cat([waves(0.3), speckles(1)]), torch.cat([waves(1.7, finer=4), waves(0.9)])
    result = stylize(contents, styles, settings=chosen, encoder=tiny_encoder(chosen))
    return result.image_bchw, result.terms


@pytest.mark.parametrize("loss", ["relative", "gatys"])
def test_a_picture_by_moments_has_the_means_and_covariances_of_its_style(loss: str) -> None:
    image, terms = _made(statistics="moments", loss=loss)
    other, _ = _made(statistics="gram", loss=loss)
    assert not torch.equal(image, other)
    settings = StyleSettings(mode="texture", statistics="moments", loss=loss)  # type: ignore[arg-type]
    encoder = tiny_encoder(settings)
    targets = style_targets(encoder, torch.cat([waves(1.7, finer=4), waves(0.9)]), settings)
    objective = Objective(encoder=encoder, content={}, style=targets, settings=settings)
    noise = torch.rand(image.shape, generator=torch.Generator().manual_seed(1))
    assert (objective.terms(image)["style"] < objective.terms(noise)["style"] / 10).all()
    np.testing.assert_allclose(terms["style"], objective.terms(image)["style"])


def test_rows_by_moments_know_nothing_of_one_another() -> None:
    settings = StyleSettings(statistics="moments", content_weight=0)
    encoder = tiny_encoder(settings, dtype=torch.float64)
    styles = torch.cat([waves(angle).double() for angle in (0.2, 0.9)])
    images = torch.cat([speckles(seed).double() for seed in (0, 1)])
    targets = style_targets(encoder, styles, settings)
    together = Objective(encoder=encoder, content={}, style=targets, settings=settings)
    for row in (0, 1):
        loss, gradient = together.rows([row])(images[row : row + 1])
        np.testing.assert_allclose(array(loss), array(together(images)[0][row : row + 1]), rtol=1e-12)
        np.testing.assert_allclose(array(gradient), array(together(images)[1][row : row + 1]), atol=1e-14)


def test_the_trace_of_a_root_by_products_alone_is_that_by_eigenvalues() -> None:
    """As on a device that must not be waited for; also for matrices that are all but singular."""
    rng = np.random.default_rng(5)
    basis = np.linalg.qr(rng.normal(size=(24, 24)))[0]
    spread = [10.0 ** np.linspace(-low, 0, 24) for low in (1, 6, 12)]
    matrices = torch.tensor(np.stack([basis * values @ basis.T for values in spread])).requires_grad_()
    by_values, by_products = (
        moments_module._sum_of_root_values(matrices),
        moments_module._RootTrace.apply(matrices),
    )
    slopes = [torch.autograd.grad(value.sum(), matrices)[0] for value in (by_values, by_products)]
    torch.testing.assert_close(by_products, by_values, rtol=1e-9, atol=0)
    for row, close in enumerate((1e-9, 1e-7, 1e-3)):
        assert float((slopes[1][row] - slopes[0][row]).norm() / slopes[0][row].norm()) < close
