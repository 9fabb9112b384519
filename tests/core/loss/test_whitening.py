"""A style's differences in its own axes: against NumPy and differences, and that no row knows of another."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from reference import Array, array
from small_networks import speckles, tiny_encoder, waves
from torch import Tensor

from stylize_core.loss.objective import Objective
from stylize_core.loss.targets import content_targets, style_targets
from stylize_core.loss.whitening import KNEE, Axes
from stylize_core.settings.style import StyleSettings


def products(seed: int, channels: int = 6, rows: int = 1) -> Tensor:
    """Symmetric matrices without negative eigenvalues, some far stronger than others."""
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(rows, channels, 40)) * np.geomspace(1, 1e-3, channels)[:, None]
    return torch.tensor(features @ features.transpose(0, 2, 1))


def weighed(apart: Array, target: Array) -> float:
    """What squared differences come to, axis by axis: 2 / (1 + (l_i + l_j) / (2 l_max) / KNEE) of each."""
    values, axes = np.linalg.eigh(target)
    total = 0.0
    for i, one in enumerate(axes.T):
        for j, other in enumerate(axes.T):
            pull = (values[i] + values[j]) / (2 * values.max())
            total += 2 / (1 + pull / KNEE) * float(one @ apart @ other) ** 2
    return total


def test_differences_are_weighed_in_the_axes_of_the_target() -> None:
    target, found = products(0, rows=2), products(1, rows=2)
    apart = found - target
    got = (apart * Axes.of(target).weighed(apart)).sum((1, 2))
    expected = [weighed(array(a), array(t)) for a, t in zip(apart, target, strict=True)]
    np.testing.assert_allclose(array(got), expected, rtol=1e-9)


def test_what_is_strong_counts_little_what_is_weak_double_and_the_knee_as_ever() -> None:
    target = torch.diag(torch.tensor([1.0, KNEE, 1e-9], dtype=torch.float64))[None]
    axis = torch.eye(3, dtype=torch.float64)
    alone = [torch.outer(one, one)[None] for one in axis]
    counts = [float((one * Axes.of(target).weighed(one)).sum()) for one in alone]
    assert counts == pytest.approx([2 / (1 + 1 / KNEE), 1.0, 2.0], rel=1e-6)


def test_a_target_without_anything_in_it_weighs_all_alike() -> None:
    apart = products(2)
    np.testing.assert_allclose(array(Axes.of(torch.zeros_like(apart)).weighed(apart)), 2 * array(apart))


def objective(rows: int = 1, dtype: torch.dtype = torch.float64, **settings: Any) -> tuple[Objective, Tensor]:
    """One that compares styles in their axes, and pictures to judge."""
    chosen = StyleSettings(**settings)
    encoder = tiny_encoder(chosen, dtype=dtype)
    contents = torch.cat([waves(0.3 + row, height=9, width=12) for row in range(rows)]).to(dtype)
    styles = torch.cat([waves(2.0 - row, height=10, width=14, finer=3) for row in range(rows)]).to(dtype)
    plain = Objective(
        encoder, content_targets(encoder, contents, chosen), style_targets(encoder, styles, chosen), chosen
    )
    images = torch.cat([speckles(row, height=9, width=12) for row in range(rows)]).to(dtype)
    return replace(plain, whitened=True), images


@pytest.mark.parametrize("settings", [{}, {"loss": "gatys"}, {"loss": "mean"}, {"mode": "texture"}], ids=str)
def test_the_gradient_is_the_difference_of_losses(settings: dict[str, Any]) -> None:
    judge, images = objective(2, **settings)
    _, gradient = judge(images)
    rng = np.random.default_rng(3)
    for _ in range(4):
        direction = torch.tensor(rng.normal(size=images.shape))
        ahead, behind = (judge(images + sign * 1e-6 * direction)[0] for sign in (1, -1))
        along = (gradient * direction).sum((1, 2, 3))
        np.testing.assert_allclose(array(ahead - behind) / 2e-6, array(along), rtol=1e-5, atol=1e-6)


def test_the_gradient_in_float32_is_that_of_float64() -> None:
    (judge, images), (exact, exact_images) = objective(dtype=torch.float32), objective()
    (loss, gradient), (exact_loss, exact_gradient) = judge(images), exact(exact_images)
    np.testing.assert_allclose(array(loss), array(exact_loss), rtol=1e-4)
    error = np.linalg.norm(array(gradient) - array(exact_gradient))
    assert error < 1e-3 * np.linalg.norm(array(exact_gradient))


def test_a_row_is_what_it_is_alone() -> None:
    judge, images = objective(3)
    losses, gradients = judge(images)
    for row in range(3):
        loss, gradient = judge.rows([row])(images[[row]])
        np.testing.assert_allclose(array(loss), array(losses[[row]]), rtol=1e-9)
        np.testing.assert_allclose(array(gradient), array(gradients[[row]]), rtol=1e-7, atol=1e-12)


def test_moments_are_compared_as_ever() -> None:
    judge, images = objective(statistics="moments")
    plain = replace(judge, whitened=False)
    assert torch.equal(judge(images)[1], plain(images)[1])
