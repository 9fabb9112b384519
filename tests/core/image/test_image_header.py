"""What is a picture and whether all of it is there: judged by content, never by name."""

from __future__ import annotations

import contextlib
import io
import os
import re
import zlib
from pathlib import Path

import numpy as np
import pytest
from drawn_images import Array, chunk, decoded, deep_landscape, landscape, png, saved, tiff
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import EpsImagePlugin, Image, ImageFile

from stylize_core.errors import BadImage
from stylize_core.image.formats.kinds import ACCEPTED, sniff


def _cmyk() -> Image.Image:
    return Image.fromarray(landscape()).convert("CMYK")


SAMPLES = Path(__file__).parent / "samples"
PICTURES = {
    "jpeg": saved(landscape(), "JPEG"),
    "progressive jpeg": saved(landscape(), "JPEG", progressive=True),
    "cmyk jpeg": saved(_cmyk(), "JPEG"),
    "png": saved(landscape(), "PNG"),
    "palette png": saved(Image.fromarray(landscape(24, 16)).convert("P"), "PNG"),
    "16-bit png": png(deep_landscape(16, 16, 1), colour_type=0),
    "webp": saved(landscape(), "WEBP"),
    "lossless webp with alpha": saved(landscape(channels=4), "WEBP", lossless=True),
    "gif": saved(landscape(20, 16), "GIF"),
    "bmp": saved(landscape(20, 16), "BMP"),
    "tiff": saved(landscape(20, 16), "TIFF"),
    "deflated tiff": saved(landscape(20, 16), "TIFF", compression="tiff_adobe_deflate"),
    "lzw tiff": saved(landscape(20, 16), "TIFF", compression="tiff_lzw"),
    "fax tiff": saved(Image.fromarray(landscape()).convert("1"), "TIFF", compression="group4"),
    "16-bit tiff": tiff(deep_landscape(16, 16), photometric=2),
    "avif": saved(landscape(), "AVIF"),
    "10-bit avif": (SAMPLES / "ten_bits.avif").read_bytes(),
    "10-bit heic": (SAMPLES / "phone.heic").read_bytes(),
    "big tiff": saved(landscape(20, 16), "TIFF", big_tiff=True),
}

STRANGERS = {
    "an empty file": b"",
    "text": b"hello, this is no picture\n",
    "an HTML page": b"\n <!DOCTYPE html><html><body>404</body></html>",
    "an XML document": b'<?xml version="1.0"?><Error><Code>NoSuchKey</Code></Error>',
    "an SVG drawing": b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>',
    "a PDF file": b"%PDF-1.7\n%\xe2\xe3\xcf\xd3",
    "an EPS or PostScript file": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 64 64\n",
    "an EPS file": b"\xc5\xd0\xd3\xc6" + bytes(26),
    "a Photoshop file": b"8BPS\0\1" + bytes(20),
    "a ZIP archive": b"PK\x03\x04" + bytes(20),
    "unknown data that starts with 00 01 02 03": b"\0\1\2\3",
}


@pytest.mark.parametrize("name", PICTURES)
def test_every_accepted_format_is_decoded(name: str) -> None:
    picture = decoded(PICTURES[name])
    assert picture.source_format in ACCEPTED
    assert picture.rgb.shape[0] == 3
    assert 0 <= float(picture.rgb.min()) < float(picture.rgb.max()) <= 1


@pytest.mark.parametrize("kind", STRANGERS)
def test_what_is_no_picture_is_refused_by_what_it_is(kind: str) -> None:
    with pytest.raises(BadImage, match=r"photos/a\.jpg: this is ") as refused:
        decoded(STRANGERS[kind])
    assert f"this is {kind};" in str(refused.value)


def test_postscript_named_jpg_starts_no_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    canary, folder = tmp_path / "canary", tmp_path / "bin"
    folder.mkdir()
    ghostscript = folder / "gs"
    ghostscript.write_text(f"#!/bin/sh\ntouch {canary}\n")
    ghostscript.chmod(0o755)
    eps = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 64 64\n%%EndComments\nshowpage\n%%EOF\n"
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    monkeypatch.setattr(EpsImagePlugin, "gs_binary", None)  # Pillow looks for it once in a process
    # Pillow on its own would start it: the canary is alive.
    with Image.open(io.BytesIO(eps)) as image, contextlib.suppress(OSError):
        image.load()
    assert canary.exists()
    canary.unlink()
    with pytest.raises(BadImage, match="this is an EPS or PostScript file"):
        decoded(eps)
    assert not canary.exists()


def _is_decoded(data: bytes) -> bool:
    try:
        decoded(data)
    except BadImage:
        return False
    return True


@pytest.mark.parametrize("name", PICTURES)
def test_no_prefix_of_a_picture_is_decoded(name: str) -> None:
    data = PICTURES[name]
    lengths = {*range(0, len(data), 1 + len(data) // 150), *range(len(data) - 130, len(data))}
    decodable = [length for length in sorted(lengths) if _is_decoded(data[: max(length, 0)])]
    assert decodable == []


@pytest.mark.parametrize("name", ["jpeg", "png", "webp", "gif", "tiff", "bmp", "avif", "10-bit heic"])
def test_bytes_behind_the_end_of_a_picture_do_no_harm(name: str) -> None:
    plain, tailed = decoded(PICTURES[name]), decoded(PICTURES[name] + b"\0\0 appended by a camera")
    assert np.array_equal(plain.rgb, tailed.rgb)


def test_a_thumbnails_end_mark_is_not_the_pictures() -> None:
    exif = Image.Exif()
    exif[0x010E] = "x\xff\xd9x"
    thumbnail = saved(landscape(16, 16), "JPEG")
    data = saved(landscape(), "JPEG", exif=exif.tobytes() + thumbnail)
    assert decoded(data).rgb.shape == (3, 24, 40)
    with pytest.raises(BadImage, match="end-of-image"):
        decoded(data[:-2])


def test_a_png_whose_data_end_early_is_refused_though_its_chunks_are_whole() -> None:
    pixels = landscape()
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    for short in (rows[:-1], rows[: len(rows) // 2], b""):
        with pytest.raises(BadImage, match=r"photos/a\.jpg"):
            decoded(png(pixels, colour_type=2, body=zlib.compress(short)))
        with pytest.raises(BadImage, match=r"photos/a\.jpg"):
            decoded(png(pixels, colour_type=2, body=zlib.compress(rows)[: -len(rows) // 4]))


def test_a_flipped_bit_in_png_data_is_named() -> None:
    data = bytearray(PICTURES["png"])
    data[data.index(b"IDAT") + 20] ^= 4
    with pytest.raises(BadImage, match=r"'IDAT' chunk at byte \d+ is damaged"):
        decoded(bytes(data))


def test_a_cut_file_is_refused_even_where_the_process_tolerates_cuts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    with pytest.raises(BadImage):
        decoded(PICTURES["bmp"][:-500])
    assert ImageFile.LOAD_TRUNCATED_IMAGES


@pytest.mark.parametrize("name", PICTURES)
@settings(max_examples=60, deadline=None, derandomize=True)
@given(data=st.data())
def test_damage_is_refused_by_name_or_does_no_harm(name: str, data: st.DataObject) -> None:
    damaged = bytearray(PICTURES[name])
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(damaged) - 1))
        damaged[at] ^= data.draw(st.integers(1, 255))
    try:
        picture = decoded(bytes(damaged))
    except BadImage as error:
        assert str(error).startswith("photos/a.jpg: ")  # noqa: PT017
        assert not re.search(r"\b0x", str(error))  # noqa: PT017
    else:
        assert bool(picture.rgb.isfinite().all())


@given(st.binary(max_size=80), st.sampled_from([data[:30] for data in PICTURES.values()]))
@settings(max_examples=150, deadline=None, derandomize=True)
def test_a_true_beginning_with_any_rest_is_refused(rest: bytes, start: bytes) -> None:
    assert sniff(start) in ACCEPTED
    with pytest.raises(BadImage):
        decoded(start + rest)


def test_an_unknown_header_gives_the_same_message_every_time() -> None:
    floats: Array = np.zeros((16, 16, 3), np.float32)
    messages = set()
    for _ in range(3):
        with pytest.raises(BadImage, match="layout is not supported") as refused:
            decoded(tiff(floats, photometric=2, sample_format=3))
        messages.add(str(refused.value))
    assert len(messages) == 1


def test_a_huge_text_chunk_is_refused_by_size() -> None:
    bomb = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(50_000_000)))
    with pytest.raises(BadImage, match="text or profile chunk") as refused:
        decoded(png(landscape(), bomb, colour_type=2))
    assert refused.value.kind == "too_large"
