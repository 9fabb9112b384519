"""Pictures that are ready before their steps are used up."""

from __future__ import annotations

import pytest
import torch
from test_minimise import objective_of, pairs
from torch import Tensor

from stylize_core.optim.minimise import minimise
from stylize_core.optim.plateau import LEVELS, WINDOW, Plateau
from stylize_core.optim.state import keep_rows
from stylize_core.optim.watching import RowReport
from stylize_core.settings.schedule import Stage
from stylize_core.settings.style import StyleSettings


def run(settings: StyleSettings, rows: int = 1) -> tuple[Tensor, list[RowReport]]:
    contents, styles = pairs(rows)
    return minimise(objective_of(contents, styles, settings), contents, settings=settings)


def test_a_row_is_still_when_it_moves_by_less_than_the_limit_within_a_window() -> None:
    start = torch.zeros(3, 12)
    plateau = Plateau(0.5, start)
    moved = torch.tensor([0.4, 0.6, 0.0])[:, None] / LEVELS + start
    assert plateau.reached(WINDOW, moved).tolist() == [True, False, True]
    assert plateau.reached(2 * WINDOW, moved).tolist() == [True, True, True]


def test_between_looks_and_without_a_limit_no_row_is_still() -> None:
    start = torch.zeros(2, 12)
    assert not Plateau(16, start).reached(WINDOW - 1, start).any()
    assert not Plateau(0, start).reached(WINDOW, start).any()


def test_who_is_about_to_move_again_is_not_still_at_the_next_look_but_at_the_one_after_it() -> None:
    plateau = Plateau(0.5, torch.zeros(1, 12))
    plateau.forget()
    assert [bool(plateau.reached(look * WINDOW, torch.zeros(1, 12))) for look in (1, 2)] == [False, True]


def test_rows_that_go_on_are_compared_with_themselves() -> None:
    plateau = Plateau(0.5, torch.tensor([[0.0], [1.0]]))
    keep_rows(plateau, torch.tensor([1]))
    assert plateau.reached(WINDOW, torch.tensor([[1.0]])).tolist() == [True]


def test_a_picture_that_no_longer_changes_visibly_ends_early_and_is_what_so_many_steps_give() -> None:
    picture, (report,) = run(StyleSettings(steps=20 * WINDOW, plateau=8))
    assert report.stop_reason == "plateau"
    assert report.evaluations % WINDOW == 0
    assert report.evaluations < 20 * WINDOW
    same, _ = run(StyleSettings(steps=report.evaluations))
    assert torch.equal(picture, same)


@pytest.mark.parametrize("first", [0, 3, 8, 10, 97])
def test_a_stage_is_looked_at_whatever_step_it_begins_with(first: int) -> None:
    contents, styles = pairs(1)
    settings = StyleSettings(steps=first + 3 * WINDOW, plateau=8, optimizer="adam", learning_rate=1e-6)
    _, (report,) = minimise(
        objective_of(contents, styles, settings),
        contents,
        settings=settings,
        stage=Stage(1.0, first, settings.steps),
    )
    assert (report.stop_reason, report.evaluations) == ("plateau", WINDOW)


def test_rows_of_a_batch_end_each_at_its_own_time() -> None:
    contents, styles = pairs(2)
    styles[0] = styles[1]
    settings = StyleSettings(steps=6 * WINDOW, plateau=8)
    start = torch.cat([run_on(contents[:1], styles[:1], steps=10 * WINDOW), contents[1:]])
    _, (ready, fresh) = minimise(objective_of(contents, styles, settings), start, settings=settings)
    assert (ready.stop_reason, ready.evaluations) == ("plateau", WINDOW)
    assert fresh.evaluations > WINDOW


def run_on(content: Tensor, style: Tensor, *, steps: int) -> Tensor:
    settings = StyleSettings(steps=steps)
    return minimise(objective_of(content, style, settings), content, settings=settings)[0]


def test_without_the_setting_every_step_is_taken() -> None:
    _, (report,) = run(StyleSettings(steps=3 * WINDOW, optimizer="adam", learning_rate=1e-6))
    assert (report.stop_reason, report.evaluations) == ("steps", 3 * WINDOW)
