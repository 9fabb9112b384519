"""Each way to compute a convolution gives the same results, and each is taken where it should be."""

from __future__ import annotations

import pytest
import torch
from test_winograd import distance, features, kernel

from stylize_core.networks.convolution import Direct, Filter, convolution
from stylize_core.networks.winograd import Winograd

WIDE, NARROW = 128, 64


def chosen(
    channels: int, dtype: torch.dtype, *, inputs: int = 0, padding: int = 1, device: str = "cpu"
) -> Filter:
    weight, bias = kernel(channels, inputs or channels)
    return convolution(weight, bias, padding=padding, device=device, dtype=dtype)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("padding", [0, 1, 2])
def test_the_plain_way_is_the_convolution(dtype: torch.dtype, padding: int) -> None:
    weight, bias = kernel(8, 8)
    given = features(1, 8, 9, 10)
    found = Direct(weight, bias, padding=padding, device="cpu", dtype=dtype)(given.to(dtype))
    expected = torch.nn.functional.conv2d(given, weight, bias, padding=padding)
    assert distance(found, expected) < {torch.float64: 1e-14, torch.float32: 1e-6}.get(dtype, 0.01)


def test_wide_convolutions_go_winograds_way_and_narrow_ones_the_plain_way() -> None:
    assert isinstance(chosen(WIDE, torch.bfloat16), Winograd)
    assert isinstance(chosen(NARROW, torch.bfloat16), Direct)
    assert isinstance(chosen(WIDE, torch.float32, inputs=NARROW), Winograd)
    assert isinstance(chosen(NARROW, torch.float32), Direct)


def test_winograds_way_is_for_kernels_with_zeros_around_on_cpus_and_not_for_float64() -> None:
    assert isinstance(chosen(WIDE, torch.float32, padding=0), Direct)
    assert isinstance(chosen(WIDE, torch.float32, device="meta"), Direct)
    assert isinstance(chosen(WIDE, torch.float64), Direct)


@pytest.mark.parametrize("padding", [0, 1, 2])
def test_turned_it_carries_gradients_back_the_plain_way(padding: int) -> None:
    weight, bias = kernel(8, 6)
    given = features(2, 6, 9, 10).requires_grad_()
    made = torch.nn.functional.conv2d(given, weight, bias, padding=padding)
    gradient = features(2, 8, *made.shape[2:])
    (expected,) = torch.autograd.grad(made, given, gradient)
    way = Direct(weight, bias, padding=padding, device="cpu", dtype=torch.float64)
    assert distance(way.turned()(gradient), expected) < 1e-14


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_both_ways_keep_all_channels_of_a_place_side_by_side(dtype: torch.dtype) -> None:
    given = features(2, WIDE, 9, 10).to(dtype).contiguous(memory_format=torch.channels_last)
    weight, bias = kernel(WIDE, WIDE)
    for way in (
        Winograd(weight, bias, dtype=dtype),
        Direct(weight, bias, padding=1, device="cpu", dtype=dtype),
    ):
        for there_or_back in (way, way.turned()):
            assert there_or_back(given).is_contiguous(memory_format=torch.channels_last)
