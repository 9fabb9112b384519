"""L-BFGS against SciPy and against the two-loop recursion, in float64, row by row."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from reference import Array, array, two_loop
from scipy.optimize import minimize
from torch import Tensor
from torch.overrides import TorchFunctionMode

from stylize_core.optim.base import NONFINITE_TRIALS, are_finite
from stylize_core.optim.curvature import CURVATURE
from stylize_core.optim.lbfgs import FIRST_MOVE, LBFGS, LINE_SEARCH_TRIALS

Function = Callable[[Tensor], Tensor]


def rosenbrock(points: Tensor) -> Tensor:
    """The curved valley, [B, D] to [B]; its minimum 0 lies at ones."""
    return (100 * (points[:, 1:] - points[:, :-1] ** 2) ** 2 + (1 - points[:, :-1]) ** 2).sum(1)


def quadratic(condition: float, size: int = 30) -> Function:
    """A turned bowl whose steepest curvature is `condition` times its flattest; its minimum 0 is at ones."""
    turned, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(size, size)))
    matrix = torch.tensor(turned @ np.diag(np.geomspace(1, condition, size)) @ turned.T)
    return lambda points: ((points - 1) * ((points - 1) @ matrix)).sum(1) / 2


def evaluated(function: Function, points: Tensor) -> tuple[Tensor, Tensor]:
    leaf = points.detach().requires_grad_()
    loss = function(leaf)
    (gradient,) = torch.autograd.grad(loss.sum(), leaf)
    return loss.detach(), gradient


def scaled(function: Function, start: Tensor) -> Function:
    """The function with a gradient of root mean square 1 at the start, as `minimise` hands it over."""
    gradient = evaluated(function, start)[1]
    factor = 1 / gradient.square().mean(1).sqrt()
    return lambda points: factor * function(points)


def drive(solver: LBFGS, function: Function, evaluations: int) -> LBFGS:
    for _ in range(evaluations):
        solver.tell(*evaluated(function, solver.trial))
    return solver


def starts(*shape: int, seed: int = 0) -> Tensor:
    return torch.tensor(np.random.default_rng(seed).uniform(-1.5, 1.5, shape))


class Reached(Exception):
    """There is no need to go on."""


def evaluations_of_scipy(function: Function, start: Tensor, *, until: float) -> int:
    """How often SciPy's L-BFGS-B evaluates until the loss is below `until`."""
    losses: list[float] = []

    def value(point: NDArray[np.float64]) -> tuple[float, Array]:
        loss, gradient = evaluated(function, torch.tensor(point)[None])
        losses.append(float(loss))
        if losses[-1] < until:
            raise Reached
        return losses[-1], array(gradient[0])

    options = {"maxcor": 10, "ftol": 0.0, "gtol": 0.0, "maxiter": 2000, "maxfun": 2000}
    with pytest.raises(Reached):
        minimize(value, start[0].numpy(), jac=True, method="L-BFGS-B", options=options)
    return len(losses)


@pytest.mark.parametrize(
    ("function", "size"),
    [
        (rosenbrock, 2),
        (rosenbrock, 10),
        (rosenbrock, 100),
        (quadratic(1e2), 30),
        (quadratic(1e4), 30),
        (quadratic(1e6), 30),
    ],
    ids=["valley 2", "valley 10", "valley 100", "bowl 1e2", "bowl 1e4", "bowl 1e6"],
)
def test_it_reaches_the_minimum_within_comparable_evaluations(function: Function, size: int) -> None:
    start = starts(1, size)
    unit = scaled(function, start)
    goal = 1e-8 * float(unit(start))
    allowed = 2 * evaluations_of_scipy(unit, start, until=goal) + 20
    solver = LBFGS(start, history=10)
    assert any(float(drive(solver, unit, 1).best_loss) < goal for _ in range(allowed))


@dataclass
class Recorded:
    """What L-BFGS must have remembered, rebuilt from the outside."""

    points: list[Array] = field(default_factory=list)
    gradients: list[Array] = field(default_factory=list)

    def take(self, solver: LBFGS, function: Function) -> None:
        self.points.append(array(solver.best[0]))
        self.gradients.append(array(evaluated(function, solver.best)[1][0]))

    def pairs(self, history: int) -> list[tuple[Array, Array]]:
        points, gradients = zip(*self._steps(), strict=True)
        both = [(s, y) for s, y in zip(np.diff(points, axis=0), np.diff(gradients, axis=0), strict=True)]
        bent = [(s, y) for s, y in both if s @ y > CURVATURE * np.linalg.norm(s) * np.linalg.norm(y)]
        return bent[-history:]

    def _steps(self) -> list[tuple[Array, Array]]:
        return list(zip(self.points, self.gradients, strict=True))


@pytest.mark.parametrize("history", [1, 2, 3, 10])
@pytest.mark.parametrize("function", [rosenbrock, quadratic(1e3, 12)], ids=["valley", "bowl"])
def test_every_direction_is_that_of_the_two_loop_recursion(function: Function, history: int) -> None:
    """Thirty-five accepted steps, so that the ring of pairs is written over again and again."""
    start = starts(1, 12, seed=5)
    unit = scaled(function, start)
    solver, recorded, compared = LBFGS(start, history=history), Recorded(), 0
    drive(solver, unit, 1)
    recorded.take(solver, unit)
    for _ in range(80):
        accepted = int(solver.accepted)
        drive(solver, unit, 1)
        if int(solver.accepted) == accepted:
            continue
        recorded.take(solver, unit)
        if float(solver.best_loss) < 1e-9 or not (pairs := recorded.pairs(history)):
            break
        s, y = pairs[-1]
        expected = two_loop(recorded.gradients[-1], pairs, float((s @ y) / (y @ y)))
        error = np.linalg.norm(array(solver.direction[0]) - expected)
        assert error <= 1e-10 * np.linalg.norm(expected)
        compared += 1
    assert compared > min(15, 3 * history)


def test_losses_of_accepted_points_only_fall_and_belong_to_those_points() -> None:
    start = starts(4, 10)
    unit = scaled(rosenbrock, start)
    solver, before, trials = LBFGS(start), torch.full((4,), torch.inf, dtype=torch.float64), 0
    for _ in range(120):
        drive(solver, unit, 1)
        assert bool((solver.best_loss <= before).all())
        assert torch.equal(unit(solver.best), solver.best_loss)
        trials += int((unit(solver.trial) > solver.best_loss).sum())
        before = solver.best_loss
    assert trials > 0, "no trial was worse than the best, so nothing was shown"


def test_a_refused_trial_is_never_the_result() -> None:
    start = starts(1, 2)
    solver = LBFGS(start)
    drive(solver, rosenbrock, 1)
    for _ in range(3):
        solver.tell(torch.tensor([1e9], dtype=torch.float64), torch.ones_like(start))
        assert torch.equal(solver.best, start)
        assert solver.accepted.tolist() == [0]


def test_a_refused_step_is_shortened_between_a_tenth_and_a_half() -> None:
    start = starts(1, 6)
    solver = LBFGS(start)
    drive(solver, scaled(rosenbrock, start), 1)
    for told in (float(solver.best_loss) * 1.0001, 1e12):
        length = float((solver.trial - solver.best).norm())
        solver.tell(torch.tensor([told], dtype=torch.float64), torch.ones_like(start))
        ratio = float((solver.trial - solver.best).norm()) / length
        assert 0.1 - 1e-9 <= ratio <= 0.5 + 1e-9
    assert ratio == pytest.approx(0.1)


def test_the_first_move_is_a_hundredth_of_the_pixel_range() -> None:
    start = starts(2, 50)
    solver = drive(LBFGS(start), scaled(rosenbrock, start), 1)
    moved = (solver.trial - start).square().mean(1).sqrt()
    np.testing.assert_allclose(array(moved), [0.01, 0.01], rtol=1e-9)


@pytest.mark.parametrize("history", [1, 2, 10])
def test_rows_know_nothing_of_one_another(history: int) -> None:
    start = starts(5, 8, seed=2) * torch.tensor([[0.01], [1.0], [3.0], [1.0], [10.0]], dtype=torch.float64)
    together = drive(LBFGS(start, history=history), scaled(rosenbrock, start), 60)
    for row in range(5):
        alone_start = start[row : row + 1]
        alone = drive(LBFGS(alone_start, history=history), scaled(rosenbrock, alone_start), 60)
        torch.testing.assert_close(together.best[row], alone.best[0], rtol=1e-6, atol=1e-8)
        assert int(together.accepted[row]) == int(alone.accepted[0])


def test_rows_that_break_or_stall_do_not_touch_their_neighbours() -> None:
    def troubled(points: Tensor) -> Tensor:
        return rosenbrock(points) * torch.tensor([1.0, torch.nan, 0.0])

    start = starts(3, 6)
    solver = drive(LBFGS(start), troubled, 40)
    alone = drive(LBFGS(start[:1]), rosenbrock, 40)
    torch.testing.assert_close(solver.best[0], alone.best[0], rtol=1e-9, atol=1e-12)
    assert solver.broken.tolist() == [False, True, False]
    assert solver.stalled.tolist() == [False, False, True]
    assert torch.equal(solver.best[1:], start[1:])


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_a_region_without_finite_values_is_left_behind(value: float) -> None:
    start = starts(1, 5)
    bowl = scaled(quadratic(10, 5), start)
    solver = LBFGS(start)
    solver.scale = torch.full_like(solver.scale, 500.0)  # much too bold: the first moves land far outside
    bad = 0
    for _ in range(60):
        loss, gradient = evaluated(bowl, solver.trial)
        outside = solver.trial.abs().amax(1) > 4
        bad += int(outside)
        solver.tell(torch.where(outside, value, loss), gradient)
    assert bad > 1
    assert not bool(solver.broken)
    np.testing.assert_allclose(array(solver.best), 1, atol=1e-5)


def test_a_logarithm_that_ends_at_zero_is_minimised() -> None:
    start = torch.full((1, 20), 3.0, dtype=torch.float64)
    weights = torch.tensor(np.geomspace(0.1, 10, 20))
    unit = scaled(lambda points: (weights * (points - torch.log(points))).sum(1), start)
    solver, bad = LBFGS(start), 0
    for _ in range(80):
        bad += int(not torch.isfinite(unit(solver.trial)))
        drive(solver, unit, 1)
    assert bad > NONFINITE_TRIALS, "too few trials left the domain to show anything"
    assert not bool(solver.broken)
    np.testing.assert_allclose(array(solver.best), 1, atol=1e-4)


def test_a_gradient_that_is_not_finite_is_refused_like_a_loss() -> None:
    start = starts(1, 4)
    solver = drive(LBFGS(start), rosenbrock, 1)
    step = float((solver.trial - solver.best).norm())
    solver.tell(torch.tensor([-1e9], dtype=torch.float64), torch.full_like(start, torch.nan))
    assert torch.equal(solver.best, start)
    assert float((solver.trial - solver.best).norm()) == pytest.approx(step / 10)


def test_a_trial_that_is_not_finite_clears_the_history() -> None:
    start = starts(1, 8)
    unit = scaled(rosenbrock, start)
    solver = drive(LBFGS(start), unit, 12)
    gradient = evaluated(unit, solver.best)[1]
    solver.tell(torch.tensor([torch.nan], dtype=torch.float64), torch.full_like(start, torch.nan))
    downhill = solver.trial - solver.best
    cosine = torch.nn.functional.cosine_similarity(downhill, -gradient)
    assert float(cosine) == pytest.approx(1, abs=1e-9)


def test_nothing_finite_at_the_start_breaks_the_row_at_once() -> None:
    start = starts(2, 4)
    solver = LBFGS(start)
    solver.tell(torch.tensor([torch.nan, 1.0], dtype=torch.float64), torch.ones_like(start))
    assert solver.broken.tolist() == [True, False]
    assert torch.equal(solver.best, start)


def test_nothing_finite_beyond_the_start_breaks_the_row_after_its_tries() -> None:
    start = starts(1, 4)
    solver = drive(LBFGS(start), rosenbrock, 1)
    for told in range(1, NONFINITE_TRIALS + 1):
        assert not bool(solver.broken)
        solver.tell(torch.tensor([torch.inf], dtype=torch.float64), torch.ones_like(start))
        assert bool(solver.broken) == (told == NONFINITE_TRIALS)
    assert torch.equal(solver.best, start)


def test_a_broken_row_accepts_nothing_more() -> None:
    start = starts(1, 4)
    solver = LBFGS(start)
    solver.tell(torch.tensor([torch.nan], dtype=torch.float64), torch.ones_like(start))
    drive(solver, rosenbrock, 20)
    assert bool(solver.broken)
    assert solver.accepted.tolist() == [0]
    assert torch.equal(solver.best, start)


def test_told_of_the_same_point_again_it_goes_on_as_before() -> None:
    function = quadratic(100.0)
    solver = drive(LBFGS(starts(2, 30)), function, 12)
    before = solver.trial
    solver.revalue()
    assert torch.equal(solver.trial, solver.best)
    drive(solver, function, 1)
    torch.testing.assert_close(solver.trial, before, rtol=1e-12, atol=1e-12)


def test_told_of_another_function_losses_of_the_first_are_no_bound() -> None:
    function = quadratic(10.0)
    solver = drive(LBFGS(starts(2, 30)), function, 25)
    solver.revalue()
    drive(solver, lambda points: function(points - 0.5) + 7, 40)
    torch.testing.assert_close(solver.best, torch.full_like(solver.best, 1.5), rtol=0, atol=1e-3)
    assert not solver.broken.any()


def test_where_noise_has_stalled_it_another_function_is_minimised_all_the_same() -> None:
    """As in the finish of a network in bf16: by what noise said of the curvature it would hardly move."""
    start = starts(1, 10).float()
    unit = scaled(rosenbrock, start)
    solver = drive(LBFGS(start), unit, 5)
    solver.pairs.clear(torch.ones(1, dtype=torch.bool))
    solver.scale.fill_(1e-9)
    solver.stalled.fill_(value=True)
    solver.revalue()
    drive(solver, unit, 200)
    assert float(rosenbrock(solver.best)) < 1e-6


def test_pairs_that_led_nowhere_leave_no_guess_behind() -> None:
    start = starts(1, 4)
    solver = drive(LBFGS(start), quadratic(10.0, 4), 4)
    assert solver.pairs.some.tolist() == [True]
    for _ in range(LINE_SEARCH_TRIALS):
        solver.tell(solver.best_loss + 1, torch.ones_like(start))
    assert solver.pairs.some.tolist() == [False]
    move = solver.trial - solver.best
    assert float(move.square().mean().sqrt()) == pytest.approx(FIRST_MOVE)
    torch.testing.assert_close(move, -FIRST_MOVE * solver.gradient / solver.gradient.square().mean().sqrt())


def test_a_start_at_the_minimum_stalls_at_once() -> None:
    start = torch.ones(1, 6, dtype=torch.float64)
    solver = drive(LBFGS(start), rosenbrock, 1)
    assert solver.stalled.tolist() == [True]
    assert torch.equal(solver.best, start)


def test_where_no_trial_is_better_the_row_stalls_after_one_line_search() -> None:
    start = starts(1, 4)
    solver = LBFGS(start)
    for evaluation in range(LINE_SEARCH_TRIALS + 1):
        assert not bool(solver.stalled), evaluation
        solver.tell(torch.tensor([1.0], dtype=torch.float64), torch.ones_like(start))
    assert bool(solver.stalled)
    assert not bool(solver.broken)


def test_a_stalled_row_stays_stalled_whatever_it_is_told() -> None:
    start = torch.ones(1, 6, dtype=torch.float64)
    solver = drive(LBFGS(start), rosenbrock, 1)
    for value in (-5.0, *[float("nan")] * (NONFINITE_TRIALS + 1)):
        solver.tell(torch.tensor([value], dtype=torch.float64), torch.ones_like(start))
    assert solver.stalled.tolist() == [True]
    assert solver.broken.tolist() == [False]
    assert torch.equal(solver.best, start)


def test_at_the_end_of_its_precision_float32_stalls_near_the_minimum() -> None:
    start = starts(1, 10).float()
    unit = scaled(rosenbrock, start)
    solver = drive(LBFGS(start), unit, 400)
    assert solver.stalled.tolist() == [True]
    assert float(rosenbrock(solver.best)) < 1e-6


def test_a_hill_that_curves_the_wrong_way_is_walked_down() -> None:
    """No pair of proper curvature ever comes; steps still go down, and nothing becomes NaN."""
    start = starts(1, 5)
    solver = drive(LBFGS(start), lambda points: -points.square().sum(1), 30)
    assert float(solver.best_loss) < -float(start.square().sum())
    assert torch.isfinite(solver.best).all()
    assert int(solver.accepted) == 29


@pytest.mark.parametrize("options", [{}, {"history": 1}])
def test_a_single_number_is_minimised(options: dict[str, Any]) -> None:
    start = torch.tensor([[4.0]], dtype=torch.float64)
    solver = drive(LBFGS(start, **options), scaled(lambda x: (x[:, 0] - 1) ** 2, start), 12)
    assert float(solver.best) == pytest.approx(1, abs=1e-9)


def test_the_start_is_never_written_to() -> None:
    start = starts(2, 5)
    kept = start.clone()
    drive(LBFGS(start), rosenbrock, 30)
    assert torch.equal(start, kept)


class LeavesOutWhatAddsNothing(TorchFunctionMode):
    """A device, as Apple's are, that returns at once where what is to be added counts 0 times."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = kwargs or {}
        return args[0] if given.get("alpha") == 0 else func(*args, **given)


def test_what_is_not_finite_is_noticed_where_adding_nothing_is_left_out() -> None:
    losses, totals = torch.tensor([1.0, 1.0, 1.0, torch.nan]), torch.tensor([2.0, torch.nan, torch.inf, 0.0])
    with LeavesOutWhatAddsNothing():
        assert are_finite(losses, totals).tolist() == [True, False, False, False]
