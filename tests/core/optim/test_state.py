"""What an optimisation is at can be saved between any two steps, and gone on from to the same last bit."""

from __future__ import annotations

import io
import math
from dataclasses import replace
from functools import cache
from typing import Any

import pytest
import torch
from small_networks import tiny_encoder, tiny_weights, waves
from test_minimise import changed, objective_of, pairs
from torch import Tensor

from stylize_core.networks.encoder import Encoder
from stylize_core.optim.descent import Descent, begun
from stylize_core.optim.minimise import minimise
from stylize_core.optim.state import Saved, UnfitState, restore, saved
from stylize_core.optim.watching import Checkpoints, RowReport, Underway
from stylize_core.settings.style import StyleSettings
from stylize_core.transfer import Stylized, stylize


class Ended(Exception):
    """The process ends here."""


def written(state: Saved) -> bytes:
    """What a file has of it."""
    file = io.BytesIO()
    state.write_to(file)
    return file.getvalue()


def read(data: bytes) -> Saved:
    """What such a file holds."""
    return Saved.read_from(io.BytesIO(data))


class Leaving:
    """Keeps the state after so many steps, as a file would have it, and ends the work."""

    def __init__(self, after: int, row: int = 0) -> None:
        self.after, self.row, self.asked, self.data = after, row, 0, b""

    def __call__(self, state: Underway) -> None:
        self.asked += 1
        if self.asked == self.after:
            self.data = written(saved(state.row(state.rows.index(self.row))))
            raise Ended


def nothing(_: Underway) -> None:
    pass


def made(
    settings: StyleSettings, checkpoints: Checkpoints | None = None, dtype: torch.dtype = torch.float32
) -> Stylized:
    content, style = waves(0.3, height=40, width=56), waves(1.7, height=48, width=36, finer=4).flip(1)
    encoder = Encoder(
        tiny_weights(settings.encoder), layers=settings.layers, pooling=settings.pooling, dtype=dtype
    )
    return stylize(content, style, settings=settings, encoder=encoder, checkpoints=checkpoints)


@cache
def calm(settings: StyleSettings, dtype: torch.dtype = torch.float32) -> Stylized:
    """What nobody has broken off."""
    return made(settings, dtype=dtype)


def gone_on(settings: StyleSettings, after: int, dtype: torch.dtype = torch.float32) -> Stylized:
    leaving = Leaving(after)
    with pytest.raises(Ended):
        made(settings, Checkpoints(leaving), dtype)
    return made(settings, Checkpoints(nothing, read(leaving.data)), dtype)


def assert_same(resumed: Stylized, undisturbed: Stylized) -> None:
    assert torch.equal(resumed.image_bchw, undisturbed.image_bchw)
    assert resumed.terms == undisturbed.terms
    (one,), (other,) = resumed.reports, undisturbed.reports
    assert any(said.startswith("went on from a checkpoint after ") for said in one.decisions)
    kept = [said for said in one.decisions if not said.startswith("went on from a checkpoint")]
    assert replace(one, decisions=kept) == other


DREAM: dict[str, Any] = {
    "mode": "dream", "dream_layers": ("relu2_1", "relu1_1:3"), "octaves": 3, "octave_scale": 1.2, "seed": 3
}  # fmt: skip


@pytest.mark.parametrize("after", [1, 9, 10, 22, 27, 41])
@pytest.mark.parametrize(
    "settings",
    [
        {"scales": 2},
        {"scales": 1, "diagonal_gain": 1.0, "history": 3},
        {"scales": 2, "whitening": 0.6, "forms_gain": 3.0},
        {"scales": 2, "optimizer": "adam", "average": 0.9, "init": "noise"},
        {"scales": 1, "optimizer": "gd", "colour": "luminance"},
        DREAM,
    ],
    ids=str,
)
def test_a_picture_gone_on_with_is_the_undisturbed_one(settings: dict[str, Any], after: int) -> None:
    asked = StyleSettings(steps=44, **settings)
    assert_same(gone_on(asked, after), calm(asked))


@pytest.mark.parametrize("after", [25, 45])
def test_so_it_is_where_nothing_changes_any_more_or_fp32_has_taken_over(after: int) -> None:
    still = StyleSettings(steps=60, scales=1, plateau=16.0)
    assert_same(gone_on(still, after), calm(still))
    coarse = StyleSettings(steps=60, scales=1)
    assert_same(gone_on(coarse, after, torch.bfloat16), calm(coarse, torch.bfloat16))


@pytest.mark.parametrize("after", [5, 20])
def test_so_it_is_where_slim_has_begun(after: int) -> None:
    asked = StyleSettings(encoder="vgg19", init="slim", steps=24, scales=2)
    assert_same(gone_on(asked, after), calm(asked))


def test_so_it_is_while_adam_rescues_what_l_bfgs_has_lost() -> None:
    settings = StyleSettings(steps=60)
    content, style = pairs(1)

    def objective() -> Any:
        calls = iter(range(1000))

        def factor(image: Tensor) -> Tensor:
            return torch.full((1,), torch.nan if 3 <= next(calls) < 10 else 1.0)

        return changed(objective_of(content, style, settings), factor)

    undisturbed, (report,) = minimise(objective(), content, settings=settings)
    leaving = Leaving(35)
    with pytest.raises(Ended):
        minimise(objective(), content, settings=settings, checkpoints=Checkpoints(leaving))
    begin = read(leaving.data)
    assert begin.facts["phase"] == "rescue"
    sound = objective_of(content, style, settings)
    resumed, (again,) = minimise(sound, content, settings=settings, checkpoints=Checkpoints(nothing, begin))
    assert torch.equal(resumed, undisturbed)
    assert again.loss_curve[10:] == report.loss_curve[10:]
    assert (again.evaluations, again.stop_reason) == (60, "steps")


def test_a_row_of_a_batch_goes_on_alone() -> None:
    settings = StyleSettings(steps=30)
    contents, styles = pairs(3)
    exact = tiny_encoder(settings, dtype=torch.float64)
    leaving = Leaving(17, row=1)
    with pytest.raises(Ended):
        stylize(
            contents.double(),
            styles.double(),
            settings=settings,
            encoder=exact,
            checkpoints=Checkpoints(leaving),
        )
    one = (contents[1:2].double(), styles[1:2].double())
    going = Checkpoints(nothing, read(leaving.data))
    resumed = stylize(*one, settings=settings, encoder=exact, checkpoints=going)
    alone = stylize(*one, settings=settings, encoder=exact)
    assert float((resumed.image_bchw - alone.image_bchw).abs().max()) < 1e-7
    assert resumed.reports[0].evaluations == 30


def state() -> Descent:
    return begun(waves(0.3), StyleSettings(), [RowReport(loss_curve=[math.nan, 0.1])], stage=0)


def test_what_is_not_whole_or_something_else_is_refused() -> None:
    data = written(saved(state()))
    assert read(data).facts["reports.0.loss_curve"][1] == 0.1
    for spoiled in (b"", data[:-1], data[:200] + b"x" + data[201:], b"PK" + data, b"\x80\x04N."):
        with pytest.raises(UnfitState, match="not whole"):
            read(spoiled)


@pytest.mark.parametrize(
    "settings", [{"history": 4}, {"optimizer": "adam"}, {"plateau": 1.0}, {"diagonal_gain": 1.0}], ids=str
)
def test_a_state_of_another_form_changes_nothing(settings: dict[str, Any]) -> None:
    other = begun(waves(0.7), StyleSettings(**settings), [RowReport()], stage=0)
    before = read(written(saved(other)))
    with pytest.raises(UnfitState):
        restore(other, saved(state()))
    now = saved(other)
    assert now.facts == before.facts
    assert all(torch.equal(value, before.tensors[path]) for path, value in now.tensors.items())


@pytest.mark.parametrize(("key", "value"), [("octave", 3), ("octave", True), ("octave", 0), ("step", 44)])
def test_a_dream_in_an_octave_that_cannot_be_is_refused(key: str, value: object) -> None:
    settings, leaving = StyleSettings(steps=44, **DREAM), Leaving(30)
    with pytest.raises(Ended):
        made(settings, Checkpoints(leaving))
    whole = read(leaving.data)
    with pytest.raises(UnfitState):
        made(settings, Checkpoints(nothing, Saved(whole.tensors, {**whole.facts, key: value})))
    with pytest.raises(UnfitState):
        made(StyleSettings(steps=44), Checkpoints(nothing, whole))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("stage", 7),
        ("phase", "sleep"),
        ("rows", [1]),
        ("step", "x"),
        ("step", 20),
        ("shape", [3, 1, 1]),
        ("untold", 11),
        ("accepted", []),
        ("reports.0.loss_curve", ["x"]),
        ("reports.0.decisions", [1]),
    ],
)
def test_facts_that_cannot_be_are_refused(key: str, value: object) -> None:
    settings = StyleSettings(steps=20)
    whole = saved(state())
    begin = Saved(whole.tensors, {**whole.facts, key: value})
    with pytest.raises(UnfitState):
        made_of(settings, begin)


def made_of(settings: StyleSettings, begin: Saved) -> None:
    content, style = waves(0.3), waves(1.7)
    minimise(
        objective_of(content, style, settings),
        content,
        settings=settings,
        checkpoints=Checkpoints(nothing, begin),
    )
