"""The loop around the solvers: what it reports, when it ends, and how it goes on after L-BFGS."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, cast

import numpy as np
import pytest
import torch
from small_networks import speckles, tiny_encoder, waves
from torch import Tensor

from stylize_core.loss.objective import Objective
from stylize_core.loss.targets import content_targets, style_targets
from stylize_core.optim import curvature
from stylize_core.optim.minimise import minimise
from stylize_core.optim.watching import CHECK_EVERY, Frames, RowReport, StepProgress
from stylize_core.settings.style import StyleSettings

Trouble = Callable[[Tensor, Tensor], Tensor]


class Changed:
    """A real objective whose values are multiplied row by row by what `factor` makes of the pictures."""

    def __init__(self, objective: Objective, factor: Callable[[Tensor], Tensor]) -> None:
        self.objective, self.factor = objective, factor
        self.calls = 0

    def __call__(self, image: Tensor) -> tuple[Tensor, Tensor]:
        self.calls += 1
        loss, gradient = self.objective(image)
        factor = self.factor(image)
        return loss * factor, gradient * factor[:, None, None, None]

    def rows(self, index: Sequence[int]) -> Objective:
        return changed(self.objective.rows(index), self.factor)


def changed(objective: Objective, factor: Callable[[Tensor], Tensor]) -> Objective:
    return cast("Objective", Changed(objective, factor))


def pairs(rows: int = 3) -> tuple[Tensor, Tensor]:
    contents = torch.cat([waves(0.3 + row) for row in range(rows)])
    styles = torch.cat([waves(2.0 - row, finer=3, height=20, width=20) for row in range(rows)])
    return contents, styles


def objective_of(contents: Tensor, styles: Tensor, settings: StyleSettings) -> Objective:
    encoder = tiny_encoder(settings)
    return Objective(
        encoder=encoder,
        content=content_targets(encoder, contents, settings),
        style=style_targets(encoder, styles, settings),
        settings=settings,
    )


def run(
    settings: StyleSettings, factor: Callable[[Tensor], Tensor] | None = None, rows: Sequence[int] = (0, 1, 2)
) -> tuple[Tensor, list[RowReport]]:
    contents, styles = (pictures[list(rows)] for pictures in pairs())
    objective = objective_of(contents, styles, settings)
    return minimise(changed(objective, factor) if factor else objective, contents, settings=settings)


@pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])
def test_the_report_tells_what_happened_in_the_units_of_the_objective(optimizer: Any) -> None:
    settings = StyleSettings(steps=23, optimizer=optimizer)
    contents, styles = pairs()
    objective = Changed(objective_of(contents, styles, settings), lambda image: torch.ones(len(image)))
    best, reports = minimise(cast("Objective", objective), contents, settings=settings)
    at_start, at_best = objective.objective(contents)[0], objective.objective(best)[0]
    assert objective.calls == 23
    for row, report in enumerate(reports):
        assert report.evaluations == len(report.loss_curve) == 23
        assert report.stop_reason == "steps"
        assert report.loss_curve[0] == float(at_start[row])
        assert report.best_loss == pytest.approx(float(at_best[row]), rel=1e-6)
        assert report.best_loss == pytest.approx(min(report.loss_curve), rel=1e-6)
        assert report.best_loss < 0.7 * report.loss_curve[0]
        assert 5 < report.accepted_steps <= 23
        assert report.decisions == []


@pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])
@pytest.mark.parametrize("factor", [2.0**-27, 2.0**27])
def test_an_objective_in_other_units_takes_the_same_steps(optimizer: Any, factor: float) -> None:
    """About 1e-8 and 1e+8: thresholds that knew units would end or change the run."""
    settings = StyleSettings(steps=30, optimizer=optimizer)
    plain, plain_reports = run(settings)
    other, other_reports = run(settings, lambda image: torch.full((len(image),), factor))
    assert torch.equal(plain, other)
    for one, two in zip(plain_reports, other_reports, strict=True):
        np.testing.assert_allclose(np.array(two.loss_curve) / factor, one.loss_curve, rtol=1e-6)
        assert (one.accepted_steps, one.stop_reason) == (two.accepted_steps, two.stop_reason)


@pytest.mark.parametrize("factor", [1e-8, 1e8])
def test_units_that_are_no_power_of_two_change_rounding_only(factor: float) -> None:
    settings = StyleSettings(steps=12)
    plain, _ = run(settings)
    other, _ = run(settings, lambda image: torch.full((len(image),), factor))
    assert float((plain - other).abs().max()) < 1e-3


@pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])
def test_a_batch_is_optimised_like_its_pairs_alone(optimizer: Any) -> None:
    """To 2e-4 of the pixel range after ten steps: they amplify the rounding of other batch sizes."""
    settings = StyleSettings(steps=10, optimizer=optimizer)
    together, reports = run(settings)
    for row in range(3):
        alone, (report,) = run(settings, rows=[row])
        assert float((together[row] - alone[0]).abs().max()) < 2e-4
        assert reports[row].accepted_steps == report.accepted_steps
        np.testing.assert_allclose(reports[row].loss_curve, report.loss_curve, rtol=1e-3)


def _wall(content: Tensor) -> Callable[[Tensor], Tensor]:
    """Nothing is finite further than 2e-4 a pixel from this picture; other pictures are free."""

    def factor(image: Tensor) -> Tensor:
        away = (image - content).square().mean((1, 2, 3)).sqrt()
        return torch.where((away > 2e-4) & (away < 0.1), torch.nan, 1.0)

    return factor


def _nowhere(content: Tensor) -> Callable[[Tensor], Tensor]:
    """Nothing near this picture is finite."""
    return lambda image: torch.where((image - content).abs().mean((1, 2, 3)) < 0.05, torch.nan, 1.0)


def _flat(content: Tensor) -> Callable[[Tensor], Tensor]:
    """Everything near this picture is flat."""
    return lambda image: torch.where((image - content).abs().mean((1, 2, 3)) < 0.05, 0.0, 1.0)


@pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])
@pytest.mark.parametrize(
    ("trouble", "reason"),
    [
        (_wall, {"lbfgs": "steps", "adam": "steps"}),
        (_nowhere, {"lbfgs": "diverged", "adam": "diverged"}),
        (_flat, {"lbfgs": "stalled", "adam": "steps"}),
    ],
    ids=["wall", "nowhere", "flat"],
)
def test_a_troubled_row_in_a_batch_ends_like_it_does_alone_and_spares_the_others(
    trouble: Callable[[Tensor], Callable[[Tensor], Tensor]], reason: dict[str, str], optimizer: Any
) -> None:
    settings = StyleSettings(steps=40, optimizer=optimizer)
    factor = trouble(pairs()[0][1:2])
    together, reports = run(settings, factor)
    alone, (report,) = run(settings, factor, rows=[1])
    assert reports[1].stop_reason == report.stop_reason == reason[optimizer]
    assert float((together[1] - alone[0]).abs().max()) < 1e-4
    assert reports[1].evaluations == report.evaluations
    assert reports[1].accepted_steps == report.accepted_steps
    assert reports[1].decisions == report.decisions
    untroubled, _ = run(settings)
    assert torch.equal(together[[0, 2]], untroubled[[0, 2]])


@pytest.mark.parametrize("optimizer", ["lbfgs", "adam", "gd"])
def test_a_row_that_has_ended_is_not_computed_any_more(optimizer: Any) -> None:
    settings = StyleSettings(steps=30, optimizer=optimizer, average=0.5 if optimizer == "gd" else 0.0)
    hopeless = _nowhere(pairs()[0][1:2])
    computed: list[int] = []

    def watched(image: Tensor) -> Tensor:
        computed.append(len(image))
        return hopeless(image)

    told: list[StepProgress] = []
    contents, styles = pairs()
    objective = changed(objective_of(contents, styles, settings), watched)
    _, reports = minimise(objective, contents, settings=settings, callback=told.append)
    assert computed[:30] == [3] * 10 + [2] * 20
    assert [report.stop_reason for report in reports] == ["steps", "diverged", "steps"]
    rescued = 10 if optimizer == "lbfgs" else 0  # by Adam, and alone
    assert [report.evaluations for report in reports] == [30, 10 + rescued, 30]
    assert {len(progress.loss) for progress in told} == {3}
    assert told[-1].loss == tuple(report.best_loss for report in reports)


def test_a_flat_start_stalls_at_the_first_look() -> None:
    settings = StyleSettings(steps=200)
    contents, _ = pairs()
    best, reports = run(settings, lambda image: torch.zeros(len(image)))
    assert torch.equal(best, contents)
    for report in reports:
        assert (report.stop_reason, report.evaluations, report.accepted_steps) == ("stalled", CHECK_EVERY, 0)


def test_a_start_at_the_minimum_stalls_soon() -> None:
    settings = StyleSettings(steps=500, style_weight=0)
    contents, styles = pairs(1)
    best, (report,) = minimise(objective_of(contents, styles, settings), contents, settings=settings)
    assert report.stop_reason == "stalled"
    assert report.evaluations <= 2 * CHECK_EVERY
    assert torch.equal(best, contents)


def test_adam_takes_over_a_row_that_l_bfgs_could_not_keep_finite() -> None:
    settings = StyleSettings(steps=60)
    contents, styles = pairs(1)
    objective, calls = objective_of(contents, styles, settings), iter(range(1000))

    def factor(image: Tensor) -> Tensor:
        return torch.full((1,), torch.nan if 3 <= next(calls) < 10 else 1.0)

    best, (report,) = minimise(changed(objective, factor), contents, settings=settings)
    assert report.decisions == ["L-BFGS met non-finite losses; Adam took over after 10 evaluations"]
    assert report.stop_reason == "steps"
    assert report.evaluations == len(report.loss_curve) == 60
    finite = [loss for loss in report.loss_curve if np.isfinite(loss)]
    assert len(finite) == 53
    assert report.best_loss == pytest.approx(min(finite), rel=1e-6)
    assert report.best_loss < min(finite[:3])
    assert float(objective(best)[0]) == pytest.approx(report.best_loss, rel=1e-6)


def test_a_row_that_never_was_finite_is_diverged_after_both_solvers() -> None:
    best, (report,) = run(
        StyleSettings(steps=100), lambda image: torch.full((len(image),), torch.nan), rows=[0]
    )
    assert report.stop_reason == "diverged"
    assert report.best_loss == float("inf")
    assert report.accepted_steps == 0
    assert report.evaluations == 2 * CHECK_EVERY
    assert torch.equal(best, pairs()[0][:1])


@pytest.mark.parametrize(("steps", "expected"), [(1, [1]), (10, [10]), (25, [10, 20, 25])])
def test_progress_is_told_at_every_look_and_at_the_end(steps: int, expected: list[int]) -> None:
    settings, told = StyleSettings(steps=steps), list[StepProgress]()
    contents, styles = pairs()
    _, reports = minimise(
        objective_of(contents, styles, settings), contents, settings=settings, callback=told.append
    )
    assert [progress.step for progress in told] == expected
    assert {progress.steps for progress in told} == {steps}
    assert told[-1].loss == pytest.approx([report.best_loss for report in reports])
    for earlier, later in pairwise(told):
        assert all(b <= a for a, b in zip(earlier.loss, later.loss, strict=True))


def test_an_exception_from_the_listener_ends_the_work_at_once() -> None:
    settings = StyleSettings(steps=1000)
    contents, styles = pairs()
    objective = Changed(objective_of(contents, styles, settings), lambda image: torch.ones(len(image)))

    def stop(progress: StepProgress) -> None:
        raise KeyboardInterrupt(f"after {progress.step}")

    with pytest.raises(KeyboardInterrupt, match="after 10"):
        minimise(cast("Objective", objective), contents, settings=settings, callback=stop)
    assert objective.calls == CHECK_EVERY


def test_more_steps_never_give_a_worse_picture() -> None:
    best = [run(StyleSettings(steps=steps), rows=[0])[1][0].best_loss for steps in (1, 2, 3, 5, 8, 13, 21)]
    assert best == sorted(best, reverse=True)


@pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])
def test_the_start_is_never_written_to(optimizer: Any) -> None:
    settings = StyleSettings(steps=15, optimizer=optimizer)
    contents, styles = pairs()
    start = speckles(1).expand(3, -1, -1, -1).clone()
    kept = start.clone()
    objective = objective_of(contents, styles, settings)
    best, _ = minimise(changed(objective, _nowhere(contents[1:2])), start, settings=settings)
    assert torch.equal(start, kept)
    assert best.shape == start.shape


def test_a_longer_memory_finds_a_better_picture_in_the_same_evaluations() -> None:
    losses = {
        history: run(dataclasses.replace(StyleSettings(steps=60), history=history), rows=[0])[1][0].best_loss
        for history in (1, 10)
    }
    assert losses[10] < losses[1]


def test_frames_are_the_results_of_fewer_steps_and_change_nothing() -> None:
    shown: dict[int, Tensor] = {}
    settings = StyleSettings(steps=13)
    contents, styles = pairs()
    best, reports = minimise(
        objective_of(contents, styles, settings),
        contents,
        settings=settings,
        frames=Frames({0, 4, 9, 13, 99}, shown.__setitem__),
    )
    plain, plain_reports = run(settings)
    assert torch.equal(best, plain)
    assert reports == plain_reports
    assert sorted(shown) == [0, 4, 9, 13]
    assert torch.equal(shown[0], contents.clamp(0, 1))
    for step in (4, 9, 13):
        assert torch.equal(shown[step], run(StyleSettings(steps=step))[0].clamp(0, 1))


def test_a_frame_belongs_to_whoever_gets_it() -> None:
    settings = StyleSettings(steps=12)
    contents, styles = pairs()

    def paint_over(step: int, image: Tensor) -> None:
        image.zero_()

    best, _ = minimise(
        objective_of(contents, styles, settings),
        contents.clone(),
        settings=settings,
        frames=Frames(range(13), paint_over),
    )
    assert torch.equal(best, run(settings)[0])


def test_frames_go_on_when_adam_takes_over() -> None:
    settings, shown = StyleSettings(steps=30), list[int]()
    contents, styles = pairs(1)
    calls = iter(range(1000))

    def factor(image: Tensor) -> Tensor:
        return torch.full((1,), torch.nan if 3 <= next(calls) < 10 else 1.0)

    def note(step: int, image: Tensor) -> None:
        assert bool(image.isfinite().all())
        shown.append(step)

    objective = changed(objective_of(contents, styles, settings), factor)
    minimise(objective, contents, settings=settings, frames=Frames(range(0, 31, 6), note))
    assert shown == [0, 6, 12, 18, 24, 30]


def test_coefficients_in_float32_lead_to_the_same_objective(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on Apple's GPUs, which have no float64."""
    contents, styles = pairs(2)
    settings = StyleSettings(steps=30)
    objective = objective_of(contents, styles, settings)
    _, fine = minimise(objective, contents, settings=settings)
    monkeypatch.setattr(curvature, "finest", lambda _: torch.float32)
    _, coarse = minimise(objective, contents, settings=settings)
    for one, other in zip(fine, coarse, strict=True):
        assert other.best_loss < 1.05 * one.best_loss
        assert other.loss_curve != one.loss_curve, "nothing was computed otherwise"
