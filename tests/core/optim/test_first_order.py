"""Plain gradient descent against its own formula, averages against NumPy, and both inside whole transfers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from reference import array
from small_networks import speckles, tiny_encoder, waves
from test_solvers import evaluated, quadratic, rosenbrock, scaled, starts
from torch import Tensor

from stylize_core.errors import SettingsError
from stylize_core.optim.base import NONFINITE_TRIALS
from stylize_core.optim.first_order import RUNAWAY, Adam, Averaged, GradientDescent
from stylize_core.settings.style import StyleSettings
from stylize_core.transfer import Stylized, stylize

NAN = torch.tensor([float("nan")], dtype=torch.float64)
SIZE = 4


def ones(rows: int = 1) -> Tensor:
    return torch.ones(rows, SIZE, dtype=torch.float64)


def told(solver: GradientDescent | Averaged, *losses: float, gradient: Tensor | None = None) -> None:
    for loss in losses:
        solver.tell(torch.tensor([loss], dtype=torch.float64), ones() if gradient is None else gradient)


def test_every_step_goes_down_the_gradient_at_the_same_rate() -> None:
    function = quadratic(10, size=SIZE)
    point, rate = starts(3, SIZE), 0.05
    solver = GradientDescent(point, learning_rate=rate)
    for _ in range(50):
        loss, gradient = evaluated(function, point)
        solver.tell(loss, gradient)
        point = point - rate * gradient
        torch.testing.assert_close(solver.trial, point, rtol=0, atol=1e-12)
    assert solver.accepted.tolist() == [50] * 3
    assert not bool((solver.stalled | solver.broken).any())


def test_the_best_point_is_kept_when_the_rate_is_too_high() -> None:
    function = quadratic(10, size=SIZE)
    start = starts(2, SIZE)
    solver = GradientDescent(start, learning_rate=0.21)  # beyond 2 / 10, so it swings out slowly
    losses = []
    for _ in range(30):
        loss, gradient = evaluated(function, solver.trial)
        losses.append(loss)
        solver.tell(loss, gradient)
    assert torch.equal(solver.best_loss, torch.stack(losses).amin(0))
    assert torch.equal(function(solver.best), solver.best_loss)
    assert bool((losses[-1] > solver.best_loss).any())


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), RUNAWAY * 5.0 + 1])
def test_after_a_value_that_leads_nowhere_it_goes_back_with_half_the_rate(bad: float) -> None:
    solver = GradientDescent(ones(), learning_rate=0.5)
    told(solver, 5.0)
    told(solver, bad)
    assert torch.equal(solver.trial, ones())
    told(solver, 5.0)
    assert torch.equal(solver.trial, 0.75 * ones())


def test_a_gradient_that_is_not_finite_counts_like_a_loss() -> None:
    solver = GradientDescent(ones(), learning_rate=0.5)
    told(solver, 5.0, gradient=torch.inf * ones())
    assert torch.equal(solver.trial, ones())
    assert solver.accepted.tolist() == [0]


def test_a_row_breaks_after_too_many_bad_values_in_a_row_and_then_keeps_its_best() -> None:
    solver = GradientDescent(ones(), learning_rate=0.5)
    told(solver, 5.0, *[float("nan")] * (NONFINITE_TRIALS - 1), 4.0)
    assert not bool(solver.broken)
    told(solver, *[float("nan")] * NONFINITE_TRIALS, 1.0)
    assert bool(solver.broken)
    assert solver.best_loss.tolist() == [4.0]


def test_a_rate_far_too_high_still_gets_down() -> None:
    start = starts(1, 10)
    function = scaled(rosenbrock, start)
    solver = GradientDescent(start, learning_rate=1.0)
    for _ in range(300):
        solver.tell(*evaluated(function, solver.trial))
    assert float(function(solver.best)) < float(function(start)) / 10


@pytest.mark.parametrize("averaged", [False, True])
def test_rows_know_nothing_of_one_another(averaged: bool) -> None:
    def solver(rows: Tensor) -> GradientDescent | Averaged:
        plain = GradientDescent(rows, learning_rate=1e-4)
        return Averaged(plain, decay=0.9) if averaged else plain

    start = starts(3, 5)
    factors = torch.tensor([1.0, torch.nan, 1e-3], dtype=torch.float64)
    together, alone = solver(start), [solver(start[row : row + 1]) for row in range(3)]
    for _ in range(30):
        together.tell(*evaluated(lambda points: factors * rosenbrock(points), together.trial))
        for one, factor in zip(alone, factors, strict=True):
            loss, gradient = evaluated(rosenbrock, one.trial)
            one.tell(factor * loss, factor * gradient)
    for row, one in enumerate(alone):
        torch.testing.assert_close(together.best[row], one.best[0], rtol=1e-12, atol=1e-12)
    assert together.broken.tolist() == [False, True, False]


@pytest.mark.parametrize("decay", [0.1, 0.9, 0.999])
def test_the_average_is_that_of_numpy(decay: float) -> None:
    solver = Averaged(Adam(starts(2, SIZE), learning_rate=0.1), decay=decay)
    trials = []
    for _ in range(20):
        trials.append(array(solver.trial))
        solver.tell(*evaluated(rosenbrock, solver.trial))
        weights = decay ** np.arange(len(trials))[::-1]
        expected = np.average(trials, axis=0, weights=weights)
        np.testing.assert_allclose(array(solver.best), expected, rtol=1e-10)


def test_a_refused_trial_has_no_part_in_the_average() -> None:
    solver = Averaged(GradientDescent(ones(), learning_rate=0.5), decay=0.9)
    told(solver, 5.0)
    solver.tell(NAN, ones())
    assert torch.equal(solver.best, ones())
    assert solver.accepted.tolist() == [1]
    assert torch.equal(solver.best_loss, torch.tensor([5.0], dtype=torch.float64))


def test_where_gradients_are_noisy_the_average_is_nearer_to_the_minimum_than_the_last_point() -> None:
    rng = np.random.default_rng(0)
    function = quadratic(10, size=30)
    plain = Adam(starts(1, 30), learning_rate=0.05)
    solver = Averaged(plain, decay=0.98)
    for _ in range(600):
        loss, gradient = evaluated(function, solver.trial)
        solver.tell(loss, gradient + torch.tensor(rng.normal(0, 3, gradient.shape)))
    assert float(function(solver.best)) < float(function(plain.trial)) / 2


def made(rows: int = 2, **settings: Any) -> Stylized:
    chosen = StyleSettings(**{"steps": 30, **settings})
    contents, styles = torch.cat([waves(0.3), speckles(1)]), torch.cat([waves(1.7, finer=4), waves(0.9)])
    return stylize(contents[:rows], styles[:rows], settings=chosen, encoder=tiny_encoder(chosen))


@pytest.mark.parametrize("loss", ["relative", "gatys"])
@pytest.mark.parametrize("init", ["content", "noise"])
def test_descent_makes_pictures_that_are_better_than_their_start(loss: str, init: str) -> None:
    result = made(optimizer="gd", loss=loss, init=init)
    assert torch.isfinite(result.image_bchw).all()
    for report in result.reports:
        assert report.best_loss < report.loss_curve[0]
        assert report.stop_reason == "steps"


def test_the_rate_of_descent_has_a_part_in_the_picture() -> None:
    one, other = (made(optimizer="gd", learning_rate=rate).image_bchw for rate in (0.001, 0.002))
    assert not torch.equal(one, other)
    assert not torch.equal(one, made(optimizer="adam", learning_rate=0.001).image_bchw)


@pytest.mark.parametrize("optimizer", ["adam", "gd"])
def test_the_average_is_the_result(optimizer: str) -> None:
    plain, averaged = made(optimizer=optimizer), made(optimizer=optimizer, average=0.9)
    assert not torch.equal(plain.image_bchw, averaged.image_bchw)
    assert torch.isfinite(averaged.image_bchw).all()
    assert averaged.reports[0].loss_curve == plain.reports[0].loss_curve  # the path itself stays
    assert averaged.reports[0].evaluations == 30


def test_averages_are_refused_for_lbfgs_which_keeps_its_best_point() -> None:
    with pytest.raises(SettingsError, match=r"average: 0\.9 .*`optimizer: adam` or `gd`"):
        StyleSettings(average=0.9)
    spelled = StyleSettings(optimizer="adam", average=0.9).canonical()
    assert spelled != StyleSettings(optimizer="adam").canonical()
    assert spelled["average"] == 0.9
