"""Winograd's filtering against the convolution that it stands for."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import pytest
import torch
from torch import Tensor

from stylize_core.networks import minimal_filtering, winograd
from stylize_core.networks.winograd import Winograd

SIZES = [(1, 1), (2, 6), (3, 7), (6, 12), (13, 18), (32, 31)]
# Of float32, as many times as coarse as the plain way: tiles of 6x6 results go through powers of 2.
ROUNDING = {torch.float64: 2e-14, torch.float32: 5e-6}


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
@pytest.mark.parametrize("dtype", ROUNDING, ids=str)
def test_it_is_the_convolution_up_to_rounding(size: tuple[int, int], dtype: torch.dtype) -> None:
    weight, bias = kernel()
    given = features(2, 7, *size)
    found = Winograd(weight, bias, dtype=dtype)(given.to(dtype))
    assert found.shape == (2, 5, *size)
    assert found.dtype == dtype
    assert distance(found, plain(given, weight, bias)) < ROUNDING[dtype]


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("dtype", ROUNDING, ids=str)
def test_turned_it_carries_gradients_back(size: tuple[int, int], dtype: torch.dtype) -> None:
    weight, bias = kernel()
    gradient = features(2, 5, *size)
    there = Winograd(weight, bias, dtype=dtype)
    expected = torch.nn.functional.conv_transpose2d(gradient, weight, padding=1)
    assert distance(there.turned()(gradient.to(dtype)), expected) < ROUNDING[dtype]


def test_there_and_back_take_the_memory_of_one_kernel() -> None:
    there = Winograd(*kernel(), dtype=torch.float32)
    assert there.turned()._kernels.data_ptr() == there._kernels.data_ptr()


def test_turned_in_bfloat16_it_rounds_as_coarsely_as_there() -> None:
    weight, _ = kernel(64, 64)
    given = features(1, 64, 32, 48).bfloat16()
    there = Winograd(weight, None, dtype=torch.bfloat16)
    back = torch.nn.functional.conv_transpose2d(given.double(), weight, padding=1)
    assert distance(there.turned()(given), back) < 1.2 * distance(there(given), plain(given.double(), weight))


def test_so_it_is_with_as_many_channels_as_networks_have() -> None:
    weight, bias = kernel(256, 256)
    given = features(1, 256, 20, 24)
    found = Winograd(weight, bias, dtype=torch.float32)(given.float())
    assert distance(found, plain(given, weight, bias)) < ROUNDING[torch.float32]


def test_without_a_bias_nothing_is_added() -> None:
    weight, _ = kernel()
    given = features(1, 7, 9, 9)
    found = Winograd(weight, None, dtype=torch.float64)(given)
    assert distance(found, plain(given, weight)) < ROUNDING[torch.float64]


def test_in_bfloat16_it_rounds_at_most_seven_times_as_coarsely_as_the_plain_way() -> None:
    weight, _ = kernel(64, 64)
    given = features(1, 64, 32, 48).bfloat16()
    exact = plain(given.double(), weight)
    rounded = distance(plain(given, weight.bfloat16()), exact)
    assert rounded < distance(Winograd(weight, None, dtype=torch.bfloat16)(given), exact) < 7 * rounded


def by_points(monkeypatch: pytest.MonkeyPatch, tile: int, *beside: Fraction) -> None:
    """Filter by other points from now on."""
    monkeypatch.setitem(minimal_filtering.BESIDE, tile, beside)
    minimal_filtering.minimal_filtering.cache_clear()


@pytest.fixture
def usual_points_again() -> Iterator[None]:
    yield
    minimal_filtering.minimal_filtering.cache_clear()


@pytest.mark.usefixtures("usual_points_again")
def test_in_bfloat16_its_points_round_half_as_coarsely_as_the_usual_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """0, ±1, ±2 and infinity are usual, and no inverses of each other, so only the way there has them."""
    weight, _ = kernel(64, 64)
    given = features(1, 64, 32, 48).bfloat16()
    exact = plain(given.double(), weight)
    ours = distance(Winograd(weight, None, dtype=torch.bfloat16)(given), exact)
    monkeypatch.setattr(minimal_filtering, "_inverse", lambda point: point)
    monkeypatch.setattr(minimal_filtering, "_points", lambda _: [*map(Fraction, (0, 1, -1, 2, -2)), None])
    minimal_filtering.minimal_filtering.cache_clear()
    assert ours < 0.5 * distance(Winograd(weight, None, dtype=torch.bfloat16)(given), exact)


@pytest.mark.usefixtures("usual_points_again")
@pytest.mark.parametrize(("tile", "dtype"), [(4, torch.bfloat16), (6, torch.float32)], ids=str)
def test_points_a_twentieth_further_on_round_no_finer(
    tile: int, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    weight, _ = kernel(64, 64)
    given = features(1, 64, 48, 48).to(dtype)
    exact = plain(given.double(), weight)
    *usual, last = minimal_filtering.BESIDE[tile]
    ours = distance(Winograd(weight, None, dtype=dtype)(given), exact)
    for other in (last - Fraction(1, 20), last + Fraction(1, 20)):
        by_points(monkeypatch, tile, *usual, other)
        assert ours < 1.001 * distance(Winograd(weight, None, dtype=dtype)(given), exact)


@pytest.mark.parametrize("tiles_at_once", [1, 12])
def test_strips_change_nothing(tiles_at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the four rows of four tiles one at a time, and three; the last strip is a shorter one."""
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
