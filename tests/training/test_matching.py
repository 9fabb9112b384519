from __future__ import annotations

import pytest
import torch
from torch import Tensor

from training.matching import best_projection, misalignment, moments, spread, unexplained


def features(channels: int, seed: int) -> Tensor:
    return torch.rand(2, channels, 9, 7, generator=torch.Generator().manual_seed(seed)) + 0.1


def test_a_teacher_that_is_a_projection_with_offset_is_explained_in_full() -> None:
    student = features(4, 0)
    teacher = torch.einsum("tc,bchw->bthw", torch.randn(6, 4), student) + 3
    known = moments(student, teacher)
    assert unexplained(known, best_projection(known), spread(known)).item() < 1e-3


def test_a_student_that_knows_nothing_leaves_all_the_variance() -> None:
    known = moments(torch.zeros(2, 4, 9, 7), features(6, 1))
    assert unexplained(known, best_projection(known), spread(known)).item() == pytest.approx(1, abs=1e-3)


def test_the_share_is_the_mean_squared_error_in_units_of_each_channels_spread() -> None:
    student, teacher = features(4, 0), features(6, 1)
    known = moments(student, teacher)
    projection = best_projection(known)
    rows, targets = (f.permute(0, 2, 3, 1).flatten(0, 2) for f in (student, teacher))
    error = projection[0] + rows @ projection[1:] - targets
    expected = (error.square().mean(0) / targets.var(0, unbiased=False)).mean()
    assert unexplained(known, projection, spread(known)).item() == pytest.approx(expected.item(), rel=1e-4)


def test_alignment_ignores_a_rotation_and_a_scale_but_not_a_change_of_balance() -> None:
    student = features(5, 0)
    rotation, _ = torch.linalg.qr(torch.randn(5, 5, generator=torch.Generator().manual_seed(2)))
    rotated = torch.einsum("tc,bchw->bthw", 7 * rotation, student)
    unbalanced = student * torch.tensor([9.0, 1, 1, 1, 1]).view(1, 5, 1, 1)
    assert misalignment(moments(student, rotated)).item() == pytest.approx(0, abs=1e-5)
    assert misalignment(moments(student, unbalanced)).item() > 0.05


def test_moments_add_up() -> None:
    student, teacher = features(4, 0), features(6, 1)
    halves = moments(student[:1], teacher[:1]) + moments(student[1:], teacher[1:])
    whole = moments(student, teacher)
    assert halves.count == whole.count == 2 * 9 * 7
    torch.testing.assert_close(halves.cross, whole.cross)


def test_only_the_chosen_positions_count() -> None:
    student, teacher = features(4, 0), features(6, 1)
    chosen = moments(student, teacher, positions=torch.arange(9 * 7))
    torch.testing.assert_close(chosen.student, moments(student[:1], teacher[:1]).student)


def test_a_dead_channel_of_the_teacher_does_not_rule_the_loss() -> None:
    student, teacher = features(4, 0), features(6, 1)
    teacher[:, 0] = 2.0
    known = moments(student, teacher)
    assert spread(known)[0] > 0
    assert unexplained(known, best_projection(known), spread(known)).item() <= 1
