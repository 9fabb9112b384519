"""From coarse to fine: which sizes there are, what each starts from, and what of it is seen."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pytest
import torch
from small_networks import speckles, tiny_encoder, waves
from torch import Tensor

from stylize_core.loss.regions import StyledRegion
from stylize_core.loss.targets import Targets, style_targets
from stylize_core.networks.encoder import Encoder
from stylize_core.optim.watching import Frames, StepProgress
from stylize_core.pyramid.level import Level, ViewSpec, scaled, softened, softness, targets_seen
from stylize_core.settings.schedule import FEWEST_STEPS, stages
from stylize_core.settings.style import StyleSettings
from stylize_core.transfer import Stylized, stylize


class Looking(Encoder):
    """A network that remembers the sizes of what it was shown while the optimiser ran."""

    seen: list[tuple[int, ...]]

    def pull_back(self, trace: Any, seeds: Any, *section: Any) -> Tensor:
        gradient = super().pull_back(trace, seeds, *section)
        self.seen.append(tuple(gradient.shape[-2:]))
        return gradient


def looking(settings: StyleSettings) -> Looking:
    encoder = tiny_encoder(settings)
    encoder.__class__ = Looking
    encoder.seen = []  # type: ignore[attr-defined]
    assert isinstance(encoder, Looking)
    return encoder


def content() -> Tensor:
    return waves(0.3, height=48, width=64)


def style() -> Tensor:
    return waves(1.7, height=40, width=40, finer=3).flip(1)


def made(settings: StyleSettings, encoder: Encoder | None = None, **more: Any) -> Stylized:
    return stylize(content(), style(), settings=settings, encoder=encoder or tiny_encoder(settings), **more)


@pytest.mark.parametrize(("sizes", "steps"), [(1, 1), (2, 40), (3, 200), (5, 203), (8, 77), (8, 5)])
def test_stages_follow_one_another_and_end_at_full_size(sizes: int, steps: int) -> None:
    found = stages(sizes, steps)
    assert found[0].first == 0
    assert (found[-1].last, found[-1].share) == (steps, 1.0)
    for one, two in pairwise(found):
        assert one.last == two.first
        assert two.share == 2 * one.share
        assert one.last - one.first >= FEWEST_STEPS
    assert len(found) <= sizes
    assert found[-1].last - found[-1].first >= steps / 2


@pytest.mark.parametrize("sizes", [6, 7, 9, 10, 13])
@pytest.mark.parametrize("steps", [200, 203, 600])
def test_each_of_many_sizes_is_given_time_and_the_last_one_no_less(sizes: int, steps: int) -> None:
    """Sizes that share a half between them learn no large forms where they are many."""
    given = [stage.last - stage.first for stage in stages(sizes, steps)]
    assert min(given) >= min(steps // 10, steps // sizes)
    assert given[-1] >= max(given[:-1])
    if len(given) <= 6:
        assert given[-1] == steps - steps // 2


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"size": 45}, 1),
        ({"size": 63}, 2),
        ({"size": 768}, 6),
        ({"size": 768, "coarsest": 32}, 5),
        ({"size": 64}, 2),
        ({"size": 1024}, 6),
        ({"size": 1024, "coarsest": 256}, 3),
        ({"size": 1024, "encoder": "vgg19"}, 5),
        ({"size": 1024, "steps": 30}, 2),
        ({"size": 1024, "scales": 1}, 1),
        ({"size": 64, "scales": 3}, 3),
        ({"size": 1024, "loss": "gatys"}, 1),
        ({"size": 1024, "mode": "content"}, 1),
        ({"size": 1024, "mode": "content", "scales": 2}, 2),
    ],
)
def test_large_pictures_have_several_sizes_and_an_identity_that_says_so(
    settings: dict[str, Any], expected: int
) -> None:
    asked = StyleSettings(**settings)
    assert len(asked.stages(asked.picture_size.expected_px)) == expected
    assert asked.canonical().get("scales", 1) == expected


def test_every_size_gets_its_steps_and_the_report_counts_them_all() -> None:
    settings = StyleSettings(steps=80, scales=3, margin=0)
    encoder, told = looking(settings), list[StepProgress]()
    result = made(settings, encoder, callback=told.append)
    assert encoder.seen == [(12, 16)] * 20 + [(24, 32)] * 20 + [(48, 64)] * 40
    (report,) = result.reports
    assert (report.evaluations, len(report.loss_curve), report.stop_reason) == (80, 80, "steps")
    assert report.best_loss == pytest.approx(min(report.loss_curve[40:]), rel=1e-6)
    assert [progress.step for progress in told] == list(range(10, 81, 10))
    assert {progress.steps for progress in told} == {80}
    assert result.image_bchw.shape == content().shape


def test_one_size_is_what_it_was_before_there_were_several() -> None:
    settings = StyleSettings(steps=40, scales=1)
    assert torch.equal(made(settings).image_bchw, made(StyleSettings(steps=40, coarsest=64)).image_bchw)
    assert not torch.equal(made(settings).image_bchw, made(StyleSettings(steps=40, scales=2)).image_bchw)


def test_a_larger_size_begins_nearer_to_its_end_than_the_content_does() -> None:
    settings = StyleSettings(steps=120, scales=2, margin=0)
    several = made(settings).reports[0].loss_curve
    single = made(StyleSettings(steps=60, scales=1, margin=0)).reports[0].loss_curve
    assert several[60] < single[0] / 2


@pytest.mark.parametrize("init", ["content", "noise", "image"])
def test_each_start_is_carried_to_the_next_size(init: Any) -> None:
    settings = StyleSettings(init=init)
    level = Level(content(), {}, (), settings)
    began, here = scaled(content(), 0.5), content()
    changed = began + 0.1
    carried = level.carried(changed, began, here)
    if init == "noise":
        assert float((carried - here).abs().mean()) == pytest.approx(0.1, abs=0.02)
        assert not torch.allclose(carried, here + 0.1, atol=1e-4), "the start's own details came along"
    else:
        torch.testing.assert_close(carried, here + 0.1, atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    "settings",
    [
        {"colour": "luminance"},
        {"colour": "match"},
        {"init": "noise", "seed": 4},
        {"init": "style"},
        {"mode": "texture", "aspect": "3:2"},
        {"optimizer": "adam"},
        {"optimizer": "gd", "average": 0.9},
        {"statistics": "moments"},
    ],
)
def test_all_kinds_of_pictures_are_made_from_coarse_to_fine_twice_alike(settings: dict[str, Any]) -> None:
    asked = StyleSettings(steps=40, scales=2, **settings)
    init = style() if asked.start == "style" else None
    encoder = looking(asked)
    one, two = (made(asked, use, init_bchw=init) for use in (encoder, tiny_encoder(asked)))
    assert len(set(encoder.seen)) == 2
    assert torch.equal(one.image_bchw, two.image_bchw)
    assert one.reports[0].best_loss < one.reports[0].loss_curve[20]


def test_frames_all_have_the_size_of_the_result() -> None:
    shown: dict[int, Tensor] = {}
    settings = StyleSettings(steps=40, scales=2)
    result = made(settings, frames=Frames({0, 10, 20, 30, 40}, shown.__setitem__))
    assert sorted(shown) == [0, 10, 20, 30, 40]
    for picture in shown.values():
        assert picture.shape == content().shape
        assert 0 <= float(picture.min()) <= float(picture.max()) <= 1
    assert torch.equal(shown[40], result.image_bchw)
    assert torch.equal(result.image_bchw, made(settings).image_bchw)


def test_statistics_without_those_of_smaller_pictures_leave_one_size() -> None:
    settings = StyleSettings(steps=40, scales=2, margin=0)
    encoder = looking(settings)
    stylize(content(), style_targets(encoder, style(), settings), settings=settings, encoder=encoder)
    assert encoder.seen == [(48, 64)] * 40


def test_regions_have_their_styles_at_every_size() -> None:
    settings = StyleSettings(steps=40, scales=2, margin=0)
    encoder, asked = looking(settings), list[ViewSpec]()

    def measured(picture: Tensor, share: float = 1) -> Targets:
        return style_targets(encoder, scaled(picture, share, least=encoder.min_side), settings)

    def in_view(view: ViewSpec) -> tuple[Targets, Sequence[Targets]]:
        asked.append(view)
        return measured(style(), view.share), [measured(speckles(1), view.share)]

    mask = torch.zeros(1, 1, 48, 64)
    mask[..., :32] = 1
    region = StyledRegion(mask, measured(speckles(1)))
    result = stylize(
        content(), measured(style()), settings=settings, encoder=encoder, regions=[region], measured=in_view
    )
    assert asked == [ViewSpec(0.5)]
    assert encoder.seen == [(24, 32)] * 20 + [(48, 64)] * 20
    assert result.reports[0].best_loss < result.reports[0].loss_curve[20]


@pytest.mark.parametrize("share", [1.0, 0.5, 0.3])
def test_a_small_style_is_seen_as_its_enlarged_picture_is_at_every_size(share: float) -> None:
    settings = StyleSettings(statistics="moments")
    encoder, soft = tiny_encoder(settings), torch.linspace(0.2, 1, 40).expand(1, 1, 40, 40)
    softly = softened(style(), softness(5))
    large, soft_and_large = scaled(softly, 5), scaled(soft, 5)
    found = targets_seen(ViewSpec(share), encoder, style(), settings, alpha_b1hw=soft, meant_px=200)
    wanted = targets_seen(ViewSpec(share), encoder, large, settings, alpha_b1hw=soft_and_large, meant_px=200)
    for layer, value in found.items():
        torch.testing.assert_close(value, wanted[layer], rtol=0, atol=float(value.abs().max()) * 0.03)
    as_it_comes = targets_seen(ViewSpec(share), encoder, style(), settings, alpha_b1hw=soft)
    assert any(
        float((as_it_comes[one] - wanted[one]).abs().max()) > 0.1 * float(wanted[one].abs().max())
        for one in wanted
    )


def test_softening_is_a_blur_that_keeps_means_and_takes_single_pixels() -> None:
    point = torch.zeros(2, 3, 21, 21)
    point[0, 1, 10, 10] = 1
    found = softened(point, 0.8)
    assert float(found[0, 1].sum()) == pytest.approx(1, abs=1e-5)
    assert not found[1].any()
    offsets = torch.arange(21.0) - 10
    assert float((found[0, 1].sum(0) * offsets**2).sum()) == pytest.approx(0.64, rel=0.02)
    torch.testing.assert_close(found[0, 1], found[0, 1].T)
    even = torch.full((1, 3, 9, 9), 0.3)
    torch.testing.assert_close(softened(even, 0.8), even)
    assert softened(even, 0.0) is even


def test_the_noise_of_a_scan_is_no_grain_of_a_larger_picture() -> None:
    """Fine noise of a flat painting leaves next to nothing in what is looked for when it is enlarged."""
    settings = StyleSettings(statistics="moments")
    encoder = tiny_encoder(settings)
    flat = torch.full((1, 3, 40, 40), 0.5)
    noisy = flat + 0.1 * torch.randn(flat.shape, generator=torch.Generator().manual_seed(3))

    def apart(meant_px: int) -> float:
        one, two = (
            targets_seen(ViewSpec(), encoder, picture, settings, meant_px=meant_px)
            for picture in (flat, noisy)
        )
        return float((one["relu1_1"] - two["relu1_1"]).abs().max())

    assert apart(240) < 0.5 * apart(40)


def test_a_style_as_large_as_it_is_meant_is_seen_as_it_is() -> None:
    settings = StyleSettings()
    encoder = tiny_encoder(settings)
    for meant_px in (0, 40, 20):
        for share in (1.0, 0.5):
            found = targets_seen(ViewSpec(share), encoder, style(), settings, meant_px=meant_px)
            plain = style_targets(encoder, scaled(style(), share, least=encoder.min_side), settings)
            assert all(torch.equal(found[layer], plain[layer]) for layer in plain)


def test_sizes_in_which_the_network_sees_nothing_are_left_out() -> None:
    settings = StyleSettings(steps=80, scales=8, margin=0)
    encoder = looking(settings)
    made(settings, encoder)
    assert min(min(size) for size in encoder.seen) >= encoder.min_side
    assert len(encoder.seen) == 80


def test_a_batch_goes_from_coarse_to_fine_like_its_pairs_alone() -> None:
    settings = StyleSettings(steps=20, scales=2)
    # Twenty steps amplify what processors round otherwise.
    exact = tiny_encoder(settings, dtype=torch.float64)
    contents = torch.cat([content(), content().flip(3)]).double()
    styles = torch.cat([style(), style().flip(2)]).double()
    together = stylize(contents, styles, settings=settings, encoder=exact)
    for row in range(2):
        alone = stylize(contents[row : row + 1], styles[row : row + 1], settings=settings, encoder=exact)
        assert float((together.image_bchw[row] - alone.image_bchw[0]).abs().max()) < 1e-9
