"""Files in strips: what other readers make of them, however large, and that nothing is held twice."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from fractions import Fraction

import av
import numpy as np
import pytest
import torch
from drawn_images import Array, deep_landscape, landscape
from PIL import Image

from stylize_core.image import encode
from stylize_core.image.colour import srgb_profile
from stylize_core.image.decode import decode_picture, embedded_facts
from stylize_core.image.encode import encode_picture, write_picture
from stylize_core.image.files import strips
from stylize_core.image.files.png_file import write_png
from stylize_core.image.files.strips import Strips
from stylize_core.image.files.tiff_file import write_tiff
from stylize_core.image.metadata.reading import Metadata
from stylize_core.settings.picture import PictureSettings

FACTS = {"steps": "200"}


@pytest.fixture(autouse=True)
def _small_strips(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strips, "STRIP_BYTES", 600)


def in_strips(pixels: Array, asked: Callable[[], None] = lambda: None) -> Strips:
    """The pixels as a writer gets them; `asked` is called for every strip."""
    height, width, channels = pixels.shape
    rows = strips.rows_of(width, channels, pixels.itemsize)

    def each() -> Iterator[Array]:
        for top in range(0, height, rows):
            asked()
            yield pixels[top : top + rows]

    return Strips(width, height, channels, pixels.itemsize, each())


def png_of(pixels: Strips, into: io.BytesIO) -> None:
    write_png(into, pixels, profile=srgb_profile(), keyword="a", text="b")


def tiff_of(pixels: Strips, into: io.BytesIO, *, classic_bytes: int = 2**32) -> None:
    write_tiff(into, pixels, profile=srgb_profile(), description="b", classic_bytes=classic_bytes)


def by_ffmpeg(data: bytes) -> Array:
    """The pixels as another reader has them, 16 bits and more channels included."""
    with av.open(io.BytesIO(data), "r") as file:
        frame = next(file.decode(video=0))
        return np.asarray(frame.to_ndarray(format=frame.format.name))


def test_a_png_of_sixteen_bits_is_read_by_another_reader() -> None:
    for channels in (3, 4):
        pixels = deep_landscape(channels=channels)
        out = io.BytesIO()
        png_of(in_strips(pixels), out)
        assert np.array_equal(by_ffmpeg(out.getvalue()), pixels)


def test_a_tiff_of_sixteen_bits_is_read_by_another_reader() -> None:
    pixels = deep_landscape()
    out = io.BytesIO()
    tiff_of(in_strips(pixels), out)
    assert np.array_equal(by_ffmpeg(out.getvalue()), pixels)


@pytest.mark.parametrize("deep", [False, True])
def test_a_tiff_that_may_outgrow_four_gigabytes_is_a_bigtiff(deep: bool) -> None:
    pixels = deep_landscape() if deep else landscape()
    out = io.BytesIO()
    tiff_of(in_strips(pixels), out, classic_bytes=2**20)
    data = out.getvalue()
    assert data[:8] == b"II+\0\x08\0\0\0"
    with Image.open(io.BytesIO(data)) as image:
        assert image.info["icc_profile"] == srgb_profile()
        assert np.array_equal(np.asarray(image), pixels >> 8 if deep else pixels)
    read = decode_picture(data, source="big", settings=PictureSettings())
    assert np.array_equal((read.rgb.permute(1, 2, 0) * (65535 if deep else 255)).round().numpy(), pixels)


def test_which_form_a_tiff_has_is_known_from_its_size_alone() -> None:
    forms = []
    for classic_bytes in (2**20 + 2900, 2**20 + 2920):  # 2,880 bytes of pixels, and room for a directory
        out = io.BytesIO()
        tiff_of(in_strips(landscape()), out, classic_bytes=classic_bytes)
        forms.append(out.getvalue()[2])
    assert forms == [43, 42]


@pytest.mark.parametrize("write", [png_of, tiff_of])
def test_what_is_packed_is_written_before_the_next_strip_is_made(
    write: Callable[[Strips, io.BytesIO], None],
) -> None:
    """So that neither all pixels nor all packed bytes are in memory at once."""
    pixels = np.random.default_rng(1).integers(0, 65536, (60, 100, 3), dtype=np.uint16)
    out, sizes = io.BytesIO(), list[int]()
    write(in_strips(pixels, lambda: sizes.append(out.tell())), out)
    assert len(sizes) == 60
    behind = [600 * number - size for number, size in enumerate(sizes)]
    assert max(behind) < 70_000, "zlib holds a window, and nobody anything else"
    assert sizes[-1] > 0.8 * len(out.getvalue()) - 70_000


def test_a_large_png_of_eight_bits_has_the_pixels_and_the_words_of_a_small_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    planes = torch.from_numpy(landscape(channels=4)).permute(2, 0, 1) / 255
    alpha = planes[3:]
    on_white = planes[:3] * alpha + (1 - alpha)
    settings = PictureSettings(metadata="keep", dpi=300)
    owned = Metadata(copyright="© somebody", caption="a town")

    def made() -> bytes:
        return encode_picture(on_white, alpha=alpha, settings=settings, facts=FACTS, metadata=owned)

    small = made()
    monkeypatch.setattr(encode, "PNG_PIXELS_OF_PILLOW", 900)
    large = made()
    assert large != small
    one, other = (decode_picture(data, source="it", settings=PictureSettings()) for data in (small, large))
    assert torch.equal(one.rgb, other.rgb)
    assert one.alpha is not None
    assert other.alpha is not None
    assert torch.equal(one.alpha, other.alpha)
    assert one.metadata == other.metadata
    assert embedded_facts(large) == FACTS
    assert np.array_equal(by_ffmpeg(large), landscape(channels=4))


@pytest.mark.parametrize(("form", "depth"), [("png", 8), ("png", 16), ("tiff", 8), ("tiff", 16), ("jpeg", 8)])
def test_dots_per_inch_are_written_as_asked_and_count_more_than_the_contents_own(
    form: str, depth: int
) -> None:
    settings = PictureSettings(format=form, bit_depth=depth, metadata="copyright", dpi=300)  # type: ignore[arg-type]
    out = io.BytesIO()
    owned = Metadata(copyright="© somebody", dpi=(72.5, 72.5))
    write_picture(out, torch.rand(3, 20, 30), alpha=None, settings=settings, facts=FACTS, metadata=owned)
    with Image.open(out) as image:
        across, down = image.info["dpi"]
        assert (round(Fraction(across)), round(Fraction(down))) == (300, 300)
    assert PictureSettings().canonical() == PictureSettings(dpi=0).canonical()
    assert "dpi" not in PictureSettings().canonical()
