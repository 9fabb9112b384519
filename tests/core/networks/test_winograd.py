"""Winograd's filtering against the convolution that it stands for."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from stylize_core.networks import winograd
from stylize_core.networks.winograd import Winograd

SIZES = [(1, 1), (2, 4), (3, 5), (13, 18), (32, 31)]


def kernel(outputs: int = 5, inputs: int = 7) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    weight = torch.randn(outputs, inputs, 3, 3, generator=generator, dtype=torch.float64)
    return weight / (3 * inputs**0.5), torch.randn(outputs, generator=generator, dtype=torch.float64)


def features(batch: int, channels: int, height: int, width: int) -> Tensor:
    generator = torch.Generator().manual_seed(2)
    return torch.randn(batch, channels, height, width, generator=generator, dtype=torch.float64)


def plain(given: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    return torch.nn.functional.conv2d(given, weight, bias, padding=1)


def distance(found: Tensor, expected: Tensor) -> float:
    return float((found.double() - expected).norm() / expected.norm())


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize(("dtype", "rounding"), [(torch.float64, 1e-14), (torch.float32, 2e-6)], ids=str)
def test_it_is_the_convolution_up_to_rounding(
    size: tuple[int, int], dtype: torch.dtype, rounding: float
) -> None:
    weight, bias = kernel()
    given = features(2, 7, *size)
    found = Winograd(weight, bias, dtype=dtype)(given.to(dtype))
    assert found.shape == (2, 5, *size)
    assert found.dtype == dtype
    assert distance(found, plain(given, weight, bias)) < rounding


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize(("dtype", "rounding"), [(torch.float64, 1e-14), (torch.float32, 2e-6)], ids=str)
def test_turned_it_carries_gradients_back(size: tuple[int, int], dtype: torch.dtype, rounding: float) -> None:
    weight, bias = kernel()
    gradient = features(2, 5, *size)
    back = Winograd(weight, bias, dtype=dtype).turned()
    expected = torch.nn.functional.conv_transpose2d(gradient, weight, padding=1)
    assert distance(back(gradient.to(dtype)), expected) < rounding


def test_there_and_back_take_the_memory_of_one_kernel() -> None:
    there = Winograd(*kernel(), dtype=torch.float32)
    assert there.turned()._kernels.data_ptr() == there._kernels.data_ptr()


def test_so_it_is_with_as_many_channels_as_networks_have() -> None:
    weight, bias = kernel(256, 256)
    given = features(1, 256, 20, 24)
    assert (
        distance(Winograd(weight, bias, dtype=torch.float32)(given.float()), plain(given, weight, bias))
        < 2e-6
    )


def test_without_a_bias_nothing_is_added() -> None:
    weight, _ = kernel()
    given = features(1, 7, 9, 9)
    assert distance(Winograd(weight, None, dtype=torch.float64)(given), plain(given, weight)) < 1e-14


def test_in_bfloat16_it_rounds_at_most_seven_times_as_coarsely_as_the_plain_way() -> None:
    weight, _ = kernel(64, 64)
    given = features(1, 64, 32, 48).bfloat16()
    exact = plain(given.double(), weight)
    rounded = distance(plain(given, weight.bfloat16()), exact)
    assert rounded < distance(Winograd(weight, None, dtype=torch.bfloat16)(given), exact) < 7 * rounded


def test_turned_in_bfloat16_it_rounds_at_most_seven_times_as_coarsely_as_the_plain_way() -> None:
    weight, _ = kernel(64, 64)
    given = features(1, 64, 32, 48).bfloat16()
    exact = torch.nn.functional.conv_transpose2d(given.double(), weight, padding=1)
    rounded = distance(torch.nn.functional.conv_transpose2d(given, weight.bfloat16(), padding=1), exact)
    assert (
        rounded < distance(Winograd(weight, None, dtype=torch.bfloat16).turned()(given), exact) < 7 * rounded
    )


def rounding_by(near: float, far: float, monkeypatch: pytest.MonkeyPatch) -> float:
    """How coarsely bfloat16 rounds by these points."""
    weight, _ = kernel(64, 64)
    given = features(1, 64, 32, 48).bfloat16()
    with monkeypatch.context() as changed:
        changed.setattr(winograd, "POINTS", (0.0, near, -near, -far, far))
        found = Winograd(weight, None, dtype=torch.bfloat16)(given)
    return distance(found, plain(given.double(), weight))


def test_its_points_round_half_as_coarsely_as_the_usual_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    ours = rounding_by(winograd.NEAR, winograd.FAR, monkeypatch)
    assert ours < 0.5 * rounding_by(1.0, 2.0, monkeypatch)


@pytest.mark.parametrize("near", [winograd.NEAR - 0.05, winograd.NEAR + 0.05])
def test_points_beside_its_own_round_more_coarsely(near: float, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = rounding_by(winograd.NEAR, winograd.FAR, monkeypatch)
    assert ours < rounding_by(near, 1 / near, monkeypatch)


@pytest.mark.parametrize("tiles_at_once", [1, 20])
def test_strips_change_nothing(tiles_at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the six rows of five tiles one at a time, and four; the last strip is a shorter one."""
    weight, bias = kernel()
    given = features(1, 7, 23, 19)
    whole = Winograd(weight, bias, dtype=torch.float64)(given)
    monkeypatch.setattr(winograd, "TILES_AT_ONCE", tiles_at_once)
    assert distance(Winograd(weight, bias, dtype=torch.float64)(given), whole) < 1e-15


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_a_batch_is_bit_for_bit_its_pictures(dtype: torch.dtype) -> None:
    weight, bias = kernel(16, 16)
    given = features(3, 16, 20, 24).to(dtype)
    filtered = Winograd(weight, bias, dtype=dtype)
    assert torch.equal(filtered(given), torch.cat([filtered(row[None]) for row in given]))


def test_features_are_left_as_they_were() -> None:
    weight, bias = kernel()
    given = features(1, 7, 8, 8)
    before = given.clone()
    Winograd(weight, bias, dtype=torch.float64)(given)
    assert torch.equal(given, before)


def test_what_is_not_finite_stays_visible() -> None:
    weight, bias = kernel()
    given = features(1, 7, 8, 8)
    given[0, 3, 4, 4] = torch.nan
    assert Winograd(weight, bias, dtype=torch.float64)(given).isnan().any()
