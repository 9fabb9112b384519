"""Colour maps against NumPy in float64, and what they must do with grey, flat and broken pictures."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from small_networks import speckles, tiny_encoder, waves
from torch import Tensor

from stylize_core.loss.colour import (
    LEAST_SPREAD,
    LUMA,
    grey,
    luminance,
    match_colours,
    match_luminance,
    recoloured,
    with_chroma,
)
from stylize_core.loss.targets import style_targets
from stylize_core.optim.watching import Frames
from stylize_core.pyramid.start import starting_picture
from stylize_core.settings.style import StyleSettings
from stylize_core.transfer import Stylized, stylize

MATCHES = (match_colours, match_luminance)
# The matrix from RGB to YIQ of the NTSC, rounded as in every textbook.
YIQ = np.array([[0.299, 0.587, 0.114], [0.5959, -0.2746, -0.3213], [0.2115, -0.5227, 0.3112]])


def content() -> Tensor:
    return waves(0.3).double() * torch.tensor([0.9, 0.5, 0.3]).view(3, 1, 1)


def style() -> Tensor:
    return waves(1.7, height=30, width=22, finer=4).double() ** 2


def flat(*rgb: float) -> Tensor:
    return torch.tensor(rgb, dtype=torch.float64).view(1, 3, 1, 1).expand(1, 3, 20, 26)


def colours(picture: Tensor) -> Any:
    return picture.double().flatten(2)[0].numpy()


def chroma(picture: Tensor) -> Any:
    """I and Q, [2, N]."""
    return YIQ[1:] @ colours(picture)


def root(matrix: Any) -> Any:
    values, vectors = np.linalg.eigh(matrix)
    return vectors @ np.diag(np.sqrt(values)) @ vectors.T


def test_luminance_is_the_y_of_yiq() -> None:
    np.testing.assert_allclose(
        luminance(content()).flatten().numpy(), YIQ[0] @ colours(content()), rtol=1e-12
    )
    assert sum(LUMA) == pytest.approx(1, abs=1e-15)


def test_a_grey_picture_has_the_same_luminance_and_no_chroma() -> None:
    np.testing.assert_allclose(luminance(grey(content())), luminance(content()), rtol=1e-12)
    assert torch.equal(grey(content())[:, 0], grey(content())[:, 2])


def test_matched_colours_are_those_of_numpy() -> None:
    given, wanted = colours(style()), colours(content())
    matrix = root(np.cov(wanted, bias=True)) @ np.linalg.inv(root(np.cov(given, bias=True)))
    expected = matrix @ (given - given.mean(1, keepdims=True)) + wanted.mean(1, keepdims=True)
    np.testing.assert_allclose(colours(match_colours(style(), content())), expected, atol=1e-9)


def test_matched_luminance_is_that_of_numpy() -> None:
    given, wanted = YIQ[0] @ colours(style()), YIQ[0] @ colours(content())
    expected = (given - given.mean()) * wanted.std() / given.std() + wanted.mean()
    matched = match_luminance(style(), content())
    assert matched.shape == style().shape
    for plane in colours(matched):
        np.testing.assert_allclose(plane, expected, atol=1e-9)


@given(seed=st.integers(0, 2**32 - 1), dtype=st.sampled_from([torch.float32, torch.float64]))
def test_a_matched_style_has_the_mean_and_covariance_of_the_content(seed: int, dtype: torch.dtype) -> None:
    random = np.random.default_rng(seed)
    mixed = [
        torch.tensor(np.einsum("ij,jhw->ihw", random.random((3, 3)) / 3, random.random((3, *size))))[None]
        for size in ((17, 23), (20, 16))
    ]
    matched = colours(match_colours(mixed[0].to(dtype), mixed[1].to(dtype)))
    wanted = colours(mixed[1].to(dtype))
    np.testing.assert_allclose(matched.mean(1), wanted.mean(1), atol=1e-6)
    if np.linalg.eigvalsh(np.cov(colours(mixed[0])))[0] > LEAST_SPREAD**2:
        np.testing.assert_allclose(np.cov(matched, bias=True), np.cov(wanted, bias=True), atol=1e-6)


@pytest.mark.parametrize("match", MATCHES)
def test_rows_are_matched_each_to_its_own_content(match: Any) -> None:
    styles, contents = torch.cat([style(), style().flip(1)]), torch.cat([content().flip(1), content()])
    together = match(styles, contents)
    for row in range(2):
        torch.testing.assert_close(
            together[row : row + 1], match(styles[row : row + 1], contents[row : row + 1])
        )


@pytest.mark.parametrize("match", MATCHES)
def test_a_style_matched_to_itself_stays_but_for_what_the_mode_takes(match: Any) -> None:
    expected = style() if match is match_colours else grey(style())
    torch.testing.assert_close(match(style(), style()), expected, atol=1e-9, rtol=0)


@pytest.mark.parametrize("match", MATCHES)
def test_transparent_places_of_a_style_do_not_count(match: Any) -> None:
    """A style whose right half is hidden is matched as if it ended there."""
    hidden = style().clone()
    hidden[..., 11:] = 1
    share = torch.zeros_like(hidden[:, :1])
    share[..., :11] = 1
    matched = match(hidden, content(), share_b1hw=share)[..., :11]
    torch.testing.assert_close(matched, match(style()[..., :11], content()))


@pytest.mark.parametrize("match", MATCHES)
@pytest.mark.parametrize("grey_content", [grey(content()), flat(0.4, 0.4, 0.4)])
def test_a_grey_content_makes_every_style_grey(match: Any, grey_content: Tensor) -> None:
    matched = match(style(), grey_content)
    assert float((matched - matched.mean(1, keepdim=True)).abs().max()) < 1e-6


@pytest.mark.parametrize("match", MATCHES)
def test_a_flat_content_makes_every_style_flat(match: Any) -> None:
    matched = match(style(), flat(0.8, 0.2, 0.1))
    assert float(matched.flatten(2).std(2).max()) < 1e-6
    expected = flat(0.8, 0.2, 0.1) if match is match_colours else grey(flat(0.8, 0.2, 0.1))
    torch.testing.assert_close(matched[0, :, 0, 0], expected[0, :, 0, 0])


@pytest.mark.parametrize("match", MATCHES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("poor", [flat(0.5, 0.5, 0.5), flat(0, 0, 0), flat(1, 0, 0), flat(1, 1, 1)])
def test_a_flat_style_becomes_the_mean_of_the_content(match: Any, poor: Tensor, dtype: torch.dtype) -> None:
    matched = match(poor.to(dtype), content().to(dtype)).double()
    assert torch.isfinite(matched).all()
    mean = (content() if match is match_colours else grey(content())).mean((2, 3))
    torch.testing.assert_close(matched.mean((2, 3)), mean, atol=1e-5, rtol=0)


def test_a_grey_style_gets_no_invented_chroma() -> None:
    """A grey style varies along one line only, and so does what is made of it."""
    matched = colours(match_colours(grey(style()), content()))
    spread = np.linalg.eigvalsh(np.cov(matched))
    assert np.isfinite(matched).all()
    assert spread[1] < 1e-9 < spread[2]


def test_the_rounding_of_a_grey_style_is_not_blown_up_to_colours() -> None:
    """Grey but for one step of 8 bits here and there, as JPEG leaves it."""
    noise = torch.tensor(np.random.default_rng(0).integers(0, 2, style().shape)) / 255
    matched = colours(match_colours(grey(style()) + noise, content()))
    clean = colours(match_colours(grey(style()), content()))
    assert np.abs(matched - clean).mean() < 0.5 * colours(content()).std(1).mean()


def test_one_row_that_is_not_finite_leaves_the_others_alone() -> None:
    contents = torch.cat([content(), content() * torch.nan])
    matched = match_colours(style().expand(2, -1, -1, -1), contents)
    torch.testing.assert_close(matched[:1], match_colours(style(), content()))


def test_a_new_luminance_keeps_i_and_q_where_there_is_room() -> None:
    picture = 0.4 + 0.2 * content()
    lighter = with_chroma(grey(0.3 + 0.4 * speckles(1).double()), picture)
    np.testing.assert_allclose(chroma(lighter), chroma(picture), atol=1e-9)


@given(seed=st.integers(0, 2**32 - 1))
def test_where_there_is_none_luminance_and_hue_stay_and_saturation_gives_way(seed: int) -> None:
    picture, light = speckles(seed % 1000).double(), grey(speckles(seed % 997 + 1000).double())
    made = with_chroma(light, picture)
    np.testing.assert_allclose(luminance(made), luminance(light), atol=1e-9)
    before, after = chroma(picture), chroma(made)
    assert (np.hypot(*after) <= np.hypot(*before) + 1e-9).all()
    np.testing.assert_allclose(before[0] * after[1], before[1] * after[0], atol=1e-9)  # parallel
    assert ((before * after).sum(0) >= -1e-9).all()


def test_black_and_white_can_hold_no_colour() -> None:
    assert torch.equal(with_chroma(flat(0, 0, 0), flat(1, 0, 0)), flat(0, 0, 0))
    torch.testing.assert_close(with_chroma(flat(1, 1, 1), flat(0, 0, 1)), flat(1, 1, 1))


def test_a_grey_picture_stays_exactly_grey_in_float32() -> None:
    made = with_chroma(grey(speckles(2)), speckles(3)[:, :1].expand(-1, 3, -1, -1))
    assert torch.equal(made[:, 0], made[:, 1])
    assert torch.equal(made[:, 0], made[:, 2])


def test_a_style_in_its_own_colours_is_left_as_it_is() -> None:
    assert recoloured(style(), None, StyleSettings()) is not None
    assert torch.equal(recoloured(style(), content(), StyleSettings()), style())


@pytest.mark.parametrize("colour", ["luminance", "match"])
def test_colours_of_a_content_need_that_content(colour: Any) -> None:
    settings = StyleSettings(colour=colour)
    with pytest.raises(ValueError, match=f"colour: {colour} .* give content_bchw"):
        style_targets(tiny_encoder(settings), style().float(), settings)


def transfer(
    picture: Tensor, painting: Tensor, *, dtype: torch.dtype = torch.float32, **settings: Any
) -> Stylized:
    chosen = StyleSettings(**{"steps": 20, **settings})
    start = painting.to(dtype) if chosen.init in ("style", "image") else None
    encoder = tiny_encoder(chosen, dtype=dtype)
    return stylize(picture.to(dtype), painting.to(dtype), settings=chosen, encoder=encoder, init_bchw=start)


@pytest.mark.parametrize("init", ["content", "noise", "style", "image"])
@pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])
def test_a_transfer_in_luminance_keeps_the_chroma_of_the_content(init: str, optimizer: str) -> None:
    made = transfer(0.3 + 0.3 * content(), style(), colour="luminance", init=init, optimizer=optimizer)
    apart = np.abs(chroma(made.image_bchw) - chroma(0.3 + 0.3 * content()))
    assert apart.mean() < 0.01
    assert float((luminance(made.image_bchw) - luminance(0.3 + 0.3 * content().float())).abs().mean()) > 0.005


def test_a_transfer_in_luminance_knows_nothing_of_the_colours_of_its_style() -> None:
    """Styles of one luminance give one picture, whatever their chroma."""
    weird = with_chroma(grey(0.3 + 0.4 * style()), style().flip(1))
    exact: dict[str, Any] = {"dtype": torch.float64}  # twenty steps amplify rounding
    made = [
        transfer(content(), s, colour="luminance", style_weight=100, **exact).image_bchw
        for s in (weird, grey(weird))
    ]
    torch.testing.assert_close(made[0], made[1], atol=1e-9, rtol=0)
    plain = [transfer(content(), s).image_bchw for s in (weird, grey(weird))]
    assert float((plain[0] - plain[1]).abs().mean()) > 0.01


COLOURFUL = ("relu1_1", "relu2_1", "relu3_1")
"""A random network's fourth block hardly knows colours."""


def test_matched_colours_bring_the_result_nearer_to_those_of_the_content() -> None:
    paint, picture = style() * torch.tensor([0.2, 0.4, 1.0]).view(3, 1, 1), 0.2 + 0.6 * content()
    wanted = picture.float().mean((2, 3))

    def apart(colour: str) -> float:
        made = transfer(picture, paint, colour=colour, steps=60, style_weight=1e4, style_layers=COLOURFUL)
        return float((made.image_bchw.mean((2, 3)) - wanted).abs().max())

    assert apart("match") < apart("style") / 2


@pytest.mark.parametrize("init", ["content", "noise"])
@pytest.mark.parametrize("colour", ["luminance", "match"])
@pytest.mark.parametrize("poor", [flat(0, 0, 0), flat(1, 1, 1), flat(0.5, 0.5, 0.5), grey(content())])
def test_poor_pictures_give_finite_results(poor: Tensor, colour: str, init: str) -> None:
    for picture, painting in ((poor, style()), (content(), poor)):
        made = transfer(picture, painting, colour=colour, init=init)
        assert torch.isfinite(made.image_bchw).all()
        assert made.image_bchw.shape == picture.shape


@pytest.mark.parametrize("colour", ["luminance", "match"])
def test_a_grey_content_stays_exactly_grey(colour: str) -> None:
    made = transfer(grey(content()), style(), colour=colour).image_bchw
    assert float(made.std()) > 0.05
    assert torch.equal(made[:, 0], made[:, 1])
    assert torch.equal(made[:, 0], made[:, 2])


def test_starts_are_grey_where_luminance_is_all_that_counts() -> None:
    settings = StyleSettings(colour="luminance", init="noise")
    start = starting_picture(content().float(), settings)
    assert torch.equal(start[:, 0], start[:, 1])
    assert float(start.std()) > 0.1


def test_a_start_from_the_style_has_the_colours_that_the_style_gets() -> None:
    settings = StyleSettings(colour="match", init="style")
    start = starting_picture(content(), settings, init_bchw=style())
    apart = (start.mean((2, 3)) - content().mean((2, 3))).abs().max()
    assert float(apart) < 0.1 < float((style().mean((2, 3)) - content().mean((2, 3))).abs().max())


def test_kept_targets_of_a_content_give_the_same_picture_in_its_colours() -> None:
    settings = StyleSettings(colour="match", steps=5)
    encoder = tiny_encoder(settings)
    kept = style_targets(encoder, style().float(), settings, content_bchw=content().float())
    again = stylize(content().float(), kept, settings=settings, encoder=encoder)
    assert torch.equal(again.image_bchw, transfer(content(), style(), colour="match", steps=5).image_bchw)


@pytest.mark.parametrize("colour", ["style", "luminance", "match"])
def test_pictures_on_the_way_have_the_colours_of_the_finished_one(colour: Any) -> None:
    settings, seen = StyleSettings(colour=colour, steps=6), dict[int, Tensor]()
    made = stylize(
        content().float(),
        style().float(),
        settings=settings,
        encoder=tiny_encoder(settings),
        frames=Frames({0, 6}, seen.__setitem__),
    )
    torch.testing.assert_close(seen[0], content().float(), atol=1e-6, rtol=0)
    assert torch.equal(seen[6], made.image_bchw)
