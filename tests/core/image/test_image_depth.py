"""More than eight bits per channel: every level kept, on the scale that the file declares."""

from __future__ import annotations

import struct
import zlib
from typing import Any, Literal

import numpy as np
import pytest
from drawn_images import Array, chunk, decoded, deep_landscape, landscape, planes, png, saved, tiff
from PIL import Image

from stylize_core.errors import BadImage

DEEP = deep_landscape()
GREY = DEEP[..., :1]
ORDERS = pytest.mark.parametrize("order", ["<", ">"])
PACKINGS = pytest.mark.parametrize("deflated", [False, True])
Order = Literal["<", ">"]


def _grey(unit: Array) -> Array:
    return np.repeat(unit, 3, axis=-1)


def _same(data: bytes, expected: Array) -> None:
    """The file holds `expected` to within a quarter of a 16-bit level."""
    assert np.abs(planes(decoded(data)) - expected).max() < 0.25 / 65535


def test_the_mean_of_a_16_bit_grey_is_right() -> None:
    # Drawn like PngSuite's basn0g16, whose mean Pillow alone turns from 144 to 255.
    ramp = np.linspace(0, 65535, 32 * 32).reshape(32, 32, 1).astype(np.uint16)
    picture = decoded(png(ramp, colour_type=0))
    assert float(picture.rgb.mean()) * 65535 == pytest.approx(float(ramp.mean()), abs=1)
    assert picture.source_mode == "I;16"


@pytest.mark.parametrize(("channels", "colour_type"), [(1, 0), (3, 2)])
def test_a_16_bit_png_keeps_its_low_bytes(channels: int, colour_type: int) -> None:
    pixels = deep_landscape(channels=channels)
    _same(png(pixels, colour_type=colour_type), pixels / 65535)


@pytest.mark.parametrize(("channels", "colour_type"), [(2, 4), (4, 6)])
def test_a_16_bit_png_with_alpha_keeps_its_low_bytes(channels: int, colour_type: int) -> None:
    pixels = deep_landscape(channels=channels)
    picture = decoded(png(pixels, colour_type=colour_type))
    unit = pixels / 65535
    colours, alpha = unit[..., :-1], unit[..., -1:]
    assert picture.alpha is not None
    assert np.abs(picture.alpha.numpy()[0] - alpha[..., 0]).max() < 1e-6
    assert np.abs(planes(picture) - (colours * alpha + 1 - alpha)).max() < 1e-6


def test_an_interlaced_16_bit_png_is_the_same_picture() -> None:
    passes = (
        (0, 8, 0, 8),
        (4, 8, 0, 8),
        (0, 4, 4, 8),
        (2, 4, 0, 4),
        (0, 2, 2, 4),
        (1, 2, 0, 2),
        (0, 1, 1, 2),
    )
    rows = b""
    for left, across, top, down in passes:
        for row in DEEP[top::down, left::across]:
            rows += b"\0" + row.astype(">u2").tobytes()
    header = struct.pack(">IIBBBBB", 40, 24, 16, 2, 0, 0, 1)
    plain = png(DEEP, colour_type=2, body=zlib.compress(rows))
    data = plain[:8] + chunk(b"IHDR", header) + plain[33:]
    _same(data, DEEP / 65535)
    short = png(DEEP, colour_type=2, body=zlib.compress(rows[:-1]))
    with pytest.raises(BadImage, match="the last 1 bytes"):
        decoded(short[:8] + chunk(b"IHDR", header) + short[33:])


@ORDERS
@PACKINGS
def test_a_16_bit_colour_tiff_keeps_its_low_bytes(order: Order, deflated: bool) -> None:
    _same(tiff(DEEP, photometric=2, order=order, deflated=deflated), DEEP / 65535)


@ORDERS
@PACKINGS
@pytest.mark.parametrize("white", [0, 1])
def test_a_grey_tiff_of_any_type_has_its_declared_scale(order: Order, deflated: bool, white: int) -> None:
    unit = GREY / 65535
    samples: list[tuple[Array, int]] = [(unit.astype(np.float32), 3)]
    if white == 1:
        samples += [(GREY, 1), ((GREY >> 1).astype(np.int16), 2), (GREY.astype(np.int32) * 32768, 2)]
    for values, sample_format in samples:
        full = 1 if sample_format == 3 else np.iinfo(values.dtype).max
        expected = values.astype(np.float64) / full
        data = tiff(values, photometric=white, sample_format=sample_format, order=order, deflated=deflated)
        _same(data, _grey(expected if white else 1 - expected))


def test_unsigned_32_bits_and_white_as_zero_are_understood() -> None:
    _same(tiff(GREY.astype(np.uint32) * 65537, photometric=1), _grey(GREY / 65535))
    _same(tiff(GREY, photometric=0), _grey(1 - GREY / 65535))


def test_twelve_bits_are_scaled_by_twelve_bits() -> None:
    levels = GREY[..., 0] >> 4
    pairs = levels[:, 0::2].astype(np.uint32) << 12 | levels[:, 1::2]
    packed = np.stack([pairs >> 16, pairs >> 8 & 255, pairs & 255], axis=-1).astype(np.uint8)
    body = packed.reshape(24, -1, 1)
    tags: dict[int, tuple[str, Any]] = {256: ("I", [40])}
    _same(tiff(body, photometric=1, bits=12, extra=tags), _grey(levels[..., None] / 4095))


@pytest.mark.parametrize("extra", [0, 1, 2])
def test_the_fourth_channel_of_a_16_bit_tiff_is_what_it_says(extra: int) -> None:
    pixels = deep_landscape(channels=4)
    pixels[..., 3] |= 0x4000
    alpha = pixels[..., 3:] / 65535
    if extra == 1:  # colours are stored multiplied
        pixels[..., :3] = np.rint(pixels[..., :3] * alpha)
    picture = decoded(tiff(pixels, photometric=2, extra={338: ("H", [extra])}))
    colours = pixels[..., :3] / 65535
    over_white = {0: colours, 1: colours + 1 - alpha, 2: colours * alpha + 1 - alpha}[extra]
    assert (picture.alpha is None) == (extra == 0)
    assert np.abs(planes(picture) - over_white).max() < 1e-5


def test_16_bit_inks_are_kept() -> None:
    pixels = deep_landscape(channels=4)
    unit = pixels / 65535
    _same(tiff(pixels, photometric=5), (1 - unit[..., :3]) * (1 - unit[..., 3:]))


def test_a_declared_range_is_the_scale() -> None:
    ends: dict[int, tuple[str, Any]] = {340: ("f", [-10.0]), 341: ("f", [245.0])}
    floats = (GREY / 65535 * 255 - 10).astype(np.float32)
    assert (
        np.abs(planes(decoded(tiff(floats, photometric=1, sample_format=3, extra=ends))) - GREY / 65535).max()
        < 1e-6
    )
    _same(tiff(GREY >> 4, photometric=1, extra={341: ("H", [4095])}), _grey((GREY >> 4) / 4095))
    _same(tiff(DEEP >> 4, photometric=2, extra={341: ("H", [4095] * 3)}), (DEEP >> 4) / 4095)


@pytest.mark.parametrize(
    ("values", "sample_format", "said"),
    [
        (landscape(channels=1).astype(np.float32), 3, "outside 0 to 1; declare their range"),
        (np.full((16, 16, 1), np.nan, np.float32), 3, "outside 0 to 1"),
        (np.full((16, 16, 1), np.inf, np.float32), 3, "outside 0 to 1"),
        (GREY.astype(np.int32) - 9000, 2, "reach from -"),
        (GREY.astype(np.int32), 2, "which is black; declare SMaxSampleValue"),
    ],
)
def test_samples_off_their_scale_are_refused_and_not_clipped(
    values: Array, sample_format: int, said: str
) -> None:
    with pytest.raises(BadImage, match=said):
        decoded(tiff(values, photometric=1, sample_format=sample_format))


def test_a_black_deep_picture_is_black() -> None:
    zeros = np.zeros((16, 16, 1), np.int32)
    assert float(decoded(tiff(zeros, photometric=1, sample_format=2)).rgb.max()) == 0


@PACKINGS
def test_16_bit_planes_stored_apart_are_refused(deflated: bool) -> None:
    data = tiff(DEEP, photometric=2, deflated=deflated, extra={284: ("H", [2])})
    with pytest.raises(BadImage, match="store them interleaved"):
        decoded(data)


@pytest.mark.parametrize("orientation", range(2, 9))
def test_deep_pictures_are_turned_upright_as_well(orientation: int) -> None:
    deep = decoded(tiff(DEEP, photometric=2, extra={274: ("H", [orientation])}))
    shallow = decoded(tiff((DEEP >> 8).astype(np.uint8), photometric=2, extra={274: ("H", [orientation])}))
    assert deep.rgb.shape == shallow.rgb.shape
    assert float((deep.rgb - shallow.rgb).abs().max()) < 1 / 128
    said = ("samples of 0 to 65535 scaled to 0 to 1", f"EXIF orientation {orientation} applied")
    assert deep.decisions == said


def test_pillows_own_16_bit_files_are_read() -> None:
    image = Image.fromarray(GREY[..., 0])
    for file_format in ("PNG", "TIFF"):
        _same(saved(image, file_format), _grey(GREY / 65535))
