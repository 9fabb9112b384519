"""The last steps with another objective: when they begin, what waits for them, and that they end plain."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from small_networks import tiny_encoder, waves
from test_minimise import pairs
from torch import Tensor

from stylize_core.loss.objective import Objective
from stylize_core.loss.targets import content_targets, style_targets
from stylize_core.optim import steps as steps_module
from stylize_core.optim.descent import Descent
from stylize_core.optim.finish import FINISH, Finish
from stylize_core.optim.minimise import minimise
from stylize_core.optim.watching import CHECK_EVERY
from stylize_core.settings.schedule import Stage
from stylize_core.settings.style import StyleSettings
from stylize_core.transfer import Stylized, stylize

FULL = Stage(1.0, 0, 100)


def made(settings: StyleSettings, rows: int = 1, dtype: torch.dtype = torch.float32) -> Stylized:
    contents = torch.cat([waves(0.3 + row) for row in range(rows)])
    styles = torch.cat([waves(2.0 - row, finer=3) for row in range(rows)])
    return stylize(contents, styles, settings=settings, encoder=tiny_encoder(settings, dtype=dtype))


def plain(settings: StyleSettings) -> Objective:
    encoder = tiny_encoder(settings)
    content, style = waves(0.3), waves(2.0, finer=3)
    targets = style_targets(encoder, style, settings)
    return Objective(encoder, content_targets(encoder, content, settings), targets, settings)


def begins_after(settings: StyleSettings, stage: Stage = FULL) -> int | None:
    finish = Finish.of(plain(settings), settings, stage, None)
    return None if finish is None else finish.after


@pytest.fixture
def whitened(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Of each step that is taken, whether styles are compared in their axes."""
    seen, advance = [], steps_module.advance

    def watched(objective: Objective, descent: Descent, at: Tensor, *, first: bool = False) -> None:
        seen.append(objective.whitened)
        advance(objective, descent, at, first=first)

    monkeypatch.setattr(steps_module, "advance", watched)
    return seen


@pytest.mark.parametrize(("share", "steps", "first"), [(0.7, 10, 7), (0.6, 5, 3), (0.9, 30, 27), (0.5, 3, 1)])
def test_so_large_a_share_of_the_steps_comes_first(
    whitened: list[bool], share: float, steps: int, first: int
) -> None:
    made(StyleSettings(steps=steps, scales=1, whitening=share))
    assert whitened == [True] * first + [False] * (steps - first)


def test_smaller_sizes_have_none_and_of_the_last_one_its_own_share(whitened: list[bool]) -> None:
    made(StyleSettings(steps=40, scales=2, whitening=0.5))
    assert whitened == [False] * 20 + [True] * 10 + [False] * 10


def test_one_step_is_a_plain_one(whitened: list[bool]) -> None:
    made(StyleSettings(steps=1, scales=1, whitening=0.9))
    assert whitened == [False]


@pytest.mark.parametrize(
    "settings",
    [
        {"whitening": 0.0},
        {"whitening": 0.6, "optimizer": "adam"},
        {"whitening": 0.6, "statistics": "moments"},
        {"whitening": 0.6, "style_weight": 0.0},
    ],
    ids=str,
)
def test_there_is_none_where_it_has_no_part(settings: dict[str, Any]) -> None:
    assert begins_after(StyleSettings(**settings)) is None


@pytest.mark.parametrize(("share", "first"), [(0.0, 60), (0.3, 30), (0.9, 60)])
def test_where_the_network_rounds_coarsely_it_begins_with_whichever_finish_is_first(
    share: float, first: int
) -> None:
    settings = StyleSettings(whitening=share)
    coarse = replace(plain(settings), encoder=tiny_encoder(settings, dtype=torch.bfloat16))
    finish = Finish.of(coarse, settings, FULL, lambda: coarse)
    assert finish is not None
    assert (finish.after, finish.finer, finish.whitened) == (first, True, share > 0)
    assert pytest.approx(0.4) == FINISH


def test_both_finishes_of_bf16_are_one_and_the_report_tells_of_the_precision() -> None:
    (report,) = made(StyleSettings(steps=30, scales=1, whitening=0.6), dtype=torch.bfloat16).reports
    assert report.decisions == [
        "bf16 rounds too coarsely for the last steps; fp32 took over after 18 evaluations"
    ]


def test_the_result_is_the_best_by_the_plain_objective_and_nothing_is_said_of_it() -> None:
    settings = StyleSettings(steps=30, scales=1, whitening=0.6)
    best_bchw, (report,) = minimise(plain(settings), waves(0.3), settings=settings)
    assert report.decisions == []
    loss, _ = plain(settings)(best_bchw)
    assert float(loss) == pytest.approx(report.best_loss, rel=1e-4)
    assert report.best_loss == min(report.loss_curve[18:])


def test_as_many_steps_come_closer() -> None:
    """What it is for."""
    with_it, without = (
        made(StyleSettings(steps=40, scales=1, whitening=share)).reports[0].best_loss for share in (0.6, 0.0)
    )
    assert with_it < 0.95 * without


def test_a_picture_that_is_still_before_the_finish_waits_for_it(whitened: list[bool]) -> None:
    settings = StyleSettings(steps=400, scales=1, whitening=0.9, plateau=16.0)
    made(settings)
    assert whitened.count(True) < 360, "it was not still"
    assert whitened.count(False) > 0, "it ended before the plain steps"
    assert whitened == sorted(whitened, reverse=True)


def test_rows_that_end_leave_the_others_in_the_same_steps(whitened: list[bool]) -> None:
    settings = StyleSettings(steps=4 * CHECK_EVERY, scales=1, whitening=0.6)
    together = made(settings, rows=2)
    alone = made(settings)
    assert torch.allclose(together.image_bchw[:1], alone.image_bchw, atol=1e-4)


class RowByRow(Objective):
    """Evaluates every row alone, so that no row has the rounding of another batch."""

    def __call__(self, image_bchw: Tensor) -> tuple[Tensor, Tensor]:
        found = [self.rows([at])(image_bchw[at : at + 1]) for at in range(len(image_bchw))]
        losses, gradients = zip(*found, strict=True)
        return torch.cat(losses), torch.cat(gradients)


def test_who_waits_for_the_plain_steps_is_as_if_alone_however_long_the_others_walk() -> None:
    settings = StyleSettings(steps=120, scales=1, whitening=0.9, plateau=16.0)
    contents, styles = pairs(2)
    encoder = tiny_encoder(settings)
    targets = content_targets(encoder, contents, settings), style_targets(encoder, styles, settings)
    objective = RowByRow(encoder, *targets, settings)
    ready_bchw, _ = minimise(objective.rows([0]), contents[:1], settings=replace(settings, steps=200))
    starts = torch.cat([ready_bchw, contents[1:]])
    together, reports = minimise(objective, starts, settings=settings)
    for row in range(2):
        alone, (report,) = minimise(objective.rows([row]), starts[row : row + 1], settings=settings)
        assert torch.equal(together[row : row + 1], alone)
        assert reports[row] == report
    waited, walked = (report.evaluations for report in reports)
    assert waited < walked == 120, "one was still at a look before the plain steps, and the other was not"
