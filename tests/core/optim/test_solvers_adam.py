"""Adam against torch.optim.Adam, step by step, and what it does where values are not finite."""

from __future__ import annotations

import pytest
import torch
from test_solvers import evaluated, rosenbrock, starts
from torch import Tensor

from stylize_core.optim.base import NONFINITE_TRIALS
from stylize_core.optim.first_order import Adam

NAN = torch.tensor([float("nan")], dtype=torch.float64)


def _told_one(solver: Adam, loss: float, gradient: Tensor) -> None:
    solver.tell(torch.tensor([loss], dtype=torch.float64), gradient)


@pytest.mark.parametrize(
    ("dtype", "rate", "tolerance"),
    [(torch.float32, 0.02, 1e-6), (torch.float32, 0.5, 5e-6), (torch.float64, 0.5, 1e-12)],
)
def test_every_step_is_that_of_torch(dtype: torch.dtype, rate: float, tolerance: float) -> None:
    start = starts(3, 7).to(dtype)
    solver = Adam(start, learning_rate=rate)
    theirs = start.clone().requires_grad_()
    optimizer = torch.optim.Adam([theirs], lr=rate)
    for _ in range(60):
        loss, gradient = evaluated(rosenbrock, solver.trial)
        theirs.grad = gradient
        optimizer.step()
        solver.tell(loss, gradient)
        torch.testing.assert_close(solver.trial, theirs.detach(), rtol=0, atol=tolerance)


def test_the_best_point_is_kept_and_not_the_last() -> None:
    start = starts(2, 4)
    solver = Adam(start, learning_rate=0.5)
    seen = []
    for _ in range(40):
        loss, gradient = evaluated(rosenbrock, solver.trial)
        seen.append(loss)
        solver.tell(loss, gradient)
        assert torch.equal(rosenbrock(solver.best), solver.best_loss)
    losses = torch.stack(seen)
    assert torch.equal(solver.best_loss, losses.amin(0))
    assert bool((losses[-1] > losses.amin(0)).any()), "the last point was the best, so nothing was shown"
    assert solver.accepted.tolist() == [40, 40]
    assert not bool((solver.stalled | solver.broken).any())


def test_after_a_value_that_is_not_finite_it_goes_back_with_half_the_rate_and_no_memory() -> None:
    start = starts(1, 4)
    gradient = torch.tensor([[1.0, -2.0, 3.0, -4.0]], dtype=torch.float64)
    solver = Adam(start, learning_rate=0.1)
    _told_one(solver, 5.0, gradient)
    _told_one(solver, 6.0, 7 * gradient)
    solver.tell(NAN, gradient)
    assert torch.equal(solver.trial, start)
    _told_one(solver, 5.0, gradient)
    torch.testing.assert_close(solver.trial, start - 0.05 * gradient.sign())
    assert solver.accepted.tolist() == [3]


def test_a_gradient_that_is_not_finite_counts_like_a_loss() -> None:
    start = starts(1, 4)
    solver = Adam(start, learning_rate=0.1)
    _told_one(solver, -1.0, torch.full_like(start, torch.inf))
    assert torch.equal(solver.best_loss, torch.tensor([torch.inf], dtype=torch.float64))
    assert torch.equal(solver.trial, start)


def test_a_row_breaks_after_too_many_bad_values_in_a_row_only() -> None:
    start = starts(1, 4)
    solver = Adam(start, learning_rate=0.1)
    for _ in range(3):
        for _ in range(NONFINITE_TRIALS - 1):
            solver.tell(NAN, torch.ones_like(start))
        _told_one(solver, 1.0, torch.ones_like(start))
    assert not bool(solver.broken)
    for _ in range(NONFINITE_TRIALS):
        assert not bool(solver.broken)
        solver.tell(NAN, torch.ones_like(start))
    assert bool(solver.broken)


def test_a_broken_row_keeps_its_best_whatever_comes() -> None:
    start = starts(1, 4)
    solver = Adam(start, learning_rate=0.1)
    _told_one(solver, 2.0, torch.ones_like(start))
    for _ in range(NONFINITE_TRIALS):
        solver.tell(NAN, torch.ones_like(start))
    for _ in range(3):
        _told_one(solver, -7.0, torch.ones_like(start))
    assert bool(solver.broken)
    assert solver.best_loss.tolist() == [2.0]
    assert solver.accepted.tolist() == [1]
    assert torch.equal(solver.best, start)


def test_rows_know_nothing_of_one_another() -> None:
    start = starts(3, 5)
    factors = torch.tensor([1.0, torch.nan, 1e-3], dtype=torch.float64)
    together = Adam(start, learning_rate=0.05)
    alone = [Adam(start[row : row + 1], learning_rate=0.05) for row in range(3)]
    for _ in range(30):
        together.tell(*evaluated(lambda points: factors * rosenbrock(points), together.trial))
        for row, solver in enumerate(alone):
            factor = factors[row]
            solver.tell(*evaluated(lambda points, f=factor: f * rosenbrock(points), solver.trial))  # type: ignore[misc]
    for row, solver in enumerate(alone):
        torch.testing.assert_close(together.best[row], solver.best[0], rtol=1e-12, atol=1e-12)
    assert together.broken.tolist() == [False, True, False]
