from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from stylize_core.image.preview import NoPreview, draw_preview


def noise(width: int, height: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8))


def encoded(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def shown(data: bytes) -> Image.Image:
    preview = draw_preview(data, long_edge=100, at_most_bytes=100_000)
    image = Image.open(io.BytesIO(preview.data))
    assert (image.format, image.size) == ("WEBP", (preview.width, preview.height))
    return image.convert("RGB")


def test_a_preview_keeps_the_shape_and_is_no_larger_than_asked_or_than_the_picture() -> None:
    assert shown(encoded(noise(400, 200))).size == (100, 50)
    assert shown(encoded(noise(40, 60))).size == (40, 60)
    assert shown(encoded(noise(2000, 20))).size == (100, 1)


def test_it_has_no_more_bytes_than_asked_even_of_noise() -> None:
    for at_most in (8000, 1200, 300):
        preview = draw_preview(encoded(noise(400, 400)), long_edge=200, at_most_bytes=at_most)
        assert len(preview.data) <= at_most
    with pytest.raises(NoPreview, match="30 bytes hold no picture"):
        draw_preview(encoded(noise(400, 400)), long_edge=200, at_most_bytes=30)


@pytest.mark.parametrize(("kind", "mode"), [
    ("JPEG", "RGB"), ("JPEG", "CMYK"), ("JPEG", "L"), ("PNG", "L"), ("PNG", "P"), ("PNG", "I;16"),
    ("TIFF", "RGB"), ("WEBP", "RGB"), ("GIF", "P"), ("BMP", "RGB"),
])  # fmt: skip
def test_every_layout_keeps_its_colour(kind: str, mode: str) -> None:
    grey = mode in ("L", "I;16")
    colour = (140, 140, 140) if grey else (200, 90, 40)
    plain = Image.new("RGB", (300, 200), colour)
    if mode == "I;16":
        image = Image.fromarray(np.full((200, 300), 140 * 257, np.uint16))
    else:
        image = plain.convert(mode)
    middle = shown(encoded(image, kind)).getpixel((50, 33))
    # CMYK without a profile is taken by another rule than Pillow's, and WebP rounds
    assert np.abs(np.array(middle) - colour).max() <= 6


def test_it_is_upright_and_white_where_the_picture_is_transparent() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter turn to the right
    assert shown(encoded(noise(400, 200), "JPEG", exif=exif)).size == (50, 100)
    clear = Image.new("RGBA", (64, 64), (0, 0, 0, 0))
    assert shown(encoded(clear)).getpixel((32, 32)) == (255, 255, 255)


@pytest.mark.parametrize(
    "data", [b"", b"<html>", encoded(noise(64, 64))[:900], b"\x89PNG\r\n\x1a\n" + bytes(50)]
)
def test_what_is_no_picture_has_none_and_says_why(data: bytes) -> None:
    with pytest.raises(NoPreview, match=r"\w{3}"):
        draw_preview(data, long_edge=100, at_most_bytes=10_000)


def test_a_header_that_announces_too_much_is_not_decoded() -> None:
    bomb = encoded(Image.new("1", (9000, 9000)))
    with pytest.raises(NoPreview, match="81000000 pixels"):
        draw_preview(bomb, long_edge=100, at_most_bytes=10_000)
