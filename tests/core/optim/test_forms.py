"""Along large forms a solver goes farther: by a symmetric matrix that leaves alone what is fine."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.interpolate import BSpline
from test_precondition import planes

from benchmarks.pictures import benchmark_settings, picture
from stylize_core.networks.encoder import Encoder
from stylize_core.networks.weights import builtin_weights
from stylize_core.optim.forms import KNOTS_PX, raise_forms_
from stylize_core.optim.precondition import Gains, Preconditioned
from stylize_core.transfer import stylize

SHAPES = [(9, 7), (1, 5), (1, 1), (25, 40), (11, 21)]


def splines(side: int) -> np.ndarray:
    """The cubic splines by SciPy, one in a column, those whose middle is a step beyond the edge included."""
    one, places = BSpline.basis_element(np.arange(-2, 3)), np.arange(side) / KNOTS_PX
    middles = range(-1, math.ceil((side - 1) / KNOTS_PX) + 2)
    found = np.stack([np.where(abs(places - j) < 2, one(places - j), 0.0) for j in middles], 1)
    np.testing.assert_allclose(found.sum(1), 1)
    return np.asarray(found / np.sqrt(found.sum(0).max()))


def matrix(height: int, width: int, gain: float) -> np.ndarray:
    """`raise_forms_` for one plane as NumPy would write it."""
    down, across = (splines(side) @ splines(side).T for side in (height, width))
    return np.eye(height * width) + (gain - 1) * np.kron(down, across)


@pytest.mark.parametrize(("height", "width"), SHAPES)
def test_it_is_the_matrix_that_it_says_also_for_the_smallest_pictures(height: int, width: int) -> None:
    image = planes(height, width)
    expected = image.flatten(2).numpy() @ matrix(height, width, 3.0)
    np.testing.assert_allclose(raise_forms_(image, 3.0).flatten(2).numpy(), expected, rtol=1e-12)


@pytest.mark.parametrize(("height", "width"), SHAPES)
def test_the_matrix_is_symmetric_and_its_eigenvalues_lie_between_1_and_the_gain(
    height: int, width: int
) -> None:
    places = height * width
    every = torch.eye(places, dtype=torch.float64).view(places, 1, height, width)
    found = raise_forms_(every, 3.0).view(places, places).numpy()
    np.testing.assert_allclose(found, found.T, atol=1e-15)
    values = np.linalg.eigvalsh(found)
    assert values.min() >= 1 - 1e-12
    assert values.max() <= 3 + 1e-12


@pytest.mark.parametrize(
    ("x", "y"), [(0, 0), (1 / 80, 0), (1 / 43, 0), (1 / 80, 1 / 40), (0, 1 / 16), (1 / 4, 1 / 4)]
)
def test_waves_are_multiplied_by_what_their_frequencies_say(x: float, y: float) -> None:
    row, column = torch.arange(240.0, dtype=torch.float64)[:, None], torch.arange(240.0, dtype=torch.float64)
    wave = torch.cos(2 * math.pi * y * row) * torch.cos(2 * math.pi * x * column)
    made = raise_forms_(wave[None, None].clone(), 3.0)[0, 0, 40:-40, 40:-40]
    expected = 1 + 2 * float(np.sinc(KNOTS_PX * x) ** 8 * np.sinc(KNOTS_PX * y) ** 8)
    torch.testing.assert_close(made, expected * wave[40:-40, 40:-40], atol=0.03 * 2, rtol=0)


def test_rows_are_as_if_alone() -> None:
    together = raise_forms_(planes(37, 52, batch=5).float(), 3.0)
    for row, alone in zip(together, planes(37, 52, batch=5).float(), strict=True):
        assert torch.equal(row, raise_forms_(alone[None].clone(), 3.0)[0])


def test_gradients_go_back_by_the_transposed_matrix_of_both_gains() -> None:
    gains, change, gradient = Gains(1.5, 3.0), planes(23, 31), planes(23, 31, seed=1)
    forth = gains.show_(change.clone())
    back = gains.pull_back_(gradient.clone())
    torch.testing.assert_close((forth * gradient).sum(), (change * back).sum(), rtol=1e-12, atol=0)


def test_the_first_step_goes_down_the_gradient_there_and_back() -> None:
    start, gains = planes(23, 31), Gains(1.5, 3.0)
    solver = Preconditioned(start, history=5, gains=gains)
    gradient = planes(23, 31, seed=1)
    solver.tell(torch.ones(2, dtype=torch.float64), gradient.flatten(1).clone())
    moved = (solver.trial - start.flatten(1)).view(start.shape)
    wanted = gains.show_(gains.pull_back_(gradient))
    for row, way in zip(moved, wanted, strict=True):
        torch.testing.assert_close(row / row.norm(), -way / way.norm())


def test_as_many_steps_come_closer() -> None:
    """What it is for."""
    content, style = picture("contents/town", 256), picture("styles/flow", 256)

    def reached(gain: float) -> float:
        settings = benchmark_settings(size=256, steps=40, scales=1, precision="fp32", forms_gain=gain)
        encoder = Encoder(builtin_weights(), layers=settings.layers)
        return stylize(content, style, settings=settings, encoder=encoder).reports[0].best_loss

    assert reached(2.0) < 0.95 * reached(1.0)
