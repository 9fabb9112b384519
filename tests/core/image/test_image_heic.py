"""HEIC and AVIF: upright, in the right colours and as deep as their decoders give them."""

from __future__ import annotations

import importlib.util
import io
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from drawn_images import Array, decoded, landscape, orientation_exif, planes, saved
from PIL import ImageCms

from stylize_core.errors import BadImage, ImageTooLarge
from stylize_core.image.colour import srgb_profile

SAMPLES = Path(__file__).parent / "samples"
PHONE, TEN_BITS = (SAMPLES / "phone.heic").read_bytes(), (SAMPLES / "ten_bits.avif").read_bytes()
P3_TO_SRGB = ((1.2249, -0.2249, 0.0), (-0.0420, 1.0420, 0.0), (-0.0196, -0.0786, 1.0982))
# What the patches of 32 px are, in Display P3 at ten bits; see the samples' README.
PATCHES = np.array(
    [
        [[1000, 40, 40], [40, 1000, 40], [40, 40, 1000]],
        [[1000, 1000, 40], [513, 514, 515], [250, 700, 400]],
    ]
)


def _srgb(p3: Array) -> Array:
    linear = np.where(p3 <= 0.04045, p3 / 12.92, ((p3 + 0.055) / 1.055) ** 2.4)
    clipped: Array = (linear @ np.array(P3_TO_SRGB).T).clip(0, 1)
    curved: Array = np.where(clipped <= 0.0031308, 12.92 * clipped, 1.055 * clipped ** (1 / 2.4) - 0.055)
    return curved


def _middles(picture: Array) -> Array:
    middles: Array = picture[16:64:32, 16:96:32]
    return middles


def _by_ffmpeg(data: bytes) -> Array:
    """The stored picture in Display P3, [H, W, 3] in 0..1: decoded by FFmpeg, by BT.709's matrix."""
    with av.open(io.BytesIO(data), "r") as container:
        frame = next(container.decode(video=0))
    y, u, v = (_plane(plane) / 1023 for plane in frame.planes)
    times = y.shape[0] // u.shape[0]
    u, v = (plane.repeat(times, 0).repeat(times, 1) - 512 / 1023 for plane in (u, v))
    red, blue = y + 1.5748 * v, y + 1.8556 * u
    return np.stack([red, (y - 0.2126 * red - 0.0722 * blue) / 0.7152, blue], axis=-1)


def _plane(plane: Any) -> Array:
    return np.frombuffer(plane, "<u2").reshape(plane.height, -1)[:, : plane.width].astype(np.float64)


def test_a_phones_heic_comes_out_upright_and_in_the_colours_that_it_was_made_of() -> None:
    picture = decoded(PHONE)
    assert picture.rgb.shape == (3, 96, 128)
    assert (picture.source_format, picture.source_mode) == ("HEIC", "RGB;10")
    assert picture.decisions == ("converted from Display P3 to sRGB, as its HEIC header says",)
    assert np.abs(_middles(planes(picture)) - _srgb(PATCHES / 1023)).max() < 0.01


def test_a_phones_heic_is_what_a_second_decoder_sees() -> None:
    stored = _by_ffmpeg(PHONE)
    assert stored.shape == (128, 96, 3)  # turned by a quarter
    upright = np.rot90(stored, -1)
    assert np.abs(planes(decoded(PHONE)) - _srgb(upright)).max() < 0.01


def test_ten_bits_of_a_heic_are_kept() -> None:
    ramp = planes(decoded(PHONE))[80, :96, 1]
    assert len(np.unique(ramp)) > 80  # eight bits have 64 levels there
    assert np.all(np.diff(ramp) > -1 / 255)


def test_an_avif_of_ten_bits_has_the_colours_that_a_second_decoder_sees() -> None:
    picture = decoded(TEN_BITS)
    assert picture.rgb.shape == (3, 96, 128)
    assert np.abs(_middles(planes(picture)) - _srgb(PATCHES / 1023)).max() < 0.02
    assert np.abs(_middles(planes(picture)) - _srgb(_middles(_by_ffmpeg(TEN_BITS)))).max() < 0.02
    assert picture.decisions == (
        "converted from Display P3 to sRGB, as its AVIF header says",
        "its 10 bits per channel were read as 8: the decoder gives no more",
    )


@pytest.mark.parametrize("orientation", range(1, 9))
def test_an_avif_is_turned_once_whatever_says_so(orientation: int) -> None:
    turns: dict[int, Any] = {
        1: lambda a: a, 2: np.fliplr, 3: lambda a: np.rot90(a, 2), 4: np.flipud,
        5: lambda a: a.swapaxes(0, 1), 6: lambda a: np.rot90(a, 1),
        7: lambda a: np.rot90(a, 2).swapaxes(0, 1), 8: lambda a: np.rot90(a, 3),
    }  # fmt: skip
    stored = np.ascontiguousarray(turns[orientation](landscape()))
    finest: dict[str, Any] = {"quality": 100, "subsampling": "4:4:4"}
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="8"/></x:xmpmeta>'
    data = saved(stored, "AVIF", exif=orientation_exif(orientation), xmp=xmp, **finest)
    picture = decoded(data)
    assert picture.rgb.shape == (3, 24, 40)
    assert np.abs(planes(picture) - landscape() / 255).max() < 0.03


def test_a_profile_in_an_avif_is_followed_and_its_alpha_kept() -> None:
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    picture = decoded(saved(landscape(channels=4), "AVIF", quality=100, subsampling="4:4:4", icc_profile=lab))
    assert picture.alpha is not None
    assert any("converted from ICC profile" in said for said in picture.decisions)
    assert srgb_profile() != lab


def test_an_animated_avif_is_refused_unless_the_first_frame_is_asked_for() -> None:
    data = saved(landscape(), "AVIF", save_all=True, append_images=[_turned()])
    with pytest.raises(BadImage, match="it holds 2 frames or pages; set `frames: first`"):
        decoded(data)
    assert decoded(data, frames="first").decisions[0] == "first of 2 frames used"


def _turned() -> Any:
    from PIL import Image

    return Image.fromarray(landscape()[::-1].copy())


@pytest.mark.parametrize("data", [PHONE, TEN_BITS], ids=["heic", "avif"])
def test_more_pixels_than_allowed_are_refused_from_the_header(data: bytes) -> None:
    assert decoded(data, max_megapixels=0.012288).rgb.shape == (3, 96, 128)
    with pytest.raises(ImageTooLarge, match="its header announces 12288 pixels, the limit is 12287"):
        decoded(data, max_megapixels=0.012287)


@pytest.mark.parametrize("data", [PHONE, TEN_BITS], ids=["heic", "avif"])
@pytest.mark.parametrize(("transfer", "name"), [(16, "PQ"), (18, "HLG")])
def test_high_dynamic_range_is_refused_by_name(data: bytes, transfer: int, name: str) -> None:
    at = data.index(b"colrnclx") + 8
    with pytest.raises(BadImage, match=rf"high dynamic range \({name}"):
        decoded(data[: at + 2] + transfer.to_bytes(2) + data[at + 4 :])


def test_a_cut_file_says_how_much_is_missing() -> None:
    with pytest.raises(BadImage, match=r"it is cut off: its pictures reach to byte \d+ of \d+"):
        decoded(PHONE[:-1])


def test_a_heic_names_the_extra_where_it_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "pillow_heif" else found(name, *rest)
    )
    with pytest.raises(
        BadImage, match=r"photos/a\.jpg: this is HEIC, which needs pillow-heif: run `pip install"
    ):
        decoded(PHONE)
