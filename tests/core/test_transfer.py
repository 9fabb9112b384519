"""Whole transfers: the same bytes every time, the style really reached, and honest failures."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
import torch
from small_networks import speckles, tiny_encoder, tiny_weights, waves
from torch import Tensor

from stylize_core.errors import Diverged, ImageTooSmall, OutOfMemory
from stylize_core.loss.objective import Objective
from stylize_core.loss.targets import content_targets, style_targets
from stylize_core.networks.encoder import Encoder
from stylize_core.networks.vgg import Trace
from stylize_core.networks.weights import builtin_weights
from stylize_core.optim.watching import StepProgress
from stylize_core.pyramid.start import cover, starting_picture
from stylize_core.settings.style import StyleSettings
from stylize_core.transfer import Stylized, stylize

INITS: tuple[Any, ...] = ("content", "noise", "style", "image")
OPTIMIZERS: tuple[Any, ...] = ("lbfgs", "adam", "gd")


def content() -> Tensor:
    return waves(0.3)


def style() -> Tensor:
    return waves(1.7, height=30, width=22, finer=4)


def transfer(*, init_bchw: Tensor | None = None, rows: int = 1, **settings: Any) -> Stylized:
    chosen = StyleSettings(**{"steps": 20, **settings})
    contents = torch.cat([content(), content().flip(3), speckles(3)])[:rows]
    styles = torch.cat([style(), style().flip(1), style().flip(2)])[:rows]
    encoder = tiny_encoder(chosen)
    return stylize(contents, styles, settings=chosen, encoder=encoder, init_bchw=init_bchw)


def digest(result: Stylized) -> str:
    return hashlib.sha256(result.image_bchw.numpy().tobytes()).hexdigest()


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("init", INITS)
def test_two_runs_give_the_same_bytes_whatever_ran_in_between(init: Any, optimizer: Any) -> None:
    settings = {"init": init, "optimizer": optimizer, "init_bchw": style()}
    first = digest(transfer(**settings))
    torch.rand(3)
    transfer(init="noise", seed=99, optimizer="adam", loss="gatys", pooling="max")
    assert digest(transfer(**settings)) == first


@pytest.mark.parametrize(("init", "differs"), [("content", False), ("noise", True), ("image", False)])
def test_the_seed_changes_noise_only(init: str, differs: bool) -> None:
    digests = {digest(transfer(init=init, seed=seed, init_bchw=style())) for seed in (0, 1)}
    assert (len(digests) == 2) == differs


def test_a_transfer_leaves_the_global_random_state_alone() -> None:
    before = torch.random.get_rng_state()
    transfer(init="noise", seed=5)
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("init", INITS)
@pytest.mark.parametrize("loss", ["relative", "gatys"])
def test_pictures_are_finite_and_in_range(loss: str, init: str, optimizer: str) -> None:
    start = style().expand(2, -1, -1, -1)
    result = transfer(loss=loss, init=init, optimizer=optimizer, init_bchw=start, style_weight=1e6, rows=2)
    assert result.image_bchw.shape == (2, 3, 24, 32)
    assert result.image_bchw.dtype == torch.float32
    assert torch.isfinite(result.image_bchw).all()
    assert float(result.image_bchw.min()) >= 0
    assert float(result.image_bchw.max()) <= 1


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_the_statistics_of_the_style_are_really_approached(optimizer: str) -> None:
    settings = StyleSettings(steps=80, optimizer=optimizer)  # type: ignore[arg-type]
    encoder = Encoder(builtin_weights(), layers=settings.layers)
    picture, target = waves(0.3, height=48, width=48), waves(1.7, height=48, width=48, finer=3).flip(1)
    result = stylize(picture, target, settings=settings, encoder=encoder)
    report = result.reports[0]
    assert report.best_loss < report.loss_curve[0] / 4
    at_start = report.loss_curve[0]  # all of it style: the content is where it began
    assert result.terms["style"][0] < at_start / 3
    assert result.terms["content"][0] < 1


def test_without_weight_for_the_style_the_content_stays() -> None:
    result = transfer(style_weight=0)
    assert torch.equal(result.image_bchw, content())
    assert set(result.terms) == {"content"}
    assert result.reports[0].stop_reason == "stalled"


def test_without_weight_for_the_style_noise_becomes_the_content() -> None:
    start = transfer(style_weight=0, init="noise", steps=1)
    end = transfer(style_weight=0, init="noise", steps=200)
    assert end.terms["content"][0] < start.terms["content"][0] / 4


def test_without_weight_for_the_content_only_statistics_count() -> None:
    layers = ("relu1_1", "relu2_1", "relu3_1")  # a random network learns little of a fourth block
    result = transfer(content_weight=0, init="noise", steps=200, style_layers=layers)
    assert set(result.terms) == {"style"}
    assert result.terms["style"][0] < result.reports[0].loss_curve[0] / 3


def test_variation_alone_makes_noise_smooth() -> None:
    result = transfer(content_weight=0, style_weight=0, tv_weight=1, init="noise", steps=60)
    assert set(result.terms) == {"tv"}
    assert result.terms["tv"][0] < result.reports[0].loss_curve[0] / 100


def test_the_reported_terms_are_those_of_the_picture_returned() -> None:
    settings = StyleSettings(steps=30, tv_weight=1.0)
    encoder = tiny_encoder(settings)
    result = stylize(content(), style(), settings=settings, encoder=encoder)
    objective = Objective(
        encoder=encoder,
        content=content_targets(encoder, content(), settings),
        style=style_targets(encoder, style(), settings),
        settings=settings,
    )
    expected = objective.terms(result.image_bchw)
    assert result.terms == {name: pytest.approx(value.tolist()) for name, value in expected.items()}


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_batch_is_stylised_like_its_pairs_alone(optimizer: Any) -> None:
    together = transfer(rows=3, optimizer=optimizer, steps=12)
    settings = StyleSettings(steps=12, optimizer=optimizer)
    for row in range(3):
        contents = torch.cat([content(), content().flip(3), speckles(3)])[row : row + 1]
        styles = torch.cat([style(), style().flip(1), style().flip(2)])[row : row + 1]
        alone = stylize(contents, styles, settings=settings, encoder=tiny_encoder(settings))
        assert float((together.image_bchw[row] - alone.image_bchw[0]).abs().max()) < 2e-3
        for name, values in together.terms.items():
            assert values[row] == pytest.approx(alone.terms[name][0], rel=1e-2)


def test_a_style_kept_from_an_earlier_pair_gives_the_same_picture() -> None:
    settings = StyleSettings(steps=10)
    encoder = tiny_encoder(settings)
    kept = style_targets(encoder, style(), settings)
    again = stylize(content(), kept, settings=settings, encoder=encoder)
    assert digest(again) == digest(transfer(steps=10))


def test_nothing_that_was_handed_in_is_written_to() -> None:
    settings = StyleSettings(steps=10, init="image")
    given = {"content": content(), "style": style(), "init": speckles(1)}
    kept = {name: value.clone() for name, value in given.items()}
    encoder = tiny_encoder(settings)
    stylize(given["content"], given["style"], settings=settings, encoder=encoder, init_bchw=given["init"])
    assert all(torch.equal(given[name], kept[name]) for name in given)


def test_weights_beyond_all_numbers_diverge_honestly() -> None:
    """In the paper's forms, weights of 1e15 on features of 1e15 leave float32."""
    settings = StyleSettings(loss="gatys", steps=60, style_weight=1e15, content_weight=1e15)
    weights = tiny_weights()
    for value in weights.parameters.values():
        value *= 1e4
    encoder = Encoder(weights, layers=settings.layers)
    with pytest.raises(Diverged) as caught:
        stylize(content(), style(), settings=settings, encoder=encoder)
    assert str(caught.value) == (
        "the loss was not finite even at the start; 20 evaluations, no remedy helped; "
        "try smaller weights or another init"
    )


class Failing(Encoder):
    """A network that sees nothing finite after so many looks, as with a device that breaks."""

    looks = 9

    def taps(self, trace: Trace) -> dict[str, Tensor]:
        self.looks -= 1
        factor = 1.0 if self.looks > 0 else torch.nan
        return {layer: factor * features for layer, features in super().taps(trace).items()}


def test_a_loss_that_is_lost_on_the_way_is_told_with_the_smallest_before() -> None:
    settings = StyleSettings(steps=60)
    encoder = Failing(tiny_weights(), layers=settings.layers)
    with pytest.raises(Diverged, match=r"left the finite numbers for good, \d.* the smallest before; 30"):
        stylize(content(), style(), settings=settings, encoder=encoder)


def test_one_row_that_diverges_does_not_fail_its_batch() -> None:
    settings = StyleSettings(steps=10)  # further on, rounding drives equal optimisations apart
    contents = torch.cat([content(), torch.full((1, 3, 24, 32), torch.nan)])
    styles = style().expand(2, -1, -1, -1)
    result = stylize(contents, styles, settings=settings, encoder=tiny_encoder(settings))
    assert [report.stop_reason for report in result.reports] == ["steps", "diverged"]
    assert torch.isfinite(result.image_bchw[0]).all()
    alone = stylize(content(), style(), settings=settings, encoder=tiny_encoder(settings))
    assert float((result.image_bchw[0] - alone.image_bchw[0]).abs().max()) < 1e-3


def test_pictures_too_small_are_refused_before_any_work() -> None:
    settings = StyleSettings(steps=5)
    encoder = tiny_encoder(settings)
    with pytest.raises(ImageTooSmall, match="32x3 px is too small for relu4_1, which needs 8 px"):
        stylize(content()[..., :3, :], style(), settings=settings, encoder=encoder)
    with pytest.raises(ImageTooSmall, match="2x30 px"):
        stylize(content(), style()[..., :2], settings=settings, encoder=encoder)


def test_memory_that_does_not_suffice_is_told_with_the_size() -> None:
    """192 terabytes, more than an address space holds; the picture itself takes one pixel."""
    settings = StyleSettings(steps=5)
    huge = torch.zeros(1, 3, 1, 1).expand(1, 3, 4_000_000, 4_000_000)
    with pytest.raises(OutOfMemory, match=r"1 picture\(s\) of 4000000x4000000 px do not fit on cpu"):
        stylize(huge, style(), settings=settings, encoder=tiny_encoder(settings))


def test_progress_reaches_the_listener_and_its_exceptions_the_caller() -> None:
    settings, told = StyleSettings(steps=20), list[StepProgress]()
    encoder = tiny_encoder(settings)
    stylize(content(), style(), settings=settings, encoder=encoder, callback=told.append)
    assert [progress.step for progress in told] == [10, 20]

    def stop(progress: StepProgress) -> None:
        raise InterruptedError(f"{progress.step} of {progress.steps}")

    with pytest.raises(InterruptedError, match="10 of 20"):
        stylize(content(), style(), settings=settings, encoder=encoder, callback=stop)


def test_noise_is_the_same_for_every_row_and_uniform() -> None:
    rows = content().expand(3, -1, -1, -1)
    noise = starting_picture(rows, StyleSettings(init="noise", seed=7))
    assert torch.equal(noise[0], noise[2])
    assert float(noise.min()) >= 0
    assert float(noise.max()) <= 1
    assert float(noise.std()) == pytest.approx(12**-0.5, rel=0.05)
    noise[0] = 0
    assert float(noise[1].max()) > 0, "rows share their memory"


def test_starting_from_the_content_takes_a_copy() -> None:
    picture = content()
    start = starting_picture(picture, StyleSettings(init="content"))
    assert torch.equal(start, picture)
    assert start.data_ptr() != picture.data_ptr()


@pytest.mark.parametrize("init", ["style", "image"])
def test_starting_from_a_picture_needs_one(init: Any) -> None:
    with pytest.raises(ValueError, match=f"init: {init} needs init_bchw"):
        starting_picture(content(), StyleSettings(init=init))
    start = starting_picture(content(), StyleSettings(init=init), init_bchw=speckles(0, height=24, width=32))
    torch.testing.assert_close(start, speckles(0, height=24, width=32))


@pytest.mark.parametrize("size", [(1, 1), (5, 90), (90, 5), (24, 32), (48, 64), (7, 3)])
def test_a_cover_keeps_the_aspect_and_fills_the_frame(size: tuple[int, int]) -> None:
    """A picture that is red on its left half and blue on its right stays so, whatever is cut off."""
    image = torch.zeros(1, 3, *size)
    image[:, 0, :, : size[1] // 2], image[:, 2, :, size[1] // 2 :] = 1, 1
    covered = cover(image, height=24, width=32)
    assert covered.shape == (1, 3, 24, 32)
    assert float(covered.min()) >= 0
    assert float(covered.max()) <= 1
    if size[1] % 2 == 0:
        torch.testing.assert_close(covered[:, 0], covered[:, 2].flip(2), atol=1e-5, rtol=0)


def test_a_cover_of_the_same_size_is_the_picture() -> None:
    torch.testing.assert_close(cover(speckles(1), height=24, width=32), speckles(1))


def test_the_range_weight_keeps_what_clamping_would_cut_off() -> None:
    kept = transfer(range_weight=100, steps=40, diagonal_gain=1).terms
    cut = transfer(range_weight=0, steps=40, diagonal_gain=1).terms
    assert sum(values[0] for values in kept.values()) < sum(values[0] for values in cut.values())


def test_a_margin_is_cut_off_again_and_changes_what_lies_along_the_frame() -> None:
    wide = waves(0.3, height=96, width=120)
    settings = {margin: StyleSettings(steps=5, margin=margin) for margin in (0, 4)}
    made = {
        margin: stylize(wide, style(), settings=chosen, encoder=tiny_encoder(chosen)).image_bchw
        for margin, chosen in settings.items()
    }
    assert made[0].shape == made[4].shape == wide.shape
    difference = (made[0] - made[4]).abs().mean((0, 1))
    assert float(difference[:2].mean()) > 2 * float(difference[40:56].mean())
