"""Frames and orientation: what is decided for the user, and that it is said."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from drawn_images import chunk, decoded, landscape, orientation_exif, planes, png, saved
from PIL import Image

from stylize_core.errors import BadImage

# How a picture must lie in the file so that each orientation brings it upright: EXIF 2.32, table 6.
STORED: dict[int, Any] = {
    1: lambda a: a,
    2: np.fliplr,
    3: lambda a: np.rot90(a, 2),
    4: np.flipud,
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, 1),
    7: lambda a: np.rot90(a, 2).swapaxes(0, 1),
    8: lambda a: np.rot90(a, 3),
}
FINEST: dict[str, dict[str, Any]] = {"WEBP": {"lossless": True}, "JPEG": {"quality": 100, "subsampling": 0}}
XMP = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Orientation="6"/></rdf:RDF></x:xmpmeta>'
)


def _frames(count: int = 3) -> list[Image.Image]:
    return [Image.fromarray(np.roll(landscape(), 7 * index, axis=1)) for index in range(count)]


def _animation(file_format: str, **options: Any) -> bytes:
    first, *rest = _frames()
    return saved(first, file_format, save_all=True, append_images=rest, **options)


@pytest.mark.parametrize("file_format", ["PNG", "WEBP", "TIFF", "JPEG"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_comes_out_upright(file_format: str, orientation: int) -> None:
    upright = landscape()
    stored = np.ascontiguousarray(STORED[orientation](upright))
    picture = decoded(
        saved(stored, file_format, exif=orientation_exif(orientation), **FINEST.get(file_format, {}))
    )
    assert picture.rgb.shape == (3, 24, 40)
    assert np.abs(planes(picture) - upright / 255).max() < (0.02 if file_format == "JPEG" else 1e-6)
    said = () if orientation == 1 else (f"EXIF orientation {orientation} applied",)
    assert picture.decisions == said


@pytest.mark.parametrize("file_format", ["PNG", "WEBP"])
def test_the_alpha_turns_with_the_colours(file_format: str) -> None:
    pixels = landscape(channels=4)
    stored = np.ascontiguousarray(STORED[6](pixels))
    picture = decoded(saved(stored, file_format, exif=orientation_exif(6), lossless=True))
    assert picture.alpha is not None
    assert np.abs(picture.alpha.numpy()[0] - pixels[..., 3] / 255).max() < 1e-6


def test_an_orientation_in_xmp_alone_is_followed() -> None:
    stored = np.ascontiguousarray(STORED[6](landscape()))
    assert decoded(saved(stored, "JPEG", xmp=XMP.encode())).rgb.shape == (3, 24, 40)
    text = b"XML:com.adobe.xmp\0\0\0\0\0" + XMP.encode()
    picture = decoded(png(stored, chunk(b"iTXt", text), colour_type=2))
    assert np.array_equal(planes(picture), landscape() / np.float32(255))
    assert picture.decisions == ("EXIF orientation 6 applied",)


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_an_unknown_orientation_leaves_the_picture_as_it_is(orientation: int) -> None:
    data = saved(landscape(), "PNG", exif=orientation_exif(orientation))
    assert np.array_equal(planes(decoded(data)), landscape() / np.float32(255))


@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "WEBP"])
@pytest.mark.parametrize(
    "exif", [b"Exif\0\0garbage", b"Exif\0\0MM\0*\0\0\0\x08\xff\xff", b"Exif\0\0II*\0\xff\xff\xff\xff"]
)
def test_broken_exif_alone_costs_nobody_a_picture(file_format: str, exif: bytes) -> None:
    plain, broken = (
        decoded(saved(landscape(), file_format)),
        decoded(saved(landscape(), file_format, exif=exif)),
    )
    assert np.array_equal(plain.rgb, broken.rgb)


def test_unreadable_exif_is_said() -> None:
    decisions = decoded(saved(landscape(), "PNG", exif=b"Exif\0\0garbage")).decisions
    assert [said for said in decisions if said.startswith("unreadable EXIF ignored (")] == list(decisions)
    assert len(decisions) == 1


@pytest.mark.parametrize("file_format", ["GIF", "WEBP", "PNG", "TIFF"])
def test_several_frames_are_refused_unless_the_first_is_asked_for(file_format: str) -> None:
    options = FINEST.get(file_format, {})
    data = _animation(file_format, **options)
    with pytest.raises(BadImage, match=r"photos/a\.jpg: it holds 3 frames or pages; set `frames: first`"):
        decoded(data)
    picture = decoded(data, frames="first")
    assert picture.decisions == ("first of 3 frames used",)
    single = decoded(saved(_frames()[0], file_format, **options))
    assert np.array_equal(picture.rgb, single.rgb)


def test_the_primary_picture_of_a_phones_jpeg_is_used() -> None:
    first, second, _ = _frames()
    data = saved(first, "MPO", save_all=True, append_images=[second])
    picture = decoded(data)
    assert picture.source_format == "JPEG"
    assert picture.decisions == ("the primary picture of 2 in a multi-picture JPEG used",)
    assert np.array_equal(picture.rgb, decoded(saved(first, "JPEG")).rgb)


def test_a_thumbnail_page_in_a_tiff_is_no_second_picture() -> None:
    thumbnail = Image.fromarray(landscape(20, 12))
    thumbnail.encoderinfo = {"tiffinfo": {254: 1}}
    data = saved(landscape(), "TIFF", save_all=True, append_images=[thumbnail])
    picture = decoded(data)
    assert picture.rgb.shape == (3, 24, 40)
    assert picture.decisions == ("page 1 of 2 used, the others are reduced copies",)


def test_a_warning_of_the_decoder_is_recorded_and_not_lost() -> None:
    no_frames = chunk(b"acTL", bytes(8))
    picture = decoded(png(landscape(), no_frames, colour_type=2))
    assert len(picture.decisions) == 1
    assert re.match("decoder warned: .*APNG", picture.decisions[0])
