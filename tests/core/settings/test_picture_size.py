"""How large a picture is made: by its long edge, by its area, or as large as its content came."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stylize_core.errors import ImageTooLarge, SettingsError
from stylize_core.settings.picture_size import PictureSize
from stylize_core.settings.style import StyleSettings

SIDES = st.integers(16, 16383)


@given(width=SIDES, height=SIDES)
def test_a_long_edge_in_px_is_the_same_for_every_content(width: int, height: int) -> None:
    assert PictureSize(700).edge_for(width, height) == 700


@given(width=st.integers(32, 16383), height=st.integers(16, 16383))
def test_the_original_size_is_that_of_the_content(width: int, height: int) -> None:
    assert PictureSize("original").edge_for(width, height) == max(width, height)


@given(
    width=st.integers(100, 9000),
    height=st.integers(100, 9000),
    megapixels=st.floats(0.1, 3, exclude_min=True),
)
def test_megapixels_give_that_area_whatever_the_shape(width: int, height: int, megapixels: float) -> None:
    ratio = max(width, height) / min(width, height)
    if ratio > 50:  # beyond the largest edge, which has a test of its own
        return
    edge = PictureSize(512, megapixels).edge_for(width, height)
    assert edge * edge / ratio == pytest.approx(megapixels * 1e6, rel=2 / edge + 1e-9)


def test_what_would_be_larger_than_any_picture_is_refused_with_what_to_set() -> None:
    with pytest.raises(ImageTooLarge, match=r"of 20000x300 px `size: original` .* 20000 px; .* set `size`"):
        PictureSize("original").edge_for(20000, 300)
    with pytest.raises(ImageTooLarge, match="`megapixels: 8` makes a long edge of 20000 px"):
        PictureSize(512, 8).edge_for(10000, 200)


def test_tiny_originals_are_made_as_large_as_the_smallest_size() -> None:
    assert PictureSize("original").edge_for(20, 16) == 32
    assert PictureSize(512, 0.0001).edge_for(100, 100) == 32


def test_a_plan_expects_what_settings_alone_can_tell() -> None:
    assert PictureSize(300).expected_px == 300
    assert PictureSize("original").expected_px == 4096
    assert PictureSize(300, 4).expected_px == math.isqrt(4_000_000)


def test_the_original_size_and_an_area_contradict_each_other() -> None:
    with pytest.raises(SettingsError, match=r"megapixels: 2 is not accepted; `size: original` decides"):
        StyleSettings(size="original", megapixels=2)


@pytest.mark.parametrize("size", ["Original", "", "512", None, 31, 16384, 64.0])
def test_other_sizes_are_refused(size: object) -> None:
    with pytest.raises(SettingsError, match=r"^size: "):
        StyleSettings(size=size)  # type: ignore[arg-type]


def test_an_area_is_spelled_without_the_long_edge_that_it_stands_instead_of() -> None:
    assert StyleSettings(size=700, megapixels=2).canonical() == StyleSettings(megapixels=2).canonical()
    assert "size" not in StyleSettings(megapixels=2).canonical()
    assert StyleSettings(size="original").canonical()["size"] == "original"
    assert "megapixels" not in StyleSettings().canonical()


def test_a_number_of_scales_is_spelled_where_only_the_content_tells_the_size() -> None:
    spelled = [StyleSettings(size="original", scales=count).canonical().get("scales") for count in range(3)]
    assert spelled == [None, 1, 2]
