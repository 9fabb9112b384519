"""Dreams: what grows, by which steps, in which sizes, and that every setting of them counts."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from small_networks import speckles, tiny_encoder, tiny_weights, waves
from torch import Tensor

from stylize_core.dream.dream import dream
from stylize_core.dream.objective import DreamObjective, check_channels, dream_objective
from stylize_core.errors import Diverged, SettingsError
from stylize_core.loss.pixels import total_variation
from stylize_core.networks.encoder import Encoder, vgg_features
from stylize_core.optim.watching import Frames, StepProgress
from stylize_core.settings.resolved import around_of, octaves_of
from stylize_core.settings.style import StyleSettings
from stylize_core.transfer import Stylized, stylize

PLAIN: dict[str, Any] = {"octaves": 1, "jitter": 0, "margin": 0}


def settings_of(**given: Any) -> StyleSettings:
    return StyleSettings(**{"mode": "dream", "steps": 6, "octaves": 2, "dream_layers": ["relu2_1"], **given})


def dreamt(picture: Tensor, **given: Any) -> Stylized:
    settings = settings_of(**given)
    return stylize(picture, {}, settings=settings, encoder=encoder_of(settings))


def encoder_of(settings: StyleSettings, *, dtype: torch.dtype = torch.float32) -> Encoder:
    weights = tiny_weights(settings.encoder, dtype=dtype)
    return Encoder(weights, layers=settings.layers, pooling=settings.network_pooling, dtype=dtype)


PICTURE = 0.25 + waves(0.3, height=48, width=64) / 2


def test_layers_respond_more_and_more_to_a_dream() -> None:
    report = dreamt(PICTURE, steps=12, **PLAIN).reports[0]
    assert report.loss_curve[0] == pytest.approx(-1)  # in units of the response to the picture itself
    assert report.loss_curve == sorted(report.loss_curve, reverse=True)
    assert report.best_loss == report.loss_curve[-1] < -1.1
    assert (report.evaluations, report.accepted_steps, report.stop_reason) == (12, 12, "steps")


def test_the_terms_are_those_of_the_finished_picture() -> None:
    made = dreamt(PICTURE, tv_weight=2.0)
    assert set(made.terms) == {"dream", "tv"}
    aim = dream_objective(encoder_of(settings_of()), PICTURE, settings_of())
    torch.testing.assert_close(aim.terms(made.image_bchw)["dream"], torch.tensor(made.terms["dream"]))


def test_the_direction_is_that_of_automatic_differentiation() -> None:
    layers = {"relu1_2": 1.0, "relu2_1:3": 2.0, "relu2_1:5": 1.0, "pool2": 4.0}
    settings = settings_of(dream_layers=layers, tv_weight=3.0)
    encoder = encoder_of(settings, dtype=torch.float64)
    original, image = PICTURE.double(), speckles(3, height=48, width=64).double().requires_grad_()

    def strengths(picture: Tensor) -> dict[str, Tensor]:
        features = vgg_features(
            encoder.prepare(picture),
            tiny_weights(dtype=torch.float64).parameters,
            layers=settings.layers,
            architecture="slim",
            pooling="max",
        )
        named = {name: name.partition(":") for name in layers}
        chosen = {n: features[a] if not c else features[a][:, int(c)] for n, (a, _, c) in named.items()}
        return {name: value.square().mean() for name, value in chosen.items()}

    before, after = strengths(original), strengths(image)
    growth = torch.stack([w / 8 * after[name] / before[name] for name, w in layers.items()]).sum()
    rough = total_variation(image).sum()
    (expected,) = torch.autograd.grad(growth - 3 * rough, image)
    loss, direction = dream_objective(encoder, original, settings)(image.detach())
    torch.testing.assert_close(direction, expected, rtol=1e-6, atol=1e-12)
    torch.testing.assert_close(loss[0], 3 * rough - growth)


def test_a_step_moves_pixels_by_the_rate_on_average_whatever_the_picture() -> None:
    for picture in (PICTURE, 0.45 + PICTURE / 100):
        made = dreamt(picture, steps=1, dream_rate=0.01, **PLAIN).image_bchw
        assert float((made - picture).abs().mean()) == pytest.approx(0.01, rel=1e-4)


@pytest.mark.parametrize(
    "change",
    [
        {"dream_layers": ["relu2_2"]},
        {"dream_layers": ["relu2_1:3"]},
        {"dream_layers": {"relu2_1": 1, "relu1_1": 1}},
        {"dream_rate": 0.003},
        {"octaves": 1},
        {"octave_scale": 1.2},
        {"jitter": 5},
        {"seed": 1},
        {"steps": 7},
        {"margin": 0},
        {"tv_weight": 50.0},
        {"init": "noise"},
        {"colour": "luminance"},
    ],
    ids=str,
)
def test_every_setting_of_a_dream_counts(change: dict[str, Any]) -> None:
    plain, other = dreamt(PICTURE), dreamt(PICTURE, **change)
    assert float((plain.image_bchw - other.image_bchw).abs().max()) > 1e-4
    assert settings_of().canonical() != settings_of(**change).canonical()


def test_the_same_seed_gives_the_same_dream_and_leaves_the_picture_alone() -> None:
    kept = PICTURE.clone()
    one, other = dreamt(PICTURE), dreamt(PICTURE)
    assert torch.equal(one.image_bchw, other.image_bchw)
    assert torch.equal(PICTURE, kept)
    assert 0 <= float(one.image_bchw.min()) <= float(one.image_bchw.max()) <= 1


def test_a_channel_grows_more_than_in_a_dream_of_another_one() -> None:
    def response(channel: int, made: Stylized) -> float:
        settings = settings_of(dream_layers=[f"relu2_1:{channel}"])
        return float(dream_objective(encoder_of(settings), PICTURE, settings).terms(made.image_bchw)["dream"])

    dreams = {channel: dreamt(PICTURE, dream_layers=[f"relu2_1:{channel}"], steps=20) for channel in (1, 4)}
    for channel, made in dreams.items():
        other = dreams[5 - channel]
        assert response(channel, made) < response(channel, other)


def test_a_channel_that_is_not_there_is_refused_with_those_that_are() -> None:
    settings = settings_of(dream_layers=["relu1_1", "relu2_1:8"])
    message = r"dream_layers: 'relu2_1:8' is not accepted; relu2_1 has the channels 0 to 7"
    with pytest.raises(SettingsError, match=message):
        check_channels(encoder_of(settings), settings)
    check_channels(encoder_of(settings), settings_of(dream_layers=["relu1_1", "relu2_1:7"]))


@pytest.mark.parametrize(
    "name", ["relu9_1:1", "relu2_1:", "relu2_1:x", "relu2_1:-1", "relu2_1:01", "relu2_1:1:2"]
)
def test_what_is_no_channel_of_a_layer_is_refused(name: str) -> None:
    with pytest.raises(SettingsError, match=r"dream_layers: .* slim has relu1_1 to relu4_1"):
        settings_of(dream_layers=[name])
    with pytest.raises(SettingsError, match="content_layers"):
        StyleSettings(content_layers=["relu2_1:1"])


def test_octaves_grow_to_the_picture_by_their_scale() -> None:
    settings = settings_of(octaves=3, octave_scale=2.0, steps=8)

    def shares(width: int, height: int, least: int) -> list[float]:
        return [one.share for one in octaves_of(settings, width=width, height=height, least=least)]

    assert shares(200, 100, 1) == [0.25, 0.5, 1.0]
    assert shares(200, 100, 50) == [0.5, 1.0]
    assert shares(200, 10, 50) == [1.0]
    found = octaves_of(settings, width=200, height=100, least=1)
    assert [(one.first, one.last) for one in found] == [(0, 3), (3, 6), (6, 8)]


def test_octaves_that_would_be_too_small_are_left_out_and_said() -> None:
    report = dreamt(PICTURE, octaves=5, steps=10).reports[0]  # 48, 34 and then 24 px
    assert report.decisions == ["2 of 5 octaves; smaller ones would show too little"]
    assert report.evaluations == 10
    assert dreamt(PICTURE, octaves=2).reports[0].decisions == []


def test_what_was_dreamt_small_is_part_of_the_larger_picture() -> None:
    """With so many octaves as steps, the last one alone cannot have changed what the first one did."""
    coarse = dreamt(PICTURE, octaves=2, octave_scale=1.4, steps=2, dream_rate=0.01, jitter=0).image_bchw
    fine = dreamt(PICTURE, octaves=1, steps=1, dream_rate=0.01, jitter=0).image_bchw
    assert float((coarse - PICTURE).abs().mean()) > 1.3 * float((fine - PICTURE).abs().mean())


def test_one_edge_knows_nothing_of_the_opposite_one() -> None:
    """Shifted pictures are not wrapped round: that would leave seams."""
    other = PICTURE.clone()
    other[..., 32:] = speckles(1, height=48, width=32) / 2 + 0.25
    settings: dict[str, Any] = {"dream_layers": ["relu1_2"], "octaves": 1, "jitter": 8, "steps": 1}
    one, two = ((dreamt(p, **settings).image_bchw - p)[..., :20] for p in (PICTURE, other))
    ratio = float(two.norm() / one.norm())  # the mean size of the gradient is that of the whole picture
    torch.testing.assert_close(two, one * ratio, rtol=1e-3, atol=1e-6)


def test_rows_of_a_batch_dream_alone() -> None:
    batch = torch.cat([PICTURE, speckles(2, height=48, width=64)])
    together = dreamt(batch)
    for row in range(2):
        alone = dreamt(batch[row : row + 1])
        torch.testing.assert_close(together.image_bchw[row : row + 1], alone.image_bchw, rtol=1e-4, atol=1e-5)
        assert together.reports[row].loss_curve == pytest.approx(alone.reports[0].loss_curve, rel=1e-4)


def test_frames_have_the_size_of_the_picture_and_end_with_it() -> None:
    seen: dict[int, Tensor] = {}
    settings = settings_of()
    made = stylize(
        PICTURE,
        {},
        settings=settings,
        encoder=encoder_of(settings),
        frames=Frames((0, 2, 4, 6), seen.__setitem__),
    )
    assert list(seen) == [0, 2, 4, 6]
    assert torch.equal(seen[0], PICTURE)
    assert all(frame.shape == PICTURE.shape for frame in seen.values())
    assert torch.equal(seen[6], made.image_bchw)
    assert torch.equal(made.image_bchw, dreamt(PICTURE).image_bchw)


def test_a_dream_can_be_watched_and_ended() -> None:
    told: list[StepProgress] = []

    def watch(progress: StepProgress) -> None:
        told.append(progress)
        if progress.step == 20:
            raise KeyboardInterrupt

    settings = settings_of(steps=40)
    with pytest.raises(KeyboardInterrupt):
        stylize(PICTURE, {}, settings=settings, encoder=encoder_of(settings), callback=watch)
    assert [(p.step, p.steps) for p in told] == [(10, 40), (20, 40)]
    assert told[1].loss[0] < -1


def test_a_dream_of_luminance_keeps_grey_pictures_grey() -> None:
    grey = PICTURE.mean(1, keepdim=True).expand_as(PICTURE).contiguous()
    made = dreamt(grey, colour="luminance").image_bchw
    torch.testing.assert_close(made, made.mean(1, keepdim=True).expand_as(made), rtol=0, atol=1e-5)
    assert float((made - grey).abs().mean()) > 1e-3


def test_a_dream_has_no_style_to_match_colours_with() -> None:
    with pytest.raises(SettingsError, match=r"colour: 'match' .*a dream has no style"):
        settings_of(colour="match")


def test_a_dream_on_what_is_no_number_has_diverged() -> None:
    with pytest.raises(Diverged):
        dreamt(torch.full_like(PICTURE, float("nan")))


def test_a_flat_picture_may_be_dreamt_on() -> None:
    made = dreamt(torch.full_like(PICTURE, 0.5)).image_bchw
    assert bool(torch.isfinite(made).all())


def test_what_a_mode_has_no_use_for_has_no_part_in_its_identity() -> None:
    dreaming: dict[str, Any] = {"dream_layers": ["relu1_1"], "octaves": 7, "jitter": 1, "dream_rate": 0.5}
    assert StyleSettings(**dreaming).canonical() == StyleSettings().canonical()
    transferring: dict[str, Any] = {"style_weight": 3, "content_layers": ["relu1_1"], "optimizer": "adam"}
    assert settings_of(**transferring).canonical() == settings_of().canonical()
    spelled = settings_of(dream_layers={"relu2_1": 7}).canonical()
    assert (spelled["dream_layers"], spelled["init"]) == ({"relu2_1": 1.0}, "content")


def test_the_start_is_dreamt_on_without_a_single_step() -> None:
    """Fewer steps than octaves leave some without any."""
    settings = settings_of(steps=1, octaves=2)
    image, reports = dream(encoder_of(settings), PICTURE, settings=settings)
    assert (image.shape, reports[0].evaluations) == (PICTURE.shape, 1)
    assert tiny_encoder(settings).layers == ("relu2_1",)


@pytest.mark.parametrize("given", [{}, PLAIN, {"jitter": 200, "margin": 200}, {"jitter": 3}], ids=str)
def test_the_network_sees_so_much_around_a_dream_as_estimates_count(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, Any]
) -> None:
    seen, judge = set[tuple[int, ...]](), DreamObjective.__call__

    def watched(self: DreamObjective, image_bchw: Tensor) -> tuple[Tensor, Tensor]:
        seen.add(tuple(image_bchw.shape[-2:]))
        return judge(self, image_bchw)

    monkeypatch.setattr(DreamObjective, "__call__", watched)
    dreamt(PICTURE, **{**given, "octaves": 1})
    around = around_of(settings_of(**given), width=64, height=48)
    assert seen == {(48 + 2 * around, 64 + 2 * around)}
