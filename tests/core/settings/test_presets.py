"""Presets against the other programs' formulas, written out once more in NumPy, on real pictures.

The features come from a narrow random VGG that `reference.vgg` computes independently; docs/presets.md says
where the programs' own networks differ.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
import reference
import scipy.linalg
import torch
from commands import ROOT
from PIL import Image
from reference import Array, array
from small_networks import tiny_weights
from torch import Tensor

from stylize_core.loss.moments import RIDGE
from stylize_core.loss.objective import Objective
from stylize_core.loss.pixels import VARIATIONS
from stylize_core.loss.targets import content_targets, style_targets
from stylize_core.networks.encoder import Encoder
from stylize_core.networks.vgg import AVERAGE_POOL_GAIN
from stylize_core.settings.presets import PRESETS, laid_out
from stylize_core.settings.style import StyleSettings

IMAGES = ROOT / "manifests" / "images"
FIVE = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")
ROUNDING = 1e-5  # the preprocessing is float32


@cache
def picture(name: str, size: tuple[int, int]) -> Tensor:
    with Image.open(IMAGES / f"{name}.jpg") as image:
        pixels = np.asarray(image.convert("RGB").resize(size), dtype=np.float64) / 255
    return torch.from_numpy(pixels).permute(2, 0, 1)[None]


def content() -> Tensor:
    return picture("contents/landscape", (48, 32))


def style(size: tuple[int, int] = (40, 34)) -> Tensor:
    return picture("styles/impasto", size)


def stylised() -> Tensor:
    """Something on the way from the one to the other."""
    return torch.lerp(content(), picture("contents/town", (48, 32)), 0.4)


def ours(preset: str, style_bchw: Tensor, **settings: Any) -> dict[str, float]:
    """The terms of our objective under a preset."""
    chosen = StyleSettings(**laid_out({"preset": preset, **settings}))
    encoder = Encoder(weights(preset), layers=chosen.layers, pooling=chosen.pooling, dtype=torch.float64)
    objective = Objective(
        encoder=encoder,
        content=content_targets(encoder, content(), chosen),
        style=style_targets(encoder, style_bchw, chosen),
        settings=chosen,
    )
    terms = {name: float(value) for name, value in objective.terms(stylised()).items()}
    assert float(objective(stylised())[0]) == pytest.approx(sum(terms.values()), rel=1e-12)
    return terms


def weights(preset: str) -> Any:
    encoder = PRESETS[preset]["encoder"]
    convention: Any = "features" if encoder == "vgg16" else "torchvision"
    return tiny_weights(encoder, dtype=torch.float64, convention=convention)


def features(preset: str, image_bchw: Tensor) -> dict[str, Array]:
    """What the program's network would see, but for its first padding."""
    found = weights(preset)
    return reference.vgg(
        reference.prepared(array(image_bchw[0]), found.convention),
        found.parameters,
        architecture=found.architecture,
        pooling=str(PRESETS[preset]["pooling"]),
        gain=AVERAGE_POOL_GAIN,
    )


def mse(a: Array, b: Array) -> float:
    return float(np.mean((a - b) ** 2))


def test_under_paper_the_loss_is_equation_7() -> None:
    here, content_f, style_f = (features("paper", p) for p in (stylised(), content(), style((48, 32))))
    alpha, beta = 1.0, 1e3
    expected = {
        "content": alpha * reference.gatys_content(here["relu4_2"], content_f["relu4_2"]),
        "style": beta * sum(reference.gatys_style(here[n], style_f[n]) / 5 for n in FIVE),
    }
    assert ours("paper", style((48, 32))) == pytest.approx(expected, rel=ROUNDING)


@pytest.mark.parametrize("preset", ["neural-style", "neural-style-pt"])
def test_under_neural_style_the_loss_is_its_mean_squares(preset: str) -> None:
    """Each of five layers weighs 100; Gram matrices are divided by the number of their features' values."""
    here, content_f, style_f = (features(preset, p) for p in (stylised(), content(), style()))
    expected = {
        "content": 5 * mse(here["relu4_2"], content_f["relu4_2"]),
        "style": sum(100 * mse(reference.gram(here[n]), reference.gram(style_f[n])) for n in FIVE),
    }
    found = ours(preset, style())
    assert {name: found[name] for name in expected} == pytest.approx(expected, rel=ROUNDING)


def test_under_neural_style_the_picture_is_smoothed_as_there() -> None:
    """It has no value for this, only a gradient: 0.001 times differences of pixels from 0 to 256."""
    pixels = array(stylised()[0]) * 256
    expected = np.zeros_like(pixels)
    across = pixels[:, :-1, :-1] - pixels[:, :-1, 1:]
    down = pixels[:, :-1, :-1] - pixels[:, 1:, :-1]
    expected[:, :-1, :-1] += across + down
    expected[:, :-1, 1:] -= across
    expected[:, 1:, :-1] -= down
    image = stylised().requires_grad_()
    preset = PRESETS["neural-style"]
    (preset["tv_weight"] * VARIATIONS[preset["tv_form"]](image)).sum().backward()
    assert image.grad is not None
    np.testing.assert_allclose(array(image.grad[0]), 1e-3 * expected * 256, rtol=1e-12, atol=1e-9)


def test_under_neural_style_pt_the_picture_is_smoothed_as_there() -> None:
    pixels = array(stylised()[0]) * 255
    expected = 1e-3 * (np.abs(np.diff(pixels, axis=1)).sum() + np.abs(np.diff(pixels, axis=2)).sum())
    assert ours("neural-style-pt", style())["tv"] == pytest.approx(float(expected), rel=1e-12)


def test_under_style_transfer_pytorch_the_loss_is_its_own() -> None:
    here, content_f, style_f = (
        features("style-transfer-pytorch", p) for p in (stylised(), content(), style())
    )
    shares = dict(zip(FIVE, np.array([256, 64, 16, 4, 1]) / 341, strict=True))

    def style_loss(ridge: float, relative: bool) -> float:
        apart = (gaussian_distance(here[n], style_f[n], ridge=ridge, relative=relative) for n in FIVE)
        return sum(float(shares[n]) * distance for n, distance in zip(FIVE, apart, strict=True))

    found = ours("style-transfer-pytorch", style())
    assert found["content"] == pytest.approx(0.015 * mse(here["relu4_2"], content_f["relu4_2"]), rel=ROUNDING)
    assert found["tv"] == pytest.approx(2 * nine_points(array(stylised()[0])), rel=1e-12)
    assert found["style"] == pytest.approx(style_loss(RIDGE, relative=True), rel=ROUNDING)
    # Its own addition to both covariances is 1e-4 whatever they are, which the narrow network feels.
    assert found["style"] == pytest.approx(style_loss(1e-4, relative=False), rel=0.02)


def gaussian_distance(f_chw: Array, target_chw: Array, *, ridge: float, relative: bool) -> float:
    """Means of squares over the features: of the difference of means, and of what covariances add."""
    (mean, cov), (target_mean, target_cov) = (
        (f.mean((1, 2)), np.cov(f.reshape(f.shape[0], -1), bias=True)) for f in (f_chw, target_chw)
    )
    added = ridge * (np.trace(target_cov) / len(cov) if relative else 1) * np.eye(len(cov))
    cov, target_cov = cov + added, target_cov + added
    root = scipy.linalg.sqrtm(target_cov)
    both = cov + target_cov - 2 * scipy.linalg.sqrtm(root @ cov @ root)
    return float(np.mean((mean - target_mean) ** 2) + np.mean(np.diag(both)).real)


def nine_points(image_chw: Array) -> float:
    """Twice the sum of a third of both straight means and a twelfth of both slanting ones."""
    wide = np.pad(image_chw, ((0, 0), (1, 1), (1, 1)), mode="edge")
    rows, columns = image_chw.shape[1:]
    straight = slanting = 0.0
    for c in range(3):
        for y in range(rows):
            for x in range(columns):
                here = wide[c, y + 1, x + 1]
                straight += (wide[c, y + 1, x + 2] - here) ** 2 + (wide[c, y + 2, x + 1] - here) ** 2
        for y in range(rows + 1):
            for x in range(columns + 1):
                slanting += (wide[c, y + 1, x + 1] - wide[c, y, x]) ** 2
                slanting += (wide[c, y + 1, x] - wide[c, y, x + 1]) ** 2
    return float(2 * (straight / (3 * rows * columns) / 3 + slanting / (3 * (rows + 1) * (columns + 1)) / 12))


def test_under_pytorch_tutorial_the_loss_is_its_mean_squares() -> None:
    here, content_f, style_f = (features("pytorch-tutorial", p) for p in (stylised(), content(), style()))
    layers = ("relu1_1", "relu1_2", "relu2_1", "relu2_2", "relu3_1")
    expected = {
        "content": mse(here["relu2_2"], content_f["relu2_2"]),
        "style": 1e6 * sum(mse(reference.gram(here[n]), reference.gram(style_f[n])) for n in layers),
    }
    assert ours("pytorch-tutorial", style()) == pytest.approx(expected, rel=ROUNDING)


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_is_a_set_of_settings_that_are_accepted(preset: str) -> None:
    settings = StyleSettings(**laid_out({"preset": preset}))
    for key, value in PRESETS[preset].items():
        assert key == "recipe" or getattr(settings, key) == value


@pytest.mark.parametrize("form", VARIATIONS)
def test_every_form_of_variation_sees_a_rough_picture_and_none_a_flat_one(form: str) -> None:
    flat = torch.full((2, 3, 5, 7), 0.3, dtype=torch.float64)
    rough = flat.clone()
    rough[1, :, 2, 3] += 0.1
    assert VARIATIONS[form](flat).tolist() == [0, 0]
    smooth, edge = VARIATIONS[form](rough).tolist()
    assert smooth == 0 < edge
