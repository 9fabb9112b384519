"""Every stored colour space to sRGB, held against a reference conversion."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import zlib
from typing import Any

import numpy as np
import pytest
from drawn_images import Array, chunk, decoded, deep_landscape, landscape, planes, png, saved, tiff
from PIL import Image, ImageCms

from stylize_core.image.colour import srgb_profile
from stylize_core.image.icc import read_shaper

LEVEL = 1 / 255
# Columns: what each device colour is in XYZ (D50), as the profiles' makers publish them.
DISPLAY_P3 = ((0.51512, 0.29198, 0.1571), (0.2412, 0.69225, 0.06657), (-0.00105, 0.04189, 0.78407))
ADOBE_RGB = ((0.60974, 0.20528, 0.14919), (0.31111, 0.62567, 0.06322), (0.01947, 0.06087, 0.74457))
SRGB_CURVE = struct.pack(
    ">4s4xHxx5i", b"para", 3, *(round(v * 65536) for v in (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045))
)
GAMMA_22 = struct.pack(">4s4xIH", b"curv", 1, round(2.19921875 * 256))
TABLE = struct.pack(">4s4xI1024H", b"curv", 1024, *(round((i / 1023) ** 1.8 * 65535) for i in range(1024)))


def profile(space: bytes, *, connection: bytes = b"XYZ ", **tags: bytes) -> bytes:
    """An ICC profile of version 4 with these tags."""
    common = {"desc": _text("Test profile"), "cprt": _text("none"), "wtpt": _xyz(0.9642, 1, 0.82491)}
    header_size, table, body = 132 + 12 * (len(tags) + 3), b"", b""
    for name, data in {**common, **tags}.items():
        table += struct.pack(">4sII", name.encode(), header_size + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    head = struct.pack(">I4sI4s4s4s", 0, b"lcms", 0x04200000, b"mntr", space, connection)
    head += (
        struct.pack(">6H4s", 2026, 1, 1, 0, 0, 0, b"acsp")
        + bytes(28)
        + struct.pack(">3i", 63190, 65536, 54061)
    )
    head += bytes(128 - len(head))
    whole = head + struct.pack(">I", len(tags) + 3) + table + body
    return struct.pack(">I", len(whole)) + whole[4:]


def _text(text: str) -> bytes:
    encoded = text.encode("utf-16-be")
    return struct.pack(">4s4xII2s2sII", b"mluc", 1, 12, b"en", b"US", len(encoded), 28) + encoded


def _xyz(*values: float) -> bytes:
    return struct.pack(">4s4x3i", b"XYZ ", *(round(value * 65536) for value in values))


def rgb_profile(primaries: Any, curve: bytes) -> bytes:
    """A profile of three primaries and one curve."""
    columns = dict(
        zip(("rXYZ", "gXYZ", "bXYZ"), (_xyz(*column) for column in zip(*primaries, strict=True)), strict=True)
    )
    return profile(b"RGB ", **columns, rTRC=curve, gTRC=curve, bTRC=curve)


def reference(image: Image.Image, source: Any, intent: int = 1) -> Array:
    """Little CMS by the long way: to CIELAB's neighbour sRGB with black point compensation."""
    made = ImageCms.buildTransform(
        source,
        ImageCms.createProfile("sRGB"),
        image.mode,
        "RGB",
        ImageCms.Intent(intent),
        ImageCms.Flags.BLACKPOINTCOMPENSATION | ImageCms.Flags.NOOPTIMIZE,
    )
    done = ImageCms.applyTransform(image, made)
    assert done is not None
    return np.asarray(done) / 255


def _open(icc: bytes) -> Any:
    return ImageCms.ImageCmsProfile(io.BytesIO(icc))


PROFILES = {
    "display p3": rgb_profile(DISPLAY_P3, SRGB_CURVE),
    "adobe rgb": rgb_profile(ADOBE_RGB, GAMMA_22),
    "a table of 1.8": rgb_profile(ADOBE_RGB, TABLE),
}


@pytest.mark.parametrize("name", PROFILES)
@pytest.mark.parametrize("file_format", ["PNG", "TIFF", "WEBP", "JPEG"])
def test_an_embedded_profile_is_followed(name: str, file_format: str) -> None:
    options: dict[str, Any] = {"lossless": True} if file_format == "WEBP" else {}
    picture = decoded(saved(landscape(), file_format, icc_profile=PROFILES[name], **options))
    stored = Image.open(io.BytesIO(saved(landscape(), file_format, **options)))
    expected = reference(stored.convert("RGB"), _open(PROFILES[name]))
    assert np.abs(planes(picture) - expected).max() < 1.5 * LEVEL
    assert picture.decisions == (
        "converted from ICC profile 'Test profile' to sRGB, relative colorimetric, black point compensated",
    )


@pytest.mark.parametrize("name", PROFILES)
def test_a_profile_is_followed_at_16_bits(name: str) -> None:
    pixels, tags = landscape(), {34675: ("B", PROFILES[name])}
    coarse = decoded(tiff(pixels.astype(np.uint16) * 257, photometric=2, extra=tags))
    expected = reference(Image.fromarray(pixels), _open(PROFILES[name]))
    assert np.abs(planes(coarse) - expected).max() < 1.5 * LEVEL
    fine = decoded(tiff(deep_landscape(), photometric=2, extra=tags))
    assert len(np.unique(planes(fine))) > 2000  # eight bits would leave 256


def test_a_profile_of_sixteen_bits_agrees_with_its_formula() -> None:
    pixels = deep_landscape()
    data = png(pixels, chunk(b"iCCP", b"x\0\0" + zlib.compress(PROFILES["adobe rgb"])), colour_type=2)
    linear = (pixels / 65535) ** 2.19921875 @ np.array(ADOBE_RGB).T
    srgb = np.array(
        [
            [3.1338561, -1.6168667, -0.4906146],
            [-0.9787684, 1.9161415, 0.033454],
            [0.0719453, -0.2289914, 1.4052427],
        ]
    )
    light = (linear @ srgb.T).clip(0, 1)
    expected = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    assert np.abs(planes(decoded(data)) - expected).max() < 2e-4


@pytest.mark.parametrize("deep", [False, True])
def test_a_grey_profile_is_followed(deep: bool) -> None:
    icc = profile(b"GRAY", kTRC=struct.pack(">4s4xIH", b"curv", 1, 256))
    pixels = deep_landscape(channels=1) if deep else landscape(channels=1)
    picture = decoded(tiff(pixels, photometric=1, extra={34675: ("B", icc)}))
    light = pixels / (65535 if deep else 255)
    expected = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    assert np.abs(planes(picture) - expected).max() < (1e-3 if deep else 1.5 * LEVEL)


def test_the_projects_own_profile_changes_no_value() -> None:
    data = saved(landscape(), "PNG", icc_profile=srgb_profile())
    assert np.array_equal(planes(decoded(data)), landscape() / np.float32(255))
    assert decoded(data).decisions == ()


def test_srgb_in_another_wording_changes_next_to_nothing_at_16_bits() -> None:
    other = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    other = other[:44] + b"\0\0\0\1" + other[48:]  # a flag that changes no colour
    pixels = deep_landscape()
    picture = decoded(tiff(pixels, photometric=2, extra={34675: ("B", other)}))
    assert np.abs(planes(picture) - pixels / 65535).max() < 1e-3


def test_the_profile_is_the_same_bytes_every_day() -> None:
    code = "from stylize_core.image.colour import srgb_profile; print(srgb_profile().hex())"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == srgb_profile().hex()
    assert read_shaper(srgb_profile()) is not None


@pytest.mark.parametrize(
    "icc",
    [b"no profile at all", PROFILES["adobe rgb"][:200], profile(b"CMYK"), profile(b"RGB "), bytes(500)],
)
@pytest.mark.parametrize("deep", [False, True])
def test_a_broken_profile_is_ignored_and_said(icc: bytes, deep: bool) -> None:
    pixels = deep_landscape() if deep else landscape()
    picture = decoded(tiff(pixels, photometric=2, extra={34675: ("B", icc)}))
    assert np.abs(planes(picture) - pixels / (65535 if deep else 255)).max() < 1e-6
    assert [said for said in picture.decisions if said.startswith("ignored unreadable colour profile (")]


def test_a_profile_that_cannot_be_unpacked_is_said() -> None:
    picture = decoded(png(landscape(), chunk(b"iCCP", b"x\0\0garbage"), colour_type=2))
    assert picture.decisions == ("ignored unreadable colour profile (it cannot be unpacked)",)


def test_a_gamma_that_is_not_followed_is_said() -> None:
    linear = chunk(b"gAMA", (100_000).to_bytes(4))
    usual = chunk(b"gAMA", (45_455).to_bytes(4))
    assert decoded(png(landscape(), linear, colour_type=2)).decisions == (
        "PNG gamma 1 ignored, taken as sRGB",
    )
    assert decoded(png(landscape(), usual, colour_type=2)).decisions == ()


def _inks() -> Image.Image:
    return Image.fromarray(landscape(channels=4), "CMYK")


def _press(black: float = 0.95) -> bytes:
    """A profile of a press by tables (lut8Type), whose inks multiply."""
    corners = np.indices((3, 3, 3, 3)).reshape(4, -1).T / 2
    light = (1 - corners[:, :3] * [0.9, 0.8, 0.85]) * (1 - black * corners[:, 3:]) * 255
    colours = Image.fromarray(light[None].astype(np.uint8))
    lab = ImageCms.profileToProfile(
        colours, ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), outputMode="LAB"
    )
    assert lab is not None
    ramp = bytes(range(256))
    identity = struct.pack(">9i", *(65536 if i % 4 == 0 else 0 for i in range(9)))
    grid = (np.asarray(lab) ^ np.array([0, 128, 128], np.uint8)).tobytes()  # Pillow's a and b are signed
    table = b"mft1" + bytes(4) + bytes([4, 3, 3, 0]) + identity + ramp * 4 + grid + ramp * 3
    return profile(b"CMYK", connection=b"Lab ", A2B0=table, A2B1=table)


@pytest.mark.parametrize("file_format", ["TIFF", "JPEG"])
def test_inks_with_a_profile_follow_it(file_format: str) -> None:
    icc, options = _press(), {"quality": 100, "subsampling": 0} if file_format == "JPEG" else {}
    picture = decoded(saved(_inks(), file_format, None, icc_profile=icc, **options))
    assert np.abs(planes(picture) - reference(_inks(), _open(icc))).max() < 6 * LEVEL
    plain = landscape(channels=4) / 255
    assert np.abs(planes(picture) - (1 - plain[..., :3]) * (1 - plain[..., 3:])).max() > 0.1
    assert picture.decisions[0].startswith("converted from ICC profile 'Test profile' to sRGB")


def test_the_deepest_black_of_a_press_is_black() -> None:
    """Its own black is a grey, and would stay one if black points were not brought together."""
    inks, icc = np.zeros((16, 16, 4), np.uint8), _press(black=0.6)
    inks[:, 8:] = (0, 0, 0, 255)
    inks[:8, 8:] = 255
    picture = planes(decoded(saved(Image.fromarray(inks, "CMYK"), "TIFF", None, icc_profile=icc)))
    assert picture[:8, 8:].max() < 2 * LEVEL
    assert picture[8:, 8:].min() > 20 * LEVEL
    assert picture[:, :8].min() > 250 * LEVEL


def test_deep_inks_with_a_profile_are_converted_at_eight_bits_and_it_is_said() -> None:
    icc, inks = _press(), landscape(channels=4)
    picture = decoded(tiff(inks.astype(np.uint16) * 257, photometric=5, extra={34675: ("B", icc)}))
    assert np.abs(planes(picture) - reference(Image.fromarray(inks, "CMYK"), _open(icc))).max() < 2 * LEVEL
    assert "colours converted at 8 bits: the profile works by tables" in picture.decisions


@pytest.mark.parametrize("file_format", ["TIFF", "JPEG"])
def test_inks_without_a_profile_follow_the_plain_formula(file_format: str) -> None:
    options: dict[str, Any] = {"quality": 100, "subsampling": 0} if file_format == "JPEG" else {}
    picture = decoded(saved(_inks(), file_format, **options))
    unit = landscape(channels=4) / 255
    expected = (1 - unit[..., :3]) * (1 - unit[..., 3:])
    assert np.abs(planes(picture) - expected).max() < (4 * LEVEL if file_format == "JPEG" else 1e-6)
    assert "CMYK without a profile converted as (1-C)(1-K)" in picture.decisions


def test_inverted_inks_of_adobe_and_unmarked_ones_are_told_apart_in_the_record() -> None:
    plain = saved(_inks(), "JPEG", quality=100, subsampling=0)
    at = plain.index(b"\xff\xee")
    unmarked = plain[:at] + plain[at + 2 + int.from_bytes(plain[at + 2 : at + 4]) :]
    said = "CMYK JPEG without Adobe's mark taken as inverted, as Adobe writes them"
    assert said not in decoded(plain).decisions
    assert said in decoded(unmarked).decisions


def test_ycck_is_the_same_picture_as_cmyk() -> None:
    # Adobe stores Y, Cb and Cr of the three colours' inks, black inverted, and says so by a 2 in its segment.
    inks = landscape(64, 64, 4)
    coloured = Image.fromarray(inks[..., :3]).convert("YCbCr")
    stored = np.dstack([np.asarray(coloured), 255 - inks[..., 3]])
    # Pillow inverts what it writes, so it is given the inverse.
    data = bytearray(saved(Image.fromarray(255 - stored, "CMYK"), "JPEG", quality=100, subsampling=0))
    data[data.index(b"Adobe") + 11] = 2
    picture = decoded(bytes(data))
    unit = inks / 255
    assert picture.source_mode == "CMYK"
    assert np.abs(planes(picture) - (1 - unit[..., :3]) * (1 - unit[..., 3:])).max() < 6 * LEVEL


@pytest.mark.parametrize("embedded", [True, False])
def test_cielab_is_converted(embedded: bool) -> None:
    srgb, lab = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    image = ImageCms.profileToProfile(Image.fromarray(landscape()), srgb, lab, outputMode="LAB")
    assert image is not None
    if not embedded:
        image.info.pop("icc_profile", None)
        image = Image.frombytes("LAB", image.size, image.tobytes())
    picture = decoded(saved(image, "TIFF"))
    assert picture.source_mode == "LAB"
    assert np.abs(planes(picture) - reference(image, lab)).max() < 2 * LEVEL
    assert np.abs(planes(picture) - landscape() / 255).mean() < 3 * LEVEL
    assert len(picture.decisions) == 1


def test_grey_bilevel_and_ycbcr_come_out_as_their_colours() -> None:
    colour = Image.fromarray(landscape())
    for mode, file_format in (("L", "JPEG"), ("1", "PNG"), ("1", "TIFF"), ("YCbCr", "TIFF"), ("P", "BMP")):
        image = colour.convert(mode)
        expected = np.asarray(image.convert("RGB")) / 255
        picture = decoded(saved(image, file_format))
        assert np.abs(planes(picture) - expected).max() < (0.05 if file_format == "JPEG" else 1e-6)
