"""Pictures beyond what is decoded at once: the same picture in bounded memory, or a refusal that says why."""

from __future__ import annotations

import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from drawn_images import Array, chunk, orientation_exif, saved
from hypothesis import given, settings
from hypothesis import strategies as st
from image_mutants import mutant, sound_files
from intensity import LONG, say
from PIL import Image
from processes import needs_proc

from stylize_core.errors import BadImage, ImageTooLarge, ImageTooSmall, StylizeError
from stylize_core.image.colour import srgb_profile
from stylize_core.image.decode import Picture
from stylize_core.image.files import strips
from stylize_core.image.large import fitting, parts, tiff_strips
from stylize_core.image.large.fitting import SPLITTABLE, Fitted, decode_fitting
from stylize_core.image.large.shrinking import Shrinker
from stylize_core.image.resize import resize
from stylize_core.settings.fields import WHOLE, Crop
from stylize_core.settings.picture import PictureSettings

SMALL_STRIPS = 2000  # px, so that small pictures have many


@pytest.fixture(autouse=True)
def _small_world(monkeypatch: pytest.MonkeyPatch) -> None:
    """What takes a hundred megapixels elsewhere takes a few thousand pixels here."""
    monkeypatch.setattr(fitting, "LEAST_BYTES", 0)
    monkeypatch.setattr(strips, "STRIP_BYTES", 5000)
    for module in (parts, tiff_strips):
        monkeypatch.setattr(module, "STRIP_PIXELS", SMALL_STRIPS)


def photo(height: int, width: int, channels: int = 3, *, deep: bool = False) -> Array:
    """Something with edges, slopes and grain."""
    random = np.random.default_rng(7)
    y, x = np.mgrid[:height, :width]
    waves = [np.sin(x / (3 + c)) * np.cos(y / (5 + c)) + (x // 17 + y // 11) % 2 for c in range(channels)]
    plane = np.stack(waves, -1) + random.normal(0, 0.2, (height, width, channels))
    unit = (plane - plane.min()) / (plane.max() - plane.min())
    full = 65535 if deep else 255
    made: Array = (unit * full).round().astype(np.uint16 if deep else np.uint8)
    return made if channels > 1 else made[..., 0]


def fitted(data: bytes, *, edge: int, part: Crop = WHOLE, megapixels: float, **more: Any) -> Fitted:
    """The picture read under that limit, shrunk to `edge`."""
    asked = PictureSettings(max_megapixels=megapixels, **more)
    return decode_fitting(data, source="big", settings=asked, part=part, long_edge=lambda w, h: edge)


def at_once(data: bytes, *, edge: int, part: Crop = WHOLE, **more: Any) -> Picture:
    """The same as it is read where nothing limits it."""
    return resize(
        fitted(data, edge=edge, part=part, megapixels=100, **more).picture, long_edge=edge, enlarge=False
    )


def same(one: Picture, other: Picture, *, within: float = 1e-6) -> None:
    assert one.rgb.shape == other.rgb.shape
    assert float((one.rgb - other.rgb).abs().max()) <= within
    assert (one.alpha is None) == (other.alpha is None)
    if one.alpha is not None and other.alpha is not None:
        assert float((one.alpha - other.alpha).abs().max()) <= within
    assert (one.source_format, one.source_mode, one.metadata) == (
        other.source_format, other.source_mode, other.metadata,
    )  # fmt: skip


@given(
    old=st.tuples(st.integers(1, 70), st.integers(1, 90)),
    new=st.tuples(st.integers(1, 70), st.integers(1, 90)),
    rows=st.integers(1, 40),
)
@settings(max_examples=60, deadline=None)
def test_strips_are_shrunk_as_pillow_shrinks_the_whole(
    old: tuple[int, int], new: tuple[int, int], rows: int
) -> None:
    planes = np.random.default_rng(rows).random((2, old[1], old[0]), np.float32)
    shrinker = Shrinker(2, old=old, new=new)
    for top in range(0, old[1], rows):
        shrinker.add(planes[:, top : top + rows])
    for plane, made in zip(planes, shrinker.result(), strict=True):
        wanted = Image.fromarray(plane).resize(new, Image.Resampling.LANCZOS)
        assert np.abs(np.clip(np.asarray(wanted), 0, 1) - made).max() < 1e-6


def _palette(transparent: bool) -> bytes:
    image = Image.fromarray(photo(150, 90)).quantize(12)
    return saved(image, "PNG", transparency=3) if transparent else saved(image, "PNG")


def _deep_png(pixels: Array) -> bytes:
    """A PNG of sixteen bits with a filter of each kind in turn."""
    height, width, channels = pixels.shape
    step = channels * 2
    raw = np.frombuffer(pixels.astype(">u2").tobytes(), np.uint8).reshape(height, -1).astype(np.int16)
    rows, above = b"", np.zeros(raw.shape[1], np.int16)
    for number, row in enumerate(raw):
        left = np.concatenate([np.zeros(step, np.int16), row[:-step]])
        corner = np.concatenate([np.zeros(step, np.int16), above[:-step]])
        guess = left + above - corner
        near = np.where(np.abs(guess - above) <= np.abs(guess - corner), above, corner)
        first = (np.abs(guess - left) <= np.abs(guess - above)) & (
            np.abs(guess - left) <= np.abs(guess - corner)
        )
        by = [np.zeros_like(row), left, above, (left + above) // 2, np.where(first, left, near)][number % 5]
        rows += bytes([number % 5]) + (row - by).astype(np.uint8).tobytes()
        above = row
    layout = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    header = width.to_bytes(4) + height.to_bytes(4) + bytes([16, layout, 0, 0, 0])
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


PNGS: dict[str, Callable[[], bytes]] = {
    "RGB": lambda: saved(photo(150, 90), "PNG"),
    "RGBA": lambda: saved(photo(150, 90, 4), "PNG"),
    "grey": lambda: saved(photo(150, 90, 1), "PNG"),
    "grey with alpha": lambda: saved(Image.fromarray(photo(150, 90, 2), "LA"), "PNG"),
    "one bit": lambda: saved(Image.fromarray(photo(150, 93, 1)).convert("1"), "PNG"),
    "palette of four bits": lambda: _palette(transparent=False),
    "transparent palette": lambda: _palette(transparent=True),
    "key": lambda: saved(photo(150, 90), "PNG", transparency=tuple(map(int, photo(150, 90)[4, 5]))),
    "profile": lambda: saved(photo(150, 90), "PNG", icc_profile=srgb_profile(), dpi=(300, 300)),
    "deep RGB": lambda: _deep_png(photo(150, 90, 3, deep=True)),
    "deep RGBA": lambda: _deep_png(photo(150, 90, 4, deep=True)),
    "deep grey": lambda: _deep_png(photo(150, 90, 1, deep=True)[..., None]),
    "deep grey with alpha": lambda: _deep_png(photo(150, 90, 2, deep=True)),
}


@pytest.mark.parametrize("made", PNGS.values(), ids=PNGS)
def test_a_png_is_read_row_by_row_to_the_same_picture(made: Callable[[], bytes]) -> None:
    data = made()
    read = fitted(data, edge=60, megapixels=0.009)
    same(read.picture, at_once(data, edge=60))
    assert read.whole == read.used
    assert any("read in parts" in said for said in read.picture.decisions)


def _tiff(pixels: Array | Image.Image, **options: Any) -> bytes:
    return saved(pixels, "TIFF", **options)


def _tiled(pixels: Array, *, tile: int, big: bool = False) -> bytes:
    """A TIFF of square tiles, not packed, in one of its two forms; Pillow writes none."""
    height, width, channels = pixels.shape
    padded = np.pad(pixels, ((0, -height % tile), (0, -width % tile), (0, 0)), "edge")
    tiles = [
        padded[y : y + tile, x : x + tile].tobytes()
        for y in range(0, height, tile)
        for x in range(0, width, tile)
    ]
    head = 16 if big else 8
    offsets = [head + sum(map(len, tiles[:index])) for index in range(len(tiles))]
    start, size = head + sum(map(len, tiles)), 8 if big else 4
    tags = {
        256: [width], 257: [height], 258: [8] * channels, 259: [1], 262: [2], 277: [channels], 322: [tile],
        323: [tile], 324: offsets, 325: [len(one) for one in tiles],
    }  # fmt: skip
    tail_at = start + (8 if big else 2) + (4 + 2 * size) * len(tags) + size
    entries, tail = b"", b""
    for tag, values in tags.items():
        packed = b"".join(value.to_bytes(2 if tag == 258 else size, "little") for value in values)
        kind = 3 if tag == 258 else 16 if big else 4
        entries += (
            tag.to_bytes(2, "little") + kind.to_bytes(2, "little") + len(values).to_bytes(size, "little")
        )
        if len(packed) > size:
            entries += (tail_at + len(tail)).to_bytes(size, "little")
            tail += packed
        else:
            entries += packed.ljust(size, b"\0")
    mark = b"II+\0\x08\0\0\0" if big else b"II*\0"
    count = len(tags).to_bytes(8 if big else 2, "little")
    return mark + start.to_bytes(size, "little") + b"".join(tiles) + count + entries + bytes(size) + tail


def _strips_of(data_image: Image.Image, rows: int, **options: Any) -> bytes:
    return saved(data_image, "TIFF", tiffinfo={278: rows}, **options)


TIFFS: dict[str, Callable[[], bytes]] = {
    "one strip, not packed": lambda: _tiff(photo(150, 90)),
    "strips, deflated": lambda: _strips_of(
        Image.fromarray(photo(150, 90)), 7, compression="tiff_adobe_deflate"
    ),
    "strips, LZW": lambda: _strips_of(Image.fromarray(photo(150, 90, 4)), 16, compression="tiff_lzw"),
    "grey of sixteen bits": lambda: _strips_of(
        Image.fromarray(photo(150, 90, 1, deep=True)), 9, compression="tiff_deflate"
    ),
    "CMYK": lambda: _strips_of(Image.fromarray(photo(150, 90, 4), "CMYK"), 10, compression="tiff_lzw"),
    "tiles": lambda: _tiled(photo(150, 90), tile=32),
    "tiles of a BigTIFF": lambda: _tiled(photo(150, 90), tile=16, big=True),
    "two bytes a sample": lambda: _written_deep(),
}


def _written_deep() -> bytes:
    from stylize_core.image.encode import encode_picture

    rgb = torch.from_numpy(photo(150, 90, 3, deep=True).astype(np.float32) / 65535).permute(2, 0, 1)
    asked = PictureSettings(format="tiff", bit_depth=16)
    return encode_picture(rgb, alpha=None, settings=asked, facts={})


@pytest.mark.parametrize("made", TIFFS.values(), ids=TIFFS)
def test_a_tiff_is_read_by_strips_or_tiles_to_the_same_picture(made: Callable[[], bytes]) -> None:
    data = made()
    same(fitted(data, edge=60, megapixels=0.013).picture, at_once(data, edge=60))


def test_a_jpeg_that_needs_no_draft_is_the_same_picture() -> None:
    data = saved(photo(300, 200), "JPEG", quality=90)
    same(fitted(data, edge=200, megapixels=0.059).picture, at_once(data, edge=200))


@pytest.mark.parametrize(("edge", "share"), [(100, 2), (60, 4), (30, 8)])
def test_a_jpeg_is_decoded_smaller_by_its_own_transform_and_that_is_said(edge: int, share: int) -> None:
    rough = Image.fromarray(photo(60, 48)).resize((384, 480), Image.Resampling.BICUBIC)
    data = saved(rough, "JPEG", quality=95, subsampling=0)
    read = fitted(data, edge=edge, megapixels=0.1)
    assert f"decoded at 1/{share} by the JPEG's own transform" in " ".join(read.picture.decisions)
    wanted = at_once(data, edge=edge)
    assert read.picture.rgb.shape == wanted.rgb.shape
    assert float((read.picture.rgb - wanted.rgb).abs().mean()) < 0.01
    assert float((read.picture.rgb - wanted.rgb).abs().max()) < 0.12


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("file_format", ["PNG", "TIFF", "JPEG"])
def test_orientation_and_crop_mean_the_same_in_parts(file_format: str, orientation: int) -> None:
    options: dict[str, Any] = {"quality": 95, "subsampling": 0} if file_format == "JPEG" else {}
    data = saved(photo(150, 90), file_format, exif=orientation_exif(orientation), **options)
    part = (0.2, 0.1, 0.9, 0.6)
    read = fitted(data, edge=50, part=part, megapixels=0.013)
    wanted = at_once(data, edge=50, part=part)
    same(read.picture, wanted)
    assert read.whole == ((150, 90) if orientation > 4 else (90, 150))
    assert [said for said in read.picture.decisions if "read in parts" not in said] == list(wanted.decisions)


PLENTY = 50e6  # bytes, so that only what the formats allow counts


# Its floating point has no range of its own, and is refused either way.
LAYOUTS = [name for name in sound_files() if name.split()[0] in SPLITTABLE and name != "TIFF float"]


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_layout_that_the_fuzz_knows_is_the_same_picture_in_parts(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fitting, "budget_bytes", lambda megapixels: PLENTY)
    data = sound_files()[name]
    same(
        fitted(data, edge=20, megapixels=0.0001).picture,
        at_once(data, edge=20),
        within=0.05 if "JPEG" in name else 1e-5,
    )


def test_spoilt_files_are_refused_by_errors_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fitting, "budget_bytes", lambda megapixels: PLENTY)
    refused = accepted = 0
    for number in range(400):
        _, data = mutant(11, number)
        try:
            picture = fitted(data, edge=20, megapixels=0.0001).picture
        except StylizeError:
            refused += 1
        else:
            accepted += 1
            assert 0 <= float(picture.rgb.min()) <= float(picture.rgb.max()) <= 1
    assert refused > 200
    assert accepted > 20


def test_what_is_small_enough_is_read_as_ever() -> None:
    data = saved(photo(150, 90), "PNG")
    read = fitted(data, edge=50, megapixels=0.0135)
    assert read.picture.rgb.shape == (3, 150, 90)
    assert read.picture.decisions == ()


REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "interlaced": (lambda: _interlaced(), "it is interlaced"),
    "too many passes": (
        lambda: saved(photo(300, 200), "JPEG", progressive=True, subsampling=0), "in several passes",
    ),
    "one large strip": (
        lambda: _strips_of(Image.fromarray(photo(300, 200)), 300, compression="tiff_lzw"),
        "blocks of 300 rows",
    ),
    "32 bits": (
        lambda: saved(Image.fromarray(photo(300, 200, 1).astype(np.int32) << 20), "TIFF"), "of 32 bits",
    ),
    "a format that is read whole": (lambda: saved(photo(300, 200), "BMP"), "raise max_megapixels"),
}  # fmt: skip


def _interlaced() -> bytes:
    data = bytearray(saved(photo(300, 200), "PNG"))
    data[28] = 1
    data[29:33] = zlib.crc32(data[12:29]).to_bytes(4)
    # As many bytes as seven passes unpack to, all zero.
    header = bytes(data[:33])
    return header + chunk(b"IDAT", zlib.compress(bytes(300 * 700))) + chunk(b"IEND", b"")


@pytest.mark.parametrize(("made", "why"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_read_in_bounded_memory_is_refused_with_the_reason(
    made: Callable[[], bytes], why: str
) -> None:
    with pytest.raises(ImageTooLarge, match=rf"^big: .*announces 60000 pixels.*{why}"):
        fitted(made(), edge=100, megapixels=0.02)


def test_a_result_that_is_itself_too_large_is_refused() -> None:
    with pytest.raises(ImageTooLarge, match=r"at the 200x300 px that are asked for .* 1 MB of memory; 0 are"):
        fitted(saved(photo(300, 200), "PNG"), edge=300, megapixels=0.04)


def test_the_longest_side_that_is_read_in_parts_is_thirty_thousand_pixels() -> None:
    read = fitted(saved(Image.new("L", (30_000, 200), 90), "PNG"), edge=3000, megapixels=5.9)
    assert read.whole == (30_000, 200)
    assert read.picture.rgb.shape == (3, 20, 3000)
    assert torch.allclose(read.picture.rgb, torch.tensor(90 / 255))


def test_beyond_thirty_thousand_pixels_a_side_nothing_is_read_in_parts() -> None:
    data = saved(Image.new("L", (30_001, 16)), "PNG")
    with pytest.raises(ImageTooLarge, match="announces 480016 pixels, the limit is 400000; raise"):
        fitted(data, edge=1000, megapixels=0.4)


def test_where_little_memory_is_allowed_nothing_is_read_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fitting, "LEAST_BYTES", parts.LEAST_BYTES)
    with pytest.raises(ImageTooLarge, match="raise max_megapixels"):
        fitted(saved(photo(300, 200), "PNG"), edge=100, megapixels=0.02)


def test_a_large_picture_that_is_cut_off_is_refused_as_a_small_one_is() -> None:
    with pytest.raises(BadImage, match="cut off before its IEND"):
        fitted(saved(photo(300, 200), "PNG")[:-20], edge=100, megapixels=0.02)


def test_a_tiff_whose_strips_lie_over_one_another_is_refused() -> None:
    """Else each part would be as large as the file."""
    data = bytearray(_tiled(photo(150, 90), tile=16))
    count = 6 * 10
    lengths = len(data) - 4 * count  # the last values of the directory
    data[lengths:] = (len(data) - 100).to_bytes(4, "little") * count
    with pytest.raises(BadImage, match="broken TIFF picture: its strips or tiles lie over one another"):
        fitted(bytes(data), edge=60, megapixels=0.013)


def test_a_bigtiff_that_announces_endless_tags_is_refused_at_once() -> None:
    data = bytearray(_tiled(photo(150, 90), tile=16, big=True))
    start = int.from_bytes(data[8:16], "little")
    data[start : start + 8] = (2**60).to_bytes(8, "little")
    with pytest.raises(BadImage, match="cut off: its directory reaches"):
        fitted(bytes(data), edge=60, megapixels=0.013)


def test_a_part_that_is_too_small_is_refused_as_ever() -> None:
    with pytest.raises(ImageTooSmall, match="style_crop leaves 2x3 px of 200x300"):
        fitted(saved(photo(300, 200), "PNG"), edge=100, part=(0, 0, 0.01, 0.01), megapixels=0.02)


PEAK = """
import re, sys, tempfile
from pathlib import Path
import torch
from stylize_core.image.encode import write_picture
from stylize_core.image.large.fitting import decode_fitting
from stylize_core.settings.fields import WHOLE
from stylize_core.settings.picture import PictureSettings

def peak_mb():
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) // 1024

# What this process was forked from counts as its own until here.
Path("/proc/self/clear_refs").write_text("5")
asked = PictureSettings(max_megapixels=float(sys.argv[1]))
for name in sys.argv[3:]:
    data = Path(name).read_bytes()
    read = decode_fitting(data, source=name, settings=asked, part=WHOLE, long_edge=lambda w, h: 1024)
    assert tuple(read.picture.rgb.shape) == (3, 768, 1024), read
    del data, read
    print(name, peak_mb())
flat = torch.full((1, 1, 1), 0.25).expand(3, 3000, int(sys.argv[2]))
with tempfile.TemporaryFile() as file:
    deep = PictureSettings(format="tiff", bit_depth=16)
    write_picture(file, flat, alpha=None, settings=deep, facts={})
print("written", peak_mb())
"""
# Width, height, and the largest picture that is decoded at once, megapixels.
SIZE, LIMIT = ((28_000, 21_000), 100) if LONG else ((6_000, 4_500), 20)


@needs_proc
@pytest.mark.slow(10)
@pytest.mark.timeout(1800 if LONG else 300)
def test_large_pictures_take_no_more_memory_than_a_strip_of_them(tmp_path: Path) -> None:
    """At once they take twelve bytes a pixel and more, 324 MB of 6,000 x 4,500 px; written, six."""
    forms: dict[str, dict[str, Any]] = {
        "JPEG": {},
        "PNG": {},
        "TIFF": {"compression": "tiff_lzw", "tiffinfo": {278: 64}},
    }
    Image.new("RGB", (1024, 768)).save(tmp_path / "0_small.png")
    grey = Image.new("L", SIZE, 90)
    for number, (form, options) in enumerate(forms.items(), 1):
        grey.save(tmp_path / f"{number}_{form}", form, **options)
    command = [sys.executable, "-c", PEAK, str(LIMIT), str(SIZE[0]), *map(str, sorted(tmp_path.iterdir()))]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    before, *peaks = (int(line.split()[-1]) for line in told.splitlines())
    say(f"{SIZE[0]}x{SIZE[1]} px: {before} MB before, then {peaks}")
    # A JPEG at 1/4 of its sides has 4 bytes a pixel in Pillow; a strip in all its forms has some 40 of them.
    assert max(peaks) - before < 64 + SIZE[0] * SIZE[1] / 4**2 * 4 / 1e6
