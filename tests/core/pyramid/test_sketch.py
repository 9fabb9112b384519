"""A larger network that starts from what `slim` makes of the same pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
from small_networks import tiny_encoder, tiny_weights, waves
from torch import Tensor

from stylize_core.errors import SettingsError
from stylize_core.loss.regions import StyledRegion
from stylize_core.loss.targets import Targets, stack_targets, style_targets
from stylize_core.networks.encoder import Encoder
from stylize_core.networks.slim import slim_beside
from stylize_core.optim.watching import Frames, StepProgress
from stylize_core.pyramid.level import ViewSpec, targets_seen
from stylize_core.pyramid.sketch import SKETCHED
from stylize_core.settings import sketch as sketch_settings
from stylize_core.settings.sketch import sketch_of
from stylize_core.settings.style import StyleSettings
from stylize_core.transfer import Stylized, stylize

BEGUN = 20
"""So many of slim's steps here, a fifth of what they are: how many there are changes nothing else."""

FROM_SLIM = StyleSettings(encoder="vgg19", init="slim", steps=20, scales=1)
PROGRAM: dict[str, Any] = {
    "loss": "mean",
    "content_weight": 5.0,
    "style_weight": 500.0,
    "range_weight": 500.0,
}


@pytest.fixture(autouse=True)
def _a_short_beginning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sketch_settings, "SKETCH_STEPS", BEGUN)


def content() -> Tensor:
    return waves(0.3)


def style() -> Tensor:
    return waves(1.7, height=32, width=32, finer=3).flip(1)


def from_slim(settings: StyleSettings = FROM_SLIM, **more: Any) -> Stylized:
    return stylize(content(), style(), settings=settings, encoder=tiny_encoder(settings), **more)


def start_of(settings: StyleSettings) -> Tensor:
    """What a run with these settings starts from."""
    seen: list[Tensor] = []
    from_slim(settings, frames=Frames((0,), lambda _, shown: seen.append(shown)))
    return seen[0]


@pytest.mark.parametrize(
    "given",
    [{}, {"mode": "texture"}, {"colour": "match"}, {"optimizer": "adam"}, {"margin": 0}, PROGRAM],
    ids=lambda given: ", ".join(f"{key}: {value}" for key, value in list(given.items())[:1]) or "defaults",
)
def test_it_starts_from_the_picture_that_slim_makes(given: dict[str, Any]) -> None:
    settings = replace(FROM_SLIM, **given)
    slim = slim_beside(tiny_encoder(settings))
    made = stylize(content(), style(), settings=sketch_of(settings), encoder=slim)
    assert torch.allclose(start_of(settings), made.image_bchw, atol=1e-6)
    assert made.reports[0].evaluations == BEGUN


def test_slim_makes_it_by_its_own_layers_sizes_and_form_of_loss() -> None:
    sketch = sketch_of(
        replace(
            FROM_SLIM, content_layers=("relu4_2",), pooling="max", forms_gain=3.0, tv_weight=2.0, **PROGRAM
        )
    )
    own = StyleSettings(steps=BEGUN)
    names = "encoder layers loss scales coarsest diagonal_gain forms_gain network_pooling tv_weight"
    for name in names.split():
        assert getattr(sketch, name) == getattr(own, name), name
    assert (sketch.content_weight, sketch.style_weight) == (1, 100)


def test_weights_of_a_relative_loss_are_slims_too_and_none_stays_none() -> None:
    ours = sketch_of(replace(FROM_SLIM, content_weight=2.0, style_weight=50.0))
    assert (ours.content_weight, ours.style_weight) == (2.0, 50.0)
    assert sketch_of(replace(FROM_SLIM, **{**PROGRAM, "content_weight": 0.0})).content_weight == 0


def test_the_record_says_where_it_started_and_counts_what_came_after() -> None:
    (report,) = from_slim().reports
    assert SKETCHED in report.decisions
    assert report.evaluations == FROM_SLIM.steps
    (other,) = from_slim(replace(FROM_SLIM, init="content")).reports
    assert SKETCHED not in other.decisions


def test_rows_of_a_batch_start_each_from_its_own() -> None:
    contents, styles = torch.cat([content(), content().flip(3)]), torch.cat([style(), style().flip(2)])
    encoder = tiny_encoder(FROM_SLIM, dtype=torch.float64)  # so that rounding stays small
    both = stylize(contents.double(), styles.double(), settings=FROM_SLIM, encoder=encoder).image_bchw
    for row in (0, 1):
        pair = contents[row : row + 1].double(), styles[row : row + 1].double()
        alone = stylize(*pair, settings=FROM_SLIM, encoder=encoder).image_bchw
        assert torch.allclose(both[row], alone[0], atol=1e-6)


def test_regions_begin_with_their_own_styles() -> None:
    """Red on the left and blue on the right, before the larger network has seen anything."""
    encoder, mask = tiny_encoder(FROM_SLIM), torch.zeros(1, 1, 24, 32)
    mask[..., 16:] = 1
    red = style() * torch.tensor([1.0, 0.2, 0.2]).view(3, 1, 1)
    pictures, asked = (red, red.flip(1)), list[ViewSpec]()

    def measured(view: ViewSpec) -> tuple[Targets, Sequence[Targets]]:
        asked.append(view)
        first, second = (targets_seen(view, encoder, one, FROM_SLIM) for one in pictures)
        return first, [second]

    whole, (other,) = measured(ViewSpec())
    seen: list[Tensor] = []
    stylize(
        content(), whole, settings=FROM_SLIM, encoder=encoder, measured=measured,
        regions=[StyledRegion(mask, other)], frames=Frames((0,), lambda _, shown: seen.append(shown)),
    )  # fmt: skip
    assert any(view.sketch and view.share == 1 for view in asked)
    left, right = (seen[0][..., place].mean((0, 2, 3)) for place in (slice(0, 12), slice(20, 32)))
    assert left[0] > left[2] + 0.2
    assert right[2] > right[0] + 0.2


def test_tiles_change_nothing_but_the_memory() -> None:
    settings = replace(FROM_SLIM, steps=3, margin=0)
    encoder = tiny_encoder(settings, dtype=torch.float64)
    pictures = waves(0.3, height=96, width=128).double(), style().double()
    whole, tiled = (
        stylize(*pictures, settings=settings, encoder=encoder, tile_px=px).image_bchw for px in (0, 64)
    )
    assert torch.allclose(tiled, whole, atol=1e-6)


def test_statistics_alone_do_not_tell_slim_what_the_style_is() -> None:
    encoder = tiny_encoder(FROM_SLIM)
    measured = stack_targets([style_targets(encoder, style(), FROM_SLIM)])
    with pytest.raises(ValueError, match="init: slim needs `measured`"):
        stylize(content(), measured, settings=FROM_SLIM, encoder=encoder)


def test_who_looks_on_hears_of_step_0_meanwhile_and_may_end_it() -> None:
    told: list[StepProgress] = []
    from_slim(callback=told.append)
    before = [progress for progress in told if not progress.step]
    assert len(before) >= BEGUN // 20
    assert {progress.steps for progress in told} == {FROM_SLIM.steps}
    assert told[-1].step == FROM_SLIM.steps

    def stop(progress: StepProgress) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        from_slim(callback=stop)


def test_slim_computes_in_the_number_format_of_the_other_network() -> None:
    weights = tiny_weights("vgg19")
    for dtype in (torch.bfloat16, torch.float32, torch.float64):
        beside = slim_beside(Encoder(weights, layers=FROM_SLIM.layers, dtype=dtype))
        assert (beside.dtype, beside.architecture) == (dtype, "slim")


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"encoder": "slim"}, "name a larger encoder"),
        ({"mode": "content"}, "`mode: content` has none"),
        ({"mode": "dream"}, "`mode: dream` has none"),
        ({"style_weight": 0.0}, "`style_weight` is 0"),
    ],
)
def test_what_slim_cannot_begin_is_refused(given: dict[str, Any], why: str) -> None:
    with pytest.raises(SettingsError, match=why) as refused:
        replace(FROM_SLIM, **given)
    assert (refused.value.key, refused.value.value) == ("init", "slim")
