"""Pictures in and out of the core: sizes, transparency and resizing."""

from __future__ import annotations

import struct
import subprocess
import sys
import threading
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from drawn_images import chunk, claiming, decoded, landscape, planes, png, saved, tiff
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from stylize_core.errors import BadImage, ImageTooLarge, ImageTooSmall
from stylize_core.image.decode import MIN_SIDE_PX, Picture
from stylize_core.image.resize import resize


def _picture(rgb: Any, alpha: Any = None) -> Picture:
    return Picture(torch.as_tensor(rgb), None if alpha is None else torch.as_tensor(alpha), "PNG", "RGB")


def test_a_picture_is_red_green_blue_planes_of_the_files_values() -> None:
    picture = decoded(saved(landscape(), "PNG"))
    assert picture.rgb.dtype == torch.float32
    assert picture.rgb.is_contiguous()
    assert np.array_equal(planes(picture), landscape().astype(np.float32) / np.float32(255))
    assert (picture.alpha, picture.source_format, picture.source_mode, picture.decisions) == (
        None,
        "PNG",
        "RGB",
        (),
    )


def test_the_same_bytes_give_the_same_picture_every_time_and_in_every_thread() -> None:
    data = saved(landscape(200, 160), "JPEG")
    seen: list[bytes] = []
    threads = [
        threading.Thread(target=lambda: seen.append(decoded(data).rgb.numpy().tobytes())) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 8
    assert len(set(seen)) == 1


@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF"])
def test_more_pixels_than_allowed_are_refused_with_both_numbers(file_format: str) -> None:
    data = saved(landscape(100, 80), file_format)
    assert decoded(data, max_megapixels=0.008).rgb.shape == (3, 80, 100)
    with pytest.raises(ImageTooLarge, match=r"photos/a\.jpg: its header announces 8000 pixels") as refused:
        decoded(data, max_megapixels=0.007999)
    assert "the limit is 7999" in str(refused.value)


def test_the_limit_may_lie_above_pillows_own_and_pillows_own_is_left_as_it_was() -> None:
    before = Image.MAX_IMAGE_PIXELS
    width, height = 30_000, 6_100  # 183 megapixels: Pillow alone raises
    data = claiming(saved(landscape(), "PNG"), width, height)
    with pytest.raises(ImageTooLarge, match="announces 183000000 pixels"):
        decoded(data)
    with pytest.raises(BadImage, match="bytes of its pixels are missing"):
        decoded(data, max_megapixels=183)
    with pytest.raises(ImageTooLarge, match="the limit is 182000000"):
        decoded(data, max_megapixels=182)
    assert before == Image.MAX_IMAGE_PIXELS


def test_a_side_beyond_every_format_is_refused() -> None:
    with pytest.raises(ImageTooLarge, match="70000x16 px; the longest side accepted is 65535 px"):
        decoded(saved(Image.new("1", (70_000, 16)), "PNG"))


@pytest.mark.parametrize(("width", "height"), [(1, 1), (1, 500), (15, 16), (16, 15)])
def test_what_the_network_cannot_see_is_refused_with_both_sides(width: int, height: int) -> None:
    with pytest.raises(ImageTooSmall, match=rf"{width}x{height} px; each side must be at least 16 px"):
        decoded(saved(landscape(width, height) if width > 1 else Image.new("RGB", (width, height)), "PNG"))


def test_the_smallest_accepted_side_is_accepted() -> None:
    assert decoded(saved(landscape(MIN_SIDE_PX, MIN_SIDE_PX), "PNG")).rgb.shape == (
        3,
        MIN_SIDE_PX,
        MIN_SIDE_PX,
    )


_SIDES = (60_000).to_bytes(2, "little") * 2
BOMBS = {
    "png": claiming(png(landscape(), colour_type=2, body=zlib.compress(bytes(50_000_000))), 60_000, 60_000),
    "gif": b"GIF89a" + _SIDES + b"\0\0\0,\0\0\0\0" + _SIDES + b"\0\2\2\x44\1\0;",
    "webp": b"RIFF\x50\0\0\0WEBPVP8X\x0a\0\0\0\x10\0\0\0\xfe\x3f\0\xfe\x3f\0" + bytes(58),
    "tiff": tiff(landscape(), photometric=2, extra={256: ("I", [60_000]), 257: ("I", [60_000])}),
}


def test_a_bomb_is_refused_before_memory_is_taken(tmp_path: Path) -> None:
    for name, data in BOMBS.items():
        (tmp_path / name).write_bytes(data)
    code = (
        "import pathlib, resource, sys\n"
        "from stylize_core.image.decode import decode_picture\n"
        "from stylize_core.settings.picture import PictureSettings\n"
        "read = {path.name: path.read_bytes() for path in map(pathlib.Path, sys.argv[1:])}\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "for name, data in read.items():\n"
        "    try: decode_picture(data, source='bomb.jpg', settings=PictureSettings())\n"
        "    except Exception as error: said = f'{type(error).__name__} {error}'\n"
        "    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before\n"
        "    print(name, grown // 1024, said)\n"
    )
    command = [sys.executable, "-c", code, *(str(tmp_path / name) for name in BOMBS)]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    assert [line.split()[0] for line in lines] == list(BOMBS)
    for line in lines:
        name, grown_mb, said = line.split(maxsplit=2)
        assert said.startswith("ImageTooLarge bomb.jpg: its header announces "), name
        assert int(grown_mb) < 50, name


def test_content_under_full_transparency_does_not_show() -> None:
    pixels = landscape(channels=4)
    pixels[:12, :, :3], pixels[:12, :, 3], pixels[12:, :, 3] = (255, 0, 255), 0, 255
    picture = decoded(saved(pixels, "PNG"))
    assert picture.alpha is not None
    assert np.array_equal(planes(picture)[:12], np.ones((12, 40, 3), np.float32))
    assert np.array_equal(picture.alpha.numpy()[0], pixels[..., 3] / np.float32(255))
    assert picture.decisions == ("transparent parts flattened on white",)
    small = resize(picture, long_edge=20, enlarge=False)
    assert float(small.rgb[:, :3].min()) > 0.99


def test_an_opaque_alpha_channel_is_no_alpha() -> None:
    pixels = landscape(channels=4)
    pixels[..., 3] = 255
    picture = decoded(saved(pixels, "PNG"))
    assert picture.alpha is None
    assert picture.decisions == ()


def _key(*levels: int) -> bytes:
    return chunk(b"tRNS", b"".join(level.to_bytes(2) for level in levels))


@pytest.mark.parametrize("colour_type", [0, 2])
@pytest.mark.parametrize("depth", [8, 16])
def test_one_transparent_colour_is_transparent(colour_type: int, depth: int) -> None:
    pixels = landscape(channels=3 if colour_type else 1)
    pixels = pixels if depth == 8 else pixels.astype(np.uint16) * 257 - (pixels > 100)
    pixels[3:9, 5:17] = pixels[0, 0]
    picture = decoded(png(pixels, _key(*(int(level) for level in pixels[0, 0])), colour_type=colour_type))
    assert picture.alpha is not None
    expected = (pixels != pixels[0, 0]).any(axis=-1)
    assert np.array_equal(picture.alpha.numpy()[0] == 1, expected)
    assert (planes(picture)[3:9, 5:17] == 1).all()


def test_a_transparent_grey_of_four_bits_is_found_on_its_own_scale() -> None:
    levels = np.arange(16, dtype=np.uint8).repeat(2)[None].repeat(16, axis=0)
    packed = (levels[:, 0::2] << 4 | levels[:, 1::2])[..., None]
    data = png(packed, _key(9), colour_type=0)
    header = struct.pack(">IIBBBBB", 32, 16, 4, 0, 0, 0, 0)
    picture = decoded(data[:8] + chunk(b"IHDR", header) + data[33:])
    assert picture.alpha is not None
    assert np.array_equal(picture.alpha.numpy()[0] == 0, levels == 9)


@pytest.mark.parametrize(("mode", "file_format"), [("P", "PNG"), ("P", "GIF"), ("PA", "TIFF"), ("LA", "PNG")])
def test_palettes_and_greys_with_alpha_are_flattened(mode: str, file_format: str) -> None:
    image = Image.fromarray(landscape()).convert("L").convert(mode)
    if mode == "P":
        hidden = int(np.asarray(image)[0, 0])
        data = saved(image, file_format, transparency=hidden)
    else:
        mask = Image.fromarray(np.where(np.arange(40) < 5, 0, 255).astype(np.uint8)[None].repeat(24, 0))
        image.putalpha(mask)
        data = saved(image, file_format)
    picture = decoded(data)
    assert picture.alpha is not None
    assert (planes(picture)[picture.alpha[0].numpy() == 0] == 1).all()
    assert 0 < float(picture.alpha.mean()) < 1


def test_resizing_keeps_the_aspect_and_a_constant_colour() -> None:
    picture = resize(_picture(np.full((3, 60, 90), 0.3, np.float32)), long_edge=45, enlarge=False)
    assert picture.rgb.shape == (3, 30, 45)
    assert torch.allclose(picture.rgb, torch.tensor(0.3), atol=1e-6)


def test_a_resized_ramp_is_the_same_ramp_and_not_of_eight_bits() -> None:
    ramp = np.linspace(0, 1, 800, dtype=np.float32)[None, None].repeat(3, 0).repeat(20, 1)
    small = resize(_picture(ramp), long_edge=400, enlarge=False).rgb[0, 0].numpy()
    expected = (np.arange(400) * 2 + 0.5) / 799
    assert np.abs(small - expected)[4:-4].max() < 1e-6


def test_resizing_does_not_alias() -> None:
    checks = np.indices((64, 64)).sum(0)[None].repeat(3, 0).astype(np.float32) % 2
    small = resize(_picture(checks), long_edge=16, enlarge=False)
    assert torch.allclose(small.rgb[:, 2:-2, 2:-2], torch.tensor(0.5), atol=0.02)


def test_a_picture_of_the_asked_size_is_left_alone() -> None:
    picture = decoded(saved(landscape(), "PNG"))
    assert resize(picture, long_edge=40, enlarge=True) is picture


def test_a_small_picture_is_enlarged_only_when_asked_and_either_is_recorded() -> None:
    picture = decoded(saved(landscape(), "PNG"))
    kept, grown = resize(picture, long_edge=80, enlarge=False), resize(picture, long_edge=80, enlarge=True)
    assert kept.rgb is picture.rgb
    assert kept.decisions == ("enlarged from 40x24 to 80x48 px where it is measured",)
    assert grown.rgb.shape == (3, 48, 80)
    assert grown.decisions == ("enlarged from 40x24 to 80x48 px",)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.integers(1, 70), st.integers(1, 70), st.integers(1, 140), st.booleans())
def test_resizing_stays_in_range_with_alpha_alike(height: int, width: int, edge: int, enlarge: bool) -> None:
    rng = np.random.default_rng(height * 71 + width)
    noise = rng.integers(0, 2, (4, height, width)).astype(np.float32)
    small = resize(_picture(noise[:3], noise[3:]), long_edge=edge, enlarge=enlarge)
    assert small.alpha is not None
    assert small.alpha.shape[1:] == small.rgb.shape[1:]
    assert min(small.rgb.shape[1:]) >= 1
    assert max(small.rgb.shape[1:]) == (edge if enlarge else min(edge, max(height, width)))
    for plane in (small.rgb, small.alpha):
        assert 0 <= float(plane.min()) <= float(plane.max()) <= 1
