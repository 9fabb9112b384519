"""Each way to compute a convolution gives the same results, and each is taken where it should be."""

from __future__ import annotations

import pytest
import torch
from test_winograd import distance, features, kernel, plain

from stylize_core.networks.convolution import Direct, Filter, Nnpack, convolution, has_nnpack, memory_format
from stylize_core.networks.winograd import Winograd

WIDE, NARROW = 128, 64
PLANES, PLACES = torch.contiguous_format, torch.channels_last

needs_nnpack = pytest.mark.skipif(not has_nnpack(), reason="this build or processor has no NNPACK")


def chosen(channels: int, *, dtype: torch.dtype, order: torch.memory_format, padding: int = 1) -> Filter:
    weight, bias = kernel(channels, channels)
    return convolution(weight, bias, padding=padding, order=order, device="cpu", dtype=dtype)


@needs_nnpack
def test_nnpack_is_the_convolution_up_to_rounding() -> None:
    weight, bias = kernel(WIDE, NARROW)
    given = features(2, NARROW, 21, 34)
    assert distance(Nnpack(weight, bias)(given.float()), plain(given, weight, bias)) < 2e-5
    assert distance(Nnpack(weight, None)(given.float()), plain(given, weight)) < 2e-5


@needs_nnpack
def test_nnpack_takes_features_in_any_order_of_memory_and_a_batch_is_its_pictures() -> None:
    weight, bias = kernel(32, 32)
    given = features(2, 32, 16, 16).float()
    filtered = Nnpack(weight, bias)
    side_by_side = given.contiguous(memory_format=PLACES)
    assert torch.equal(filtered(given), filtered(side_by_side))
    assert torch.equal(filtered(given), torch.cat([filtered(row[None]) for row in given]))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("padding", [0, 1, 2])
def test_the_plain_way_is_the_convolution(dtype: torch.dtype, padding: int) -> None:
    weight, bias = kernel(8, 8)
    given = features(1, 8, 9, 10)
    found = Direct(weight, bias, padding=padding, device="cpu", dtype=dtype)(given.to(dtype))
    expected = torch.nn.functional.conv2d(given, weight, bias, padding=padding)
    assert distance(found, expected) < {torch.float64: 1e-14, torch.float32: 1e-6}.get(dtype, 0.01)


def test_wide_bfloat16_convolutions_go_winograds_way_and_narrow_ones_the_plain_way() -> None:
    assert isinstance(chosen(WIDE, dtype=torch.bfloat16, order=PLACES), Winograd)
    assert isinstance(chosen(NARROW, dtype=torch.bfloat16, order=PLACES), Direct)
    assert isinstance(chosen(WIDE, dtype=torch.float32, order=PLACES), Direct)
    assert isinstance(chosen(WIDE, dtype=torch.bfloat16, order=PLACES, padding=0), Direct)


@needs_nnpack
def test_wide_float32_networks_keep_planes_for_nnpack_and_others_do_not() -> None:
    assert isinstance(chosen(NARROW, dtype=torch.float32, order=PLANES), Nnpack)
    assert isinstance(chosen(NARROW, dtype=torch.float32, order=PLANES, padding=0), Direct)
    assert memory_format(WIDE, device="cpu", dtype=torch.float32) == PLANES
    assert memory_format(NARROW, device="cpu", dtype=torch.float32) == PLACES
    assert memory_format(WIDE, device="cpu", dtype=torch.float64) == PLACES
    assert memory_format(WIDE, device="cpu", dtype=torch.bfloat16) == PLACES
    assert memory_format(WIDE, device="cuda", dtype=torch.float32) == PLACES
