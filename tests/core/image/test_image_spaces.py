"""Colour spaces that a file names without a profile: by cICP or by EXIF alone."""

from __future__ import annotations

import struct
import zlib
from typing import Any

import numpy as np
import pytest
from drawn_images import (
    Array,
    chunk,
    decoded,
    deep_landscape,
    landscape,
    planes,
    png,
    saved,
    tiff,
)
from PIL import Image

from stylize_core.errors import BadImage
from stylize_core.image.colour import srgb_profile

# Linear light of each space to that of sRGB, as W3C's CSS Color 4 and Adobe's encoding give them (rounded).
P3_TO_SRGB = ((1.2249, -0.2249, 0.0), (-0.0420, 1.0420, 0.0), (-0.0196, -0.0786, 1.0982))
BT2020_TO_SRGB = ((1.6605, -0.5876, -0.0728), (-0.1246, 1.1329, -0.0083), (-0.0182, -0.1006, 1.1187))
ADOBE_TO_SRGB = ((1.3984, -0.3984, 0.0), (0.0, 1.0, 0.0), (0.0, -0.0429, 1.0429))


def _srgb_to_linear(values: Array) -> Array:
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def _as_srgb(linear: Array) -> Array:
    clipped = linear.clip(0, 1)
    return np.where(clipped <= 0.0031308, 12.92 * clipped, 1.055 * clipped ** (1 / 2.4) - 0.055)


def _cicp(*points: int) -> bytes:
    return chunk(b"cICP", bytes(points))


def adobe_exif(colour_space: int | None, index: str) -> Image.Exif:
    """An EXIF block as cameras write it for the space that DCF calls optional."""
    exif = Image.Exif()
    exif[0x0112] = 1
    if colour_space is not None:
        exif.get_ifd(0x8769)[0xA001] = colour_space
    if index:
        exif.get_ifd(0x8769)[0xA005] = {1: index}
    return exif


@pytest.mark.parametrize(("primaries", "matrix"), [(12, P3_TO_SRGB), (9, BT2020_TO_SRGB)])
def test_the_code_points_of_a_png_are_followed(primaries: int, matrix: Any) -> None:
    picture = decoded(png(landscape(), _cicp(primaries, 13, 0, 1), colour_type=2))
    expected = _as_srgb(_srgb_to_linear(landscape() / 255) @ np.array(matrix).T)
    assert np.abs(planes(picture) - expected).max() < 0.002
    name = {12: "Display P3", 9: "BT.2020"}[primaries]
    assert picture.decisions == (f"converted from {name} to sRGB, as its cICP says",)


def test_sixteen_bits_stay_sixteen_when_code_points_are_followed() -> None:
    picture = decoded(png(deep_landscape(), _cicp(12, 13, 0, 1), colour_type=2))
    assert len(np.unique(planes(picture))) > 2000


@pytest.mark.parametrize("points", [(1, 13, 0, 1), (1, 1, 0, 1), (2, 2, 0, 1)])
def test_code_points_of_srgb_change_nothing(points: tuple[int, ...]) -> None:
    picture = decoded(png(landscape(), _cicp(*points), colour_type=2))
    assert np.array_equal(planes(picture), landscape() / np.float32(255))
    assert picture.decisions == ()


def test_code_points_count_more_than_a_profile() -> None:
    profile = chunk(b"iCCP", b"x\0\0" + zlib.compress(srgb_profile()))
    both = decoded(png(landscape(), _cicp(12, 13, 0, 1), profile, colour_type=2))
    alone = decoded(png(landscape(), _cicp(12, 13, 0, 1), colour_type=2))
    assert np.array_equal(both.rgb, alone.rgb)


@pytest.mark.parametrize(("transfer", "name"), [(16, "PQ"), (18, "HLG")])
def test_a_picture_of_high_dynamic_range_is_refused_and_not_guessed_at(transfer: int, name: str) -> None:
    with pytest.raises(
        BadImage, match=rf"photos/a\.jpg: .*high dynamic range \({name}, by its cICP\); export"
    ):
        decoded(png(landscape(), _cicp(9, transfer, 0, 1), colour_type=2))


@pytest.mark.parametrize("points", [(22, 13, 0, 1), (1, 99, 0, 1), (12, 13, 1, 0)])
def test_code_points_that_are_not_followed_are_said(points: tuple[int, ...]) -> None:
    picture = decoded(png(landscape(), _cicp(*points), colour_type=2))
    assert np.array_equal(planes(picture), landscape() / np.float32(255))
    (said,) = picture.decisions
    assert said.endswith("taken as sRGB")


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize(("colour_space", "index"), [(65535, "R03"), (2, ""), (None, "R03")])
def test_adobe_rgb_that_exif_alone_tells_of_is_converted(
    file_format: str, colour_space: int | None, index: str
) -> None:
    finest: dict[str, dict[str, Any]] = {
        "WEBP": {"lossless": True},
        "JPEG": {"quality": 100, "subsampling": 0},
    }
    options = finest.get(file_format, {})
    plain = planes(decoded(saved(landscape(), file_format, **options))).astype(np.float64)
    picture = decoded(saved(landscape(), file_format, exif=adobe_exif(colour_space, index), **options))
    expected = _as_srgb(plain ** (563 / 256) @ np.array(ADOBE_TO_SRGB).T)
    assert np.abs(planes(picture) - expected).max() < 0.002
    assert picture.decisions == ("converted from Adobe RGB (1998) to sRGB, as its EXIF says",)


def test_adobe_rgb_in_the_exif_of_a_tiff_is_converted_as_well() -> None:
    at = len(tiff(landscape(), photometric=2, extra={34665: ("I", [0])}))
    below = struct.pack("<HHHIII", 1, 0xA001, 3, 1, 2, 0)
    picture = decoded(tiff(landscape(), photometric=2, extra={34665: ("I", [at])}) + below)
    same = decoded(saved(landscape(), "PNG", exif=adobe_exif(2, "")))
    assert np.array_equal(picture.rgb, same.rgb)
    assert picture.decisions == same.decisions


@pytest.mark.parametrize(("colour_space", "index"), [(1, "R98"), (1, "R03"), (1, ""), (None, "")])
def test_an_exif_of_srgb_changes_nothing(colour_space: int, index: str) -> None:
    picture = decoded(saved(landscape(), "PNG", exif=adobe_exif(colour_space, index)))
    assert np.array_equal(planes(picture), landscape() / np.float32(255))
    assert picture.decisions == ()


def test_colours_that_exif_calls_uncalibrated_are_said() -> None:
    picture = decoded(saved(landscape(), "PNG", exif=adobe_exif(65535, "")))
    assert picture.decisions == (
        "EXIF calls its colours uncalibrated and no profile is there: taken as sRGB",
    )


def test_a_profile_counts_more_than_what_exif_says() -> None:
    data = saved(landscape(), "PNG", exif=adobe_exif(65535, "R03"), icc_profile=srgb_profile())
    assert np.array_equal(planes(decoded(data)), landscape() / np.float32(255))


def test_grey_pictures_follow_the_curve_and_stay_grey() -> None:
    picture = decoded(saved(landscape(channels=1), "PNG", exif=adobe_exif(2, "R03")))
    rgb = planes(picture)
    assert np.array_equal(rgb[..., 0], rgb[..., 2])
    expected = _as_srgb((landscape(channels=1)[..., 0] / 255) ** (563 / 256))
    assert np.abs(rgb[..., 0] - expected).max() < 1e-3
