"""Walking in other coordinates changes the way, not the walker's promises."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from stylize_core.optim.lbfgs import LBFGS
from stylize_core.optim.precondition import Gains, Preconditioned, lbfgs, slanted
from stylize_core.optim.state import keep_rows

SLANTED = Gains(diagonal=1.5)


def planes(height: int = 9, width: int = 7, *, batch: int = 2, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(batch, 3, height, width, generator=generator, dtype=torch.float64)


def matrix(height: int, width: int, gain: float) -> np.ndarray:
    """`slanted` for one plane as NumPy would write it: one matrix for rows, one for columns."""
    bent = [2 * np.eye(side) - np.eye(side, k=2) - np.eye(side, k=-2) for side in (height, width)]
    return np.eye(height * width) + (gain - 1) / 16 * np.kron(bent[0], bent[1])


@pytest.mark.parametrize(("height", "width"), [(9, 7), (1, 5), (2, 2), (3, 1)])
def test_it_is_the_matrix_that_it_says_also_for_the_smallest_pictures(height: int, width: int) -> None:
    image = planes(height, width)
    expected = image.flatten(2).numpy() @ matrix(height, width, 1.5)
    np.testing.assert_allclose(slanted(image, 1.5).flatten(2).numpy(), expected, rtol=1e-12)


def test_the_matrix_is_symmetric_and_its_eigenvalues_lie_between_1_and_the_gain() -> None:
    found = matrix(9, 7, 1.5)
    np.testing.assert_allclose(found, found.T)
    values = np.linalg.eigvalsh(found)
    assert values.min() >= 1 - 1e-12
    assert 1.4 < values.max() <= 1.5


@pytest.mark.parametrize(
    ("x", "y", "factor"), [(0.25, 0.25, 2.0), (0.125, 0.25, 1.5), (0.25, 0.0, 1.0), (0.5, 0.5, 1.0)]
)
def test_waves_are_multiplied_by_what_their_frequencies_say(x: float, y: float, factor: float) -> None:
    row, column = torch.arange(32.0, dtype=torch.float64)[:, None], torch.arange(32.0, dtype=torch.float64)
    wave = torch.cos(2 * math.pi * y * row) * torch.cos(2 * math.pi * x * column)
    made = slanted(wave[None, None], 2.0)[0, 0, 2:-2, 2:-2]
    torch.testing.assert_close(made, factor * wave[2:-2, 2:-2], atol=1e-9, rtol=0)


def test_a_gain_of_1_is_the_plain_solver() -> None:
    assert isinstance(lbfgs(planes(), history=3, gains=Gains()), LBFGS)
    assert isinstance(lbfgs(planes(), history=3, gains=SLANTED), Preconditioned)
    assert isinstance(lbfgs(planes(), history=3, gains=Gains(forms=3.0)), Preconditioned)


def _bowl(points: Tensor) -> tuple[Tensor, Tensor]:
    """A minimum at 0.3 that is steeper in some places than in others."""
    bent = torch.linspace(1, 30, points.shape[1], dtype=points.dtype)
    apart = points - 0.3
    return (bent * apart.square()).sum(1) / 2, bent * apart


def _driven(start: Tensor, steps: int, *, history: int = 5) -> Preconditioned:
    solver = Preconditioned(start, history=history, gains=SLANTED)
    for _ in range(steps):
        solver.tell(*_bowl(solver.trial))
    return solver


def test_the_first_trial_is_the_start_and_the_best_one_reaches_the_minimum() -> None:
    start = planes()
    assert torch.equal(Preconditioned(start, history=5, gains=SLANTED).trial, start.flatten(1))
    solver = _driven(start, 120)
    torch.testing.assert_close(solver.best, torch.full_like(solver.best, 0.3), atol=1e-5, rtol=0)
    torch.testing.assert_close(_bowl(solver.best)[0], solver.best_loss)


def test_the_first_step_goes_down_the_gradient_twice_slanted() -> None:
    start = planes()
    solver = Preconditioned(start, history=5, gains=SLANTED)
    _, gradient = _bowl(solver.trial)
    solver.tell(*_bowl(solver.trial))
    moved = (solver.trial - start.flatten(1)).view(start.shape)
    wanted = slanted(slanted(gradient.view(start.shape), 1.5), 1.5)
    torch.testing.assert_close(moved / moved.norm(), -wanted / wanted.norm())


def test_rows_go_the_same_way_alone_and_after_others_have_left() -> None:
    start = planes(batch=3)
    together, alone = _driven(start, 10), _driven(start[1:2], 10)
    assert torch.equal(together.best[1:2], alone.best)
    keep_rows(together, torch.tensor([1]))
    for solver in (together, alone):
        solver.tell(*_bowl(solver.trial))
    assert torch.equal(together.trial, alone.trial)


def test_asked_anew_it_offers_its_best_pictures_again() -> None:
    solver = _driven(planes(), 7)
    solver.revalue()
    assert torch.equal(solver.trial, solver.best)
