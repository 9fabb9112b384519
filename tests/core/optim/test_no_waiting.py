"""A step on a device asks the host nothing, leaves nothing behind, and keeps every buffer where it was."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from emulated_device import DEVICE, Elsewhere, Emulation, Waited, elsewhere, here
from small_networks import tiny_encoder, tiny_weights, waves
from torch import Tensor

from stylize_core.loss.objective import Objective
from stylize_core.loss.regions import StyledRegion
from stylize_core.loss.targets import content_targets, style_targets
from stylize_core.networks.encoder import Encoder
from stylize_core.optim import steps
from stylize_core.optim.descent import Descent
from stylize_core.optim.state import buffers
from stylize_core.optim.watching import CHECK_EVERY
from stylize_core.settings import sketch
from stylize_core.settings.style import StyleSettings
from stylize_core.transfer import Stylized, stylize

STEPS = 2 * CHECK_EVERY + 2


class Watched:
    """An emulated device on which every step is held to what a captured one must hold."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.device, self.steps, self._advance = Emulation(), 0, steps.advance
        monkeypatch.setattr(steps, "advance", self._watched)

    def _watched(self, objective: Objective, descent: Descent, at: Tensor, *, first: bool = False) -> None:
        before = places(descent)
        with self.device.without_waits():
            self._advance(objective, descent, at, first=first)
        assert places(descent) == before, "a step has moved a buffer"
        self.steps += 1


def places(descent: Descent) -> dict[str, tuple[int, int]]:
    return {path: (id(value), here(value).data_ptr()) for path, value in buffers(descent).items()}


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> Iterator[Watched]:
    watching = Watched(monkeypatch)
    with watching.device:
        yield watching


def pictures(rows: int) -> tuple[Tensor, Tensor]:
    contents = torch.cat([waves(0.3 + row) for row in range(rows)])
    return contents, torch.cat([waves(2.0 - row, finer=3) for row in range(rows)])


def made_there(
    settings: StyleSettings, rows: int = 1, dtype: torch.dtype = torch.float32, *, masked: bool = False
) -> Stylized:
    contents, styles = (elsewhere(one) for one in pictures(rows))
    encoder = Encoder(
        tiny_weights(settings.encoder),
        layers=settings.layers,
        pooling=settings.pooling,
        dtype=dtype,
        device=DEVICE,
    )
    regions = []
    if masked:
        mask_b1hw = torch.linspace(0, 1, 32).round(decimals=1).expand(rows, 1, 24, 32).clone()
        style = style_targets(encoder, styles.flip(3), settings)
        regions = [StyledRegion(elsewhere(mask_b1hw), style, 2.0)]
    return stylize(contents, styles, settings=settings, encoder=encoder, regions=regions)


SOLVERS: list[dict[str, Any]] = [
    {},
    {"diagonal_gain": 1.0, "history": 3},
    {"whitening": 0.6, "forms_gain": 3.0},
    {"optimizer": "adam", "average": 0.5},
    {"optimizer": "gd"},
]


@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize("solver", SOLVERS, ids=str)
def test_a_step_waits_for_nothing_and_moves_no_buffer(
    watched: Watched, solver: dict[str, Any], rows: int
) -> None:
    made = made_there(StyleSettings(steps=STEPS, scales=1, **solver), rows)
    assert watched.steps == STEPS
    assert isinstance(made.image_bchw, Elsewhere)
    assert all(report.best_loss < report.loss_curve[0] for report in made.reports)


@pytest.mark.parametrize(
    "mode",
    [
        {"colour": "luminance"},
        {"mode": "texture"},
        {"mode": "content"},
        {"tv_weight": 20.0, "tv_form": "nine_point"},
        {"loss": "gatys", "pooling": "max", "content_weight": 0.01},
        {"plateau": 8.0},
    ],
    ids=str,
)
def test_nor_does_it_in_other_modes(watched: Watched, mode: dict[str, Any]) -> None:
    made_there(StyleSettings(steps=CHECK_EVERY + 2, scales=1, **mode))
    assert watched.steps == CHECK_EVERY + 2


def test_nor_does_slim_where_it_begins_for_a_larger_network(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sketch, "SKETCH_STEPS", CHECK_EVERY + 2)
    made_there(StyleSettings(encoder="vgg19", init="slim", steps=CHECK_EVERY, scales=1))
    assert watched.steps == 2 * CHECK_EVERY + 2


ONE_LAYER: dict[str, Any] = {"style_layers": ["relu2_1"], "content_layers": ["relu2_1"]}


@pytest.mark.parametrize(
    ("mode", "masked"),
    [
        ({"statistics": "moments"}, False),
        ({}, True),
        ({"statistics": "moments", "loss": "mean"}, True),
    ],
    ids=str,
)
def test_nor_with_moments_and_regions(watched: Watched, mode: dict[str, Any], masked: bool) -> None:
    """The root of a matrix is many small steps, so there are few of the solver's."""
    settings = StyleSettings(steps=3, scales=1, **ONE_LAYER, **mode)
    made = made_there(settings, 2 if masked else 1, masked=masked)
    assert watched.steps == 3
    assert all(report.best_loss < report.loss_curve[0] for report in made.reports)


MOST_LAUNCHES = 105


@pytest.mark.parametrize("settings", [{}, {"pooling": "max"}, {"loss": "mean"}], ids=str)
@pytest.mark.parametrize("rows", [1, 3])
def test_an_evaluation_is_launched_in_few_pieces_however_many_pictures_there_are(
    settings: dict[str, Any], rows: int
) -> None:
    chosen = StyleSettings(**settings)
    with Emulation() as device:
        contents, styles = (elsewhere(one) for one in pictures(rows))
        encoder = Encoder(tiny_weights(), layers=chosen.layers, pooling=chosen.pooling, device=DEVICE)
        objective = Objective(
            encoder,
            content_targets(encoder, contents, chosen),
            style_targets(encoder, styles, chosen),
            chosen,
        )
        device.launches.clear()
        objective(contents)
        assert 0 < device.launches.total() <= MOST_LAUNCHES


@pytest.mark.parametrize("solver", SOLVERS[:4], ids=str)
def test_what_comes_out_is_what_the_cpu_makes(watched: Watched, solver: dict[str, Any]) -> None:
    settings = StyleSettings(steps=2 * CHECK_EVERY, scales=1, **solver)
    there = made_there(settings)
    content, style = pictures(1)
    plain = stylize(content, style, settings=settings, encoder=tiny_encoder(settings))
    assert float((here(there.image_bchw) - plain.image_bchw).abs().max()) < 1e-3
    assert there.reports[0].loss_curve == pytest.approx(plain.reports[0].loss_curve, rel=1e-3)


def test_the_host_looks_once_in_ten_steps(watched: Watched) -> None:
    made_there(StyleSettings(steps=CHECK_EVERY, scales=1))
    before = watched.device.waits.total()
    made_there(StyleSettings(steps=CHECK_EVERY, scales=1))
    ten = watched.device.waits.total() - before
    made_there(StyleSettings(steps=2 * CHECK_EVERY, scales=1))
    assert watched.device.waits.total() - before - ten == ten + 1


def test_bf16_is_finished_in_fp32_there_as_well_and_rows_go_on_together(watched: Watched) -> None:
    made = made_there(StyleSettings(steps=STEPS, scales=1), 2, torch.bfloat16)
    assert [len(report.decisions) for report in made.reports] == [1, 1]
    assert [report.evaluations for report in made.reports] == [STEPS, STEPS]
    assert watched.steps == STEPS


def test_a_wait_and_a_tensor_of_the_cpu_would_be_found() -> None:
    with Emulation() as device:
        values = elsewhere(torch.ones(3))
        with device.without_waits():
            for ask in (values.sum().item, values.nonzero, values.cpu, lambda: bool(values.any())):
                with pytest.raises(Waited):
                    ask()
            with pytest.raises(AssertionError, match="mixes tensors of two devices"):
                values + torch.ones(3)
            with pytest.raises(Waited):
                values.copy_(torch.ones(3))
