"""Minimal filtering against the sums that it stands for, and a kernel's values against those of it turned."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from stylize_core.networks.minimal_filtering import BESIDE, MinimalFiltering, minimal_filtering


def numbers(count: int, seed: int) -> Tensor:
    return torch.randn(count, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def filtered(by: MinimalFiltering, taps: Tensor, features: Tensor) -> Tensor:
    return by.results @ ((by.kernel @ taps) * (by.features @ features))


def plain(taps: Tensor, features: Tensor) -> Tensor:
    return features.unfold(0, len(taps), 1) @ taps


@pytest.mark.parametrize("results", BESIDE)
def test_it_makes_so_many_results_of_three_taps_with_two_products_more(results: int) -> None:
    taps, features = numbers(3, 1), numbers(results + 2, 2)
    by = minimal_filtering(results)
    assert by.kernel.shape == (results + 2, 3)
    torch.testing.assert_close(filtered(by, taps, features), plain(taps, features), rtol=0, atol=1e-13)


@pytest.mark.parametrize("results", BESIDE)
def test_turned_it_makes_those_of_the_taps_in_the_other_order_from_the_same_values(results: int) -> None:
    taps, features = numbers(3, 3), numbers(results + 2, 4)
    by = minimal_filtering(results)
    assert torch.equal(by.turned().kernel, by.kernel)
    found = filtered(by.turned(), taps, features)
    torch.testing.assert_close(found, plain(taps.flip(0), features), rtol=0, atol=1e-13)


@pytest.mark.parametrize("results", BESIDE)
def test_a_kernel_turned_round_has_at_a_point_what_it_had_at_the_inverse(results: int) -> None:
    taps, by = numbers(3, 5), minimal_filtering(results)
    torch.testing.assert_close(by.kernel @ taps.flip(0), (by.kernel @ taps)[list(by.turned_places)])


@pytest.mark.parametrize("results", BESIDE)
def test_turned_twice_it_is_itself(results: int) -> None:
    by = minimal_filtering(results)
    twice = by.turned().turned()
    assert torch.equal(twice.features, by.features)
    assert torch.equal(twice.results, by.results)
