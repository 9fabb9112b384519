"""Files that are no picture of an accepted format are told by what they are, whatever their name says."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import pytest
from drawn_images import chunk, decoded, landscape, planes, png, saved, tiff
from PIL import Image

from stylize_core.errors import BadImage
from stylize_core.image.formats.kinds import ACCEPTED, sniff


def _boxed(*brands: bytes) -> bytes:
    main, *others = brands
    size = 16 + 4 * len(others)
    return size.to_bytes(4) + b"ftyp" + main + bytes(4) + b"".join(others) + bytes(40)


_PNG = png(landscape(), colour_type=2)
STRANGERS = {
    "a JPEG XL file": (b"\xff\x0a" + bytes(200), b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(200)),
    "a JPEG 2000 file": (b"\xff\x4f\xff\x51" + bytes(200), b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(20)),
    "an OpenEXR file": (b"v/1\x01\x02" + bytes(200),),
    "a Radiance HDR file": (b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y 2 +X 2\n",),
    "a Netpbm file": (b"P6\n2 2\n255\n" + bytes(12), b"P3\n1 1\n255\n1 2 3 ", saved(landscape(), "PPM")),
    "a Targa file": (
        saved(landscape(), "TGA"),
        saved(landscape(), "TGA", compression="tga_rle"),
        saved(Image.fromarray(landscape()).convert("L"), "TGA")[:-26],  # without version 2's footer
        saved(Image.fromarray(landscape()).quantize(16), "TGA")[:-26],
    ),
    "a QOI file": (b"qoif" + bytes(100),),
    "a DirectDraw surface": (b"DDS " + bytes(200),),
    "a GIMP file": (b"gimp xcf v011\0" + bytes(300),),
    "an OLE file, such as Thumbs.db": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600),),
    "macOS's notes on another file": (b"\0\5\x16\7" + bytes(100),),
    "nothing but zeros": (bytes(5000),),
    "run `git lfs pull`": (b"version https://git-lfs.github.com/spec/v1\noid sha256:aa\nsize 12345\n",),
    "decode its base64": (b"data:image/jpeg;base64,/9j/4AAQSkZJRg",),
    "a video (MP4)": (_boxed(b"mp42", b"mp42", b"isom"), _boxed(b"isom", b"avc1")),
    "a video (QuickTime)": (_boxed(b"qt  "), b"\0\0\0\x08wide\0\0\0\0mdat" + bytes(40)),
    "a video (AVI)": (b"RIFF\0\0\1\0AVI LIST" + bytes(40),),
    "a video (Matroska or WebM)": (b"\x1a\x45\xdf\xa3" + bytes(40),),
    "(CgBI): export it again": (_PNG[:8] + chunk(b"CgBI", b"P\0 \2") + _PNG[8:],),
    "camera raw (Canon CR3)": (_boxed(b"crx ", b"crx ", b"isom"),),
    "camera raw (Olympus ORF)": (b"IIRO\x08\0\0\0" + bytes(200), b"MMOR\0\0\0\x08" + bytes(200)),
    "camera raw (Panasonic RW2)": (b"IIU\0\x18\0\0\0" + bytes(200),),
    "camera raw (Fujifilm RAF)": (b"FUJIFILMCCD-RAW 0201FF383501" + bytes(200),),
}  # fmt: skip


@pytest.mark.parametrize("words", STRANGERS)
def test_a_stranger_under_a_pictures_name_is_named(words: str) -> None:
    for data in STRANGERS[words]:
        with pytest.raises(BadImage, match=r"photos/a\.jpg: this is ") as refused:
            decoded(data)
        assert words in str(refused.value)
        assert "give a picture as JPEG, PNG" in str(refused.value)


def test_no_small_change_of_a_picture_makes_it_a_stranger() -> None:
    # `P` and zeros begin no accepted format, so the guesses by structure never meet one.
    for file_format in ("JPEG", "PNG", "WEBP", "TIFF", "GIF", "BMP"):
        assert sniff(saved(landscape(), file_format)) in ACCEPTED


def _with_sub_page(sub: dict[int, tuple[str, list[int]]], **first: Any) -> bytes:
    """A TIFF of the landscape with another directory below its own."""
    extra = {330: ("I", [0]), **first.get("extra", {})}
    body = len(tiff(landscape(), photometric=2, extra=extra))
    extra[330] = ("I", [body])
    entries = b"".join(
        struct.pack("<HHI", tag, {"H": 3, "I": 4}[kind], 1) + struct.pack("<I", values[0])
        for tag, (kind, values) in sorted(sub.items())
    )
    below = struct.pack("<H", len(sub)) + entries + bytes(4)
    return tiff(landscape(), photometric=2, extra=extra) + below


_PLAIN = tiff(landscape(), photometric=2)
_LARGE = {254: ("I", [0]), 256: ("I", [600]), 257: ("I", [400])}
_MOSAIC = {**_LARGE, 262: ("H", [32803])}


def _make(name: bytes) -> dict[int, tuple[str, Any]]:
    return {254: ("I", [1]), 271: ("B", name + b"\0")}


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (_with_sub_page(_MOSAIC, extra=_make(b"NIKON CORPORATION")), "Nikon NEF"),
        (_with_sub_page(_MOSAIC, extra=_make(b"SONY")), "Sony ARW"),
        (_with_sub_page(_LARGE, extra=_make(b"NIKON CORPORATION")), "Nikon NEF"),
        (_with_sub_page({**_LARGE, 262: ("H", [34892])}, extra=_make(b"Nobody")), "a TIFF of sensor data"),
        (_with_sub_page(_LARGE, extra={50706: ("B", b"\1\4\0\0")}), "DNG"),
        (tiff(landscape(), photometric=2, extra={50706: ("B", b"\1\4\0\0")}, order=">"), "DNG"),
        (_PLAIN[:8] + b"CR\x02\0" + _PLAIN[12:], "Canon CR2"),
    ],
)
def test_camera_raw_is_refused_and_never_read_from_its_thumbnail(data: bytes, kind: str) -> None:
    for settings in ({}, {"frames": "first"}):
        with pytest.raises(BadImage, match="develop it first") as refused:
            decoded(data, **settings)
        assert f"camera raw ({kind})" in str(refused.value)
        assert refused.value.kind == "bad_image"


def test_a_pyramid_of_smaller_copies_below_the_first_page_is_an_ordinary_tiff() -> None:
    smaller = {254: ("I", [1]), 256: ("I", [20]), 257: ("I", [12]), 262: ("H", [2])}
    pyramid = decoded(_with_sub_page(smaller, extra={254: ("I", [0])}))
    assert np.array_equal(planes(pyramid), landscape() / np.float32(255))
    assert pyramid.source_format == "TIFF"


def test_directories_that_go_round_in_a_circle_come_to_an_end() -> None:
    data = tiff(landscape(), photometric=2, extra={330: ("I", [8])})
    assert sniff(data) == "TIFF"
    start = int.from_bytes(data[4:8], "little")
    assert sniff(tiff(landscape(), photometric=2, extra={330: ("I", [start])})) == "TIFF"
