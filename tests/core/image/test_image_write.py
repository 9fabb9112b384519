"""Pictures out: right levels, profile and facts inside, the same bytes every time."""

from __future__ import annotations

import io
import subprocess
import sys
import zlib
from typing import Any

import numpy as np
import pytest
import torch
from drawn_images import Array, deep_landscape, landscape, saved
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor

from stylize_core.image.colour import srgb_profile
from stylize_core.image.decode import decode_picture, embedded_facts, encode_picture
from stylize_core.settings.picture import PictureSettings

FACTS = {"content": "photos/a.jpg", "steps": "200", "words": 'naïve "∮" \n\0 end'}
OUTPUTS = [("png", 8), ("png", 16), ("jpeg", 8), ("webp", 8), ("tiff", 8), ("tiff", 16)]
EVERY_OUTPUT = pytest.mark.parametrize(("file_format", "depth"), OUTPUTS)
EXACT_OUTPUTS = pytest.mark.parametrize(
    ("file_format", "depth"), [output for output in OUTPUTS if output[0] in ("png", "tiff")]
)


def _settings(file_format: Any, depth: Any = 8, **more: Any) -> PictureSettings:
    return PictureSettings(format=file_format, bit_depth=depth, **more)


def _tensor(pixels: Array) -> Tensor:
    return torch.from_numpy(
        pixels.astype(np.float32).transpose(2, 0, 1) / np.float32(np.iinfo(pixels.dtype).max)
    )


def _encoded(
    rgb: Tensor, file_format: str, depth: int = 8, alpha: Tensor | None = None, **more: Any
) -> bytes:
    return encode_picture(rgb, alpha=alpha, settings=_settings(file_format, depth, **more), facts=FACTS)


def _decoded(data: bytes) -> Any:
    return decode_picture(data, source="out.png", settings=PictureSettings())


@EXACT_OUTPUTS
@pytest.mark.parametrize("transparent", [False, True])
def test_what_was_written_is_read_back_exactly(file_format: str, depth: int, transparent: bool) -> None:
    rgb = _tensor(deep_landscape() if depth == 16 else landscape())
    alpha = (torch.arange(40) / 39).round(decimals=1).expand(1, 24, 40) if transparent else None
    flat = rgb if alpha is None else rgb * alpha + 1 - alpha
    picture = _decoded(_encoded(flat, file_format, depth, alpha))
    level = 0.51 / (2**depth - 1)
    assert float((picture.rgb - flat).abs().max()) < (level * 2 if transparent else 1e-7)
    if alpha is None:
        assert picture.alpha is None
    else:
        assert float((picture.alpha - alpha).abs().max()) < level


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("file_format", ["png", "tiff"])
def test_values_go_to_the_nearest_level_and_stay_in_range(file_format: str, depth: int) -> None:
    full = 2**depth - 1
    values = torch.tensor(
        [-1.0, -0.001, 0.0, 0.4 / full, 0.6 / full, 99.49 / full, 1.0, 1.001, 7.0, float("inf")]
    )
    rgb = values.expand(3, 16, 10).repeat(1, 1, 2)
    levels = torch.round(_decoded(_encoded(rgb, file_format, depth)).rgb[0, 0, :10] * full)
    assert levels.tolist() == [0, 0, 0, 0, 1, 99, full, full, full, full]


@EVERY_OUTPUT
def test_a_picture_that_is_not_finite_is_not_written(file_format: str, depth: int) -> None:
    rgb = torch.rand(3, 20, 20)
    rgb[1, 3, 4] = float("nan")
    with pytest.raises(ValueError, match="not finite"):
        _encoded(rgb, file_format, depth)


def test_a_picture_of_noise_becomes_a_jpeg_of_the_best_quality() -> None:
    """It takes three bytes a pixel, more than Pillow makes room for by itself."""
    data = _encoded(torch.rand(3, 400, 500), "jpeg", quality=100)
    assert len(data) > 2 * 400 * 500
    assert _decoded(data).rgb.shape == (3, 400, 500)


@EVERY_OUTPUT
def test_the_facts_are_read_back(file_format: str, depth: int) -> None:
    assert embedded_facts(_encoded(torch.rand(3, 20, 30), file_format, depth)) == FACTS


@EVERY_OUTPUT
def test_the_file_says_that_it_is_srgb_and_nothing_of_a_camera(file_format: str, depth: int) -> None:
    data = _encoded(torch.rand(3, 20, 30), file_format, depth)
    image = Image.open(io.BytesIO(data))
    assert image.info["icc_profile"] == srgb_profile()
    assert set(image.getexif()) <= {270} | ({*range(254, 340), 34675} if file_format == "tiff" else set())
    assert _decoded(data).decisions == (("samples of 0 to 65535 scaled to 0 to 1",) if depth == 16 else ())


DIGESTS = """
import hashlib, torch
from stylize_core.image.decode import encode_picture
from stylize_core.settings.picture import PictureSettings
rgb = torch.arange(3 * 30 * 40).reshape(3, 30, 40) / 3600
for name, depth in [("png", 8), ("png", 16), ("jpeg", 8), ("webp", 8), ("tiff", 8), ("tiff", 16)]:
    settings = PictureSettings(format=name, bit_depth=depth)
    data = encode_picture(rgb, alpha=rgb[:1], settings=settings, facts={"b": "2", "a": "1"})
    print(name, depth, hashlib.sha256(data).hexdigest())
"""


def test_the_same_picture_gives_the_same_bytes_in_another_process(capsys: pytest.CaptureFixture[str]) -> None:
    exec(DIGESTS, {})
    here = capsys.readouterr().out
    there = subprocess.run([sys.executable, "-c", DIGESTS], capture_output=True, text=True, check=True).stdout
    assert len(here.splitlines()) == len(OUTPUTS)
    assert here == there


@pytest.mark.parametrize("file_format", ["webp", "jpeg"])
def test_lossy_formats_come_near_and_obey_quality(file_format: str) -> None:
    rgb = _tensor(landscape(160, 120))
    fine, coarse = _encoded(rgb, file_format, quality=98), _encoded(rgb, file_format, quality=20)
    assert len(coarse) < len(fine)
    assert float((_decoded(fine).rgb - rgb).abs().mean()) < 0.01


def test_jpeg_keeps_the_colours_of_every_pixel() -> None:
    image = Image.open(io.BytesIO(_encoded(torch.rand(3, 20, 20), "jpeg")))
    assert [sampling for _, *sampling, _ in image.layer] == [[1, 1]] * 3  # type: ignore[attr-defined]


def test_jpeg_leaves_alpha_out_and_webp_keeps_it() -> None:
    rgb, alpha = torch.full((3, 20, 20), 0.5), torch.zeros(1, 20, 20)
    alpha[:, :10] = 1
    assert _decoded(_encoded(rgb, "jpeg", alpha=alpha)).alpha is None
    assert torch.equal(_decoded(_encoded(rgb, "webp", alpha=alpha)).alpha, alpha)


def test_half_precision_and_strided_pictures_are_written() -> None:
    rgb = torch.rand(20, 30, 3).permute(2, 0, 1)
    assert _encoded(rgb, "png") == _encoded(rgb.contiguous(), "png")
    assert _decoded(_encoded(rgb.bfloat16(), "png")).rgb.shape == (3, 20, 30)


def test_facts_too_long_for_a_picture_are_refused() -> None:
    with pytest.raises(ValueError, match="the facts take 60"):
        encode_picture(
            torch.rand(3, 20, 20), alpha=None, settings=_settings("png"), facts={"a": "x" * 60_000}
        )


@pytest.mark.parametrize(
    "data", [b"", b"text", saved(landscape(), "PNG"), saved(landscape(), "JPEG", comment=b"{")]
)
def test_what_holds_no_facts_gives_none(data: bytes) -> None:
    assert embedded_facts(data) == {}


def test_a_description_by_somebody_else_is_no_fact() -> None:
    for words in ("A day at the sea", "[1, 2]", '{"stylize": 3}', '{"other": {}}'):
        exif = Image.Exif()
        exif[270] = words
        assert embedded_facts(saved(landscape(), "JPEG", exif=exif)) == {}


@settings(max_examples=25, deadline=None, derandomize=True)
@given(
    st.integers(16, 70), st.integers(16, 40), st.integers(3, 4), st.sampled_from(["flat", "noise", "ramp"])
)
def test_own_writers_agree_with_other_readers(width: int, height: int, channels: int, kind: str) -> None:
    rng = np.random.default_rng(width * height)
    pixels: Array = np.full((height, width, channels), 4660, np.uint16)
    if kind == "noise":
        pixels = rng.integers(0, 65536, pixels.shape, dtype=np.uint16)
    elif kind == "ramp":
        pixels = (np.indices((height, width)).sum(0)[..., None] * [301, 77, 513, 997][:channels]).astype(
            np.uint16
        )
    pixels[..., 3:] |= 2048  # colours of less alpha fade
    planes = _tensor(pixels)
    alpha = planes[3:] if channels == 4 else None
    shown = planes[:3] if alpha is None else planes[:3] * alpha + (1 - alpha)
    png, tiff = (_encoded(shown, file_format, 16, alpha) for file_format in ("png", "tiff"))
    assert np.array_equal(_unfiltered(png, pixels.shape), pixels)
    high = np.asarray(Image.open(io.BytesIO(tiff)))
    assert np.array_equal(high, (pixels >> 8).astype(np.uint8))


def _unfiltered(data: bytes, shape: tuple[int, ...]) -> Array:
    """The samples of a 16-bit PNG, by a slow reader of the five filters after the text of the standard."""
    at, packed = 8, b""
    while at < len(data):
        length, name = int.from_bytes(data[at : at + 4]), data[at + 4 : at + 8]
        body = data[at + 8 : at + 8 + length]
        assert zlib.crc32(name + body) == int.from_bytes(data[at + 8 + length : at + 12 + length])
        packed += body if name == b"IDAT" else b""
        at += 12 + length
    raw, step = zlib.decompress(packed), shape[2] * 2
    stride, above, rows = shape[1] * step, bytes(shape[1] * step), []
    for start in range(0, len(raw), stride + 1):
        row = bytearray(raw[start + 1 : start + 1 + stride])
        for i in range(stride):
            left, corner = (row[i - step], above[i - step]) if i >= step else (0, 0)
            guess = (0, left, above[i], (left + above[i]) // 2, _nearest(left, above[i], corner))[raw[start]]
            row[i] = (row[i] + guess) % 256
        rows.append(np.frombuffer(bytes(row), ">u2").reshape(shape[1:]))
        above = bytes(row)
    return np.stack(rows).astype(np.uint16)


def _nearest(left: int, above: int, corner: int) -> int:
    middle = left + above - corner
    return min((left, above, corner), key=lambda value: abs(middle - value))


def _translucent(seed: int = 0) -> Array:
    """Levels of every alpha that is more than faint, and colours of every kind, [32, 64, 4]."""
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 256, (32, 64, 4), np.uint8)
    pixels[..., 3] = np.linspace(8, 255, 64).round()
    return pixels


@EXACT_OUTPUTS
def test_a_translucent_picture_that_is_opened_and_saved_is_the_same(file_format: str, depth: int) -> None:
    pixels = _translucent()
    given = _decoded(saved(Image.fromarray(pixels), "PNG"))
    data = _encoded(given.rgb, file_format, depth, given.alpha)
    assert torch.equal(_decoded(data).alpha, given.alpha)
    assert float((_decoded(data).rgb - given.rgb).abs().max()) < 0.51 / (2**depth - 1)
    if depth == 8:
        assert np.array_equal(np.asarray(Image.open(io.BytesIO(data))), pixels)


def test_half_transparent_black_shows_as_it_did_on_white_and_on_black() -> None:
    black = np.zeros((16, 16, 4), np.uint8)
    black[..., 3] = 128
    given = _decoded(saved(Image.fromarray(black), "PNG"))
    stored = np.asarray(Image.open(io.BytesIO(_encoded(given.rgb, "png", alpha=given.alpha))))
    assert stored[0, 0].tolist() == [0, 0, 0, 128], "no grey halo on black"


@given(st.integers(0, 2**32 - 1))
def test_a_styled_picture_shows_on_white_wherever_its_alpha_lets_it(seed: int) -> None:
    styled = torch.rand(3, 32, 64, generator=torch.Generator().manual_seed(seed))
    alpha = torch.from_numpy(_translucent()[None, ..., 3] / np.float32(255))
    shown = _decoded(_encoded(styled, "png", alpha=alpha)).rgb
    can = (styled >= 1 - alpha).all(0)
    assert float((shown - styled)[:, can].abs().max()) < 0.51 / 255
    assert bool((shown >= styled - 0.51 / 255).all()), "nothing shows darker than it is"


def test_what_is_darker_than_its_alpha_can_show_keeps_its_hue() -> None:
    """A dark blue rim of a soft mask is dark blue, not black, on whatever ground it is laid."""
    blue = torch.tensor([0.1, 0.2, 0.55])[:, None, None].expand(3, 16, 16)
    data = _encoded(blue, "png", alpha=torch.full((1, 16, 16), 0.4))
    red, green, stored = (np.asarray(Image.open(io.BytesIO(data)))[0, 0, :3] / 255).tolist()
    assert red == 0, "as dark as can be"
    assert (1 - green, 1 - stored) == pytest.approx((0.8 / 0.9, 0.45 / 0.9), abs=0.01)


def test_what_is_hardly_there_is_nearly_white_and_no_confetti() -> None:
    noise = torch.rand(3, 32, 32, generator=torch.Generator().manual_seed(0))
    for level, darkest in ((0, 255), (1, 220), (2, 190)):
        data = _encoded(noise, "png", alpha=torch.full((1, 32, 32), level / 255))
        assert np.asarray(Image.open(io.BytesIO(data)))[..., :3].min() >= darkest


@EXACT_OUTPUTS
def test_opaque_pixels_are_the_bytes_that_they_are_without_alpha(file_format: str, depth: int) -> None:
    rgb = _tensor(landscape())
    alpha = torch.ones(1, 24, 40)
    alpha[..., 20:] = torch.linspace(0, 1, 20)
    alpha[..., :20] -= 1e-7  # as scaling leaves it
    stored, plain = (_decoded(_encoded(rgb, file_format, depth, one)).rgb for one in (alpha, None))
    assert torch.equal(stored[..., :20], plain[..., :20])
