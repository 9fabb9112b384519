from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from stylize_core.errors import ImageTooSmall
from stylize_core.image.crop import crop
from stylize_core.image.decode import Picture
from stylize_core.settings.fields import WHOLE


def picture(height: int = 40, width: int = 60, *, alpha: bool = False) -> Picture:
    """Every pixel tells its place: x in red, y in green."""
    x, y = torch.arange(width).expand(height, width), torch.arange(height)[:, None].expand(height, width)
    rgb = torch.stack([x, y, torch.zeros_like(x)]).float()
    return Picture(rgb, rgb[:1] / width if alpha else None, "PNG", "RGB", ("first",))


def test_the_whole_picture_is_handed_back_as_it_is() -> None:
    whole = picture()
    assert crop(whole, WHOLE, source="a.png") is whole


@pytest.mark.parametrize("alpha", [False, True])
def test_a_region_is_cut_out_with_its_transparency_and_told(alpha: bool) -> None:
    part = crop(picture(alpha=alpha), (0.25, 0.5, 0.75, 1), source="a.png")
    assert tuple(part.rgb.shape) == (3, 20, 30)
    assert part.rgb[:2, 0, 0].tolist() == [15, 20]
    assert part.rgb[:2, -1, -1].tolist() == [44, 39]
    assert (part.alpha is not None) == alpha
    if part.alpha is not None:
        torch.testing.assert_close(part.alpha, part.rgb[:1] / 60)
    assert part.decisions == ("first", "cropped to 30x20 px from x 15, y 20")


def test_the_picture_itself_stays_whole() -> None:
    whole = picture()
    crop(whole, (0.5, 0, 1, 1), source="a.png").rgb.zero_()
    assert float(whole.rgb[0].max()) == 59


@given(cut=st.floats(0.4, 0.6))
def test_two_regions_that_meet_share_no_pixel_and_lose_none(cut: float) -> None:
    left = crop(picture(), (0, 0, cut, 1), source="a.png").rgb
    right = crop(picture(), (cut, 0, 1, 1), source="a.png").rgb
    assert torch.equal(torch.cat([left, right], 2), picture().rgb)


def test_a_region_too_small_is_refused_with_name_and_size() -> None:
    with pytest.raises(
        ImageTooSmall, match=r"a\.png: style_crop leaves 15x40 px of 60x40; each side must be"
    ):
        crop(picture(), (0, 0, 0.25, 1), source="a.png")
