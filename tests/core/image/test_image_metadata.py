"""What belongs to the owner of a picture: read and kept in every format, as far as is asked."""

from __future__ import annotations

import io
import struct
from typing import Any, Literal

import pytest
import torch
from hypothesis import given as drawn
from hypothesis import settings as effort
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin, TiffImagePlugin

from stylize_core.image.decode import decode_picture
from stylize_core.image.encode import encode_picture
from stylize_core.image.facts import embedded_facts
from stylize_core.image.metadata.reading import NOTHING, Metadata
from stylize_core.settings.picture import PictureSettings

NOTICE, ARTIST, CAPTION, TAKEN = "© 2026 Jane Döe", "Jane Döe & Søn", "A <b>lion</b>", "2026:05:04 10:11:12"
# Zürich: 47° 22' 30" N, 8° 32' 24" E
GPS: dict[int, Any] = {1: "N", 2: (47.0, 22.0, 30.0), 3: "E", 4: (8.0, 32.0, 24.0)}
OUTPUTS: tuple[dict[str, Any], ...] = (
    {"format": "jpeg"},
    {"format": "webp"},
    {"format": "png"},
    {"format": "png", "bit_depth": 16},
    {"format": "tiff"},
    {"format": "tiff", "bit_depth": 16},
)
PICTURE = Image.linear_gradient("L").resize((64, 48)).convert("RGB")


def exif(*, gps: dict[int, Any] | None = GPS) -> Image.Exif:
    block = Image.Exif()
    block[0x8298], block[0x013B], block[0x010E] = NOTICE.encode(), ARTIST.encode(), CAPTION
    block[0x8769] = {0x9003: TAKEN}
    if gps:
        block[0x8825] = gps
    return block


def photo(form: str, **options: Any) -> bytes:
    out = io.BytesIO()
    PICTURE.save(out, form, **options)
    return out.getvalue()


def read(data: bytes) -> Metadata:
    return decode_picture(data, source="photo", settings=PictureSettings()).metadata


def written(metadata: Metadata, keep: Literal["strip", "copyright", "keep"], **output: Any) -> bytes:
    settings = PictureSettings(metadata=keep, **output)
    pixels = torch.rand(3, 48, 64, generator=torch.Generator().manual_seed(0))
    return encode_picture(pixels, alpha=None, settings=settings, facts={"a": "b"}, metadata=metadata)


@pytest.mark.parametrize("form", ["JPEG", "WEBP", "PNG", "AVIF"])
def test_exif_is_read_in_every_format(form: str) -> None:
    found = read(photo(form, exif=exif()))
    assert (found.copyright, found.artist, found.caption) == (NOTICE, ARTIST, CAPTION)
    assert found.taken == TAKEN
    assert [float(part) for part in dict(found.position)[2]] == [47, 22, 30]


def test_a_tiff_says_it_in_tags() -> None:
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    tags[0x8298], tags[0x013B] = NOTICE.encode(), ARTIST.encode()
    found = read(photo("TIFF", tiffinfo=tags, dpi=(300, 300)))
    assert (found.copyright, found.artist, found.dpi) == (NOTICE, ARTIST, (300, 300))


def test_xmp_is_read_where_exif_is_silent() -> None:
    packet = (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:rights><rdf:Alt>'
        '<rdf:li xml:lang="x-default">© Jane</rdf:li>'
        '<rdf:li xml:lang="de">© Hans</rdf:li></rdf:Alt></dc:rights>'
        "<dc:creator><rdf:Seq><rdf:li>Jane</rdf:li><rdf:li>Joe</rdf:li></rdf:Seq></dc:creator>"
        "</rdf:Description></rdf:RDF></x:xmpmeta>"
    )
    found = read(photo("JPEG", xmp=packet.encode()))
    assert (found.copyright, found.artist) == ("© Jane", "Jane; Joe")
    both = photo("JPEG", xmp=packet.encode(), exif=exif())
    assert read(both).copyright == NOTICE


def test_png_texts_are_read() -> None:
    texts = PngImagePlugin.PngInfo()
    texts.add_itxt("Copyright", NOTICE)
    texts.add_text("Author", "Jane")
    found = read(photo("PNG", pnginfo=texts, dpi=(300, 300)))
    assert (found.copyright, found.artist) == (NOTICE, "Jane")
    assert found.dpi == pytest.approx((300, 300), abs=0.02)


def test_a_document_type_that_grows_without_end_is_not_followed() -> None:
    bomb = b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><x>&b;</x>'
    assert read(photo("JPEG", xmp=bomb)) == NOTHING


@pytest.mark.parametrize(
    "block", [b"Exif\0\0MM\0*\0\0\0\x08\xff\xff", b"", b"\0" * 40, b"Exif\0\0II*\0\xff\xff\xff\xff"]
)
def test_broken_exif_says_nothing_and_loses_no_picture(block: bytes) -> None:
    assert read(photo("JPEG", exif=block)).copyright == ""


def test_what_acts_in_terminals_is_left_out_and_long_texts_are_cut() -> None:
    block = Image.Exif()
    block[0x8298], block[0x013B] = b"a\x1b[31mb\0c", b"x" * 9000
    found = read(photo("JPEG", exif=block))
    assert "\x1b" not in found.copyright
    assert len(found.artist) == 2000


@pytest.mark.parametrize("output", OUTPUTS, ids=str)
def test_everything_asked_for_is_kept_in_every_format(output: dict[str, Any]) -> None:
    given = read(photo("JPEG", exif=exif(), dpi=(300, 300)))
    data = written(given, "keep", **output)
    kept = read(data)
    assert (kept.copyright, kept.artist, kept.caption) == (NOTICE, ARTIST, CAPTION)
    assert kept.dpi == pytest.approx((300, 300), abs=0.02)
    assert embedded_facts(data) == {"a": "b"}
    # TIFF has the date and the position in XMP alone, which other programs read as well.
    assert b'exif:DateTimeOriginal="2026-05-04T10:11:12"' in data
    assert b'exif:GPSLatitude="47,22.500000N"' in data
    if output["format"] != "tiff":
        assert kept.taken == TAKEN
        assert [float(part) for part in dict(kept.position)[4]] == [8, 32, 24]


@pytest.mark.parametrize("output", OUTPUTS, ids=str)
def test_the_notice_alone_tells_neither_place_nor_time(output: dict[str, Any]) -> None:
    given = read(photo("JPEG", exif=exif(), dpi=(300, 300)))
    data = written(given, "copyright", **output)
    kept = read(data)
    assert (kept.copyright, kept.artist, kept.caption) == (NOTICE, ARTIST, "")
    assert (kept.taken, kept.position) == ("", ())
    assert b"GPS" not in data
    assert TAKEN.encode() not in data


@pytest.mark.parametrize("output", OUTPUTS, ids=str)
def test_by_default_nothing_is_kept(output: dict[str, Any]) -> None:
    given = read(photo("JPEG", exif=exif(), dpi=(300, 300)))
    assert written(given, "strip", **output) == written(NOTHING, "keep", **output)
    assert PictureSettings().metadata == "strip"


def test_what_became_of_it_is_said_without_the_values() -> None:
    given = read(photo("JPEG", exif=exif(), dpi=(300, 300)))
    assert (
        given.decision("keep") == "kept from the content: copyright, artist, caption, date, position, 300 dpi"
    )
    assert given.decision("copyright") == (
        "kept from the content: copyright, artist, 300 dpi; "
        "not kept by `metadata: copyright`: caption, date, position"
    )
    assert given.decision("strip").startswith("not kept by `metadata: strip`: copyright")
    assert NOTHING.decision("keep") == ""


@pytest.mark.parametrize("dpi", [(72, 72), (1, 1), (0, 0)])
def test_what_cameras_write_that_know_of_no_print_is_no_resolution(dpi: tuple[int, int]) -> None:
    assert read(photo("JPEG", dpi=dpi)) == NOTHING


def test_our_own_facts_are_nobodys_caption() -> None:
    assert read(written(NOTHING, "keep", format="jpeg")).caption == ""


def test_a_result_keeps_what_its_content_kept_from_its_own() -> None:
    given = read(photo("JPEG", exif=exif(), dpi=(300, 300)))
    once = written(given, "keep", format="jpeg")
    assert read(written(read(once), "keep", format="jpeg")).caption == CAPTION


ASCII, RATIONAL, SIGNED, TAG_BYTES = 2, 5, 10, {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 7: 1, 9: 4, 10: 8, 11: 4, 12: 8}
Tag = tuple[int, int, bytes]
SOUND: tuple[Tag, ...] = (
    (1, ASCII, b"N\0"),
    (2, RATIONAL, struct.pack(">6I", 47, 1, 22, 1, 30, 1)),
    (3, ASCII, b"E\0"),
    (4, RATIONAL, struct.pack(">6I", 8, 1, 32, 1, 24, 1)),
)
BELOW_THE_SEA = (6, SIGNED, struct.pack(">2i", -5, 1))


def block_of(*gps: Tag, owner: tuple[Tag, ...] = ((0x8298, ASCII, b"Jane\0"),)) -> bytes:
    """Exif as some camera may write it, of tags by number, type and bytes."""
    pointer = (0x8825, 4, b"\0\0\0\0")
    start = 8 + len(_directory((*owner, pointer), 8))
    first = _directory((*owner, (0x8825, 4, struct.pack(">I", start))), 8)
    return b"Exif\0\0MM\0*\0\0\0\x08" + first + _directory(gps, start)


def _directory(tags: tuple[Tag, ...], at: int) -> bytes:
    entries, tail = b"", b""
    for number, kind, data in sorted(tags):
        place = (
            struct.pack(">I", at + 6 + 12 * len(tags) + len(tail)) if len(data) > 4 else data.ljust(4, b"\0")
        )
        entries += struct.pack(">HHI", number, kind, len(data) // TAG_BYTES[kind]) + place
        tail += data if len(data) > 4 else b""
    return struct.pack(">H", len(tags)) + entries + bytes(4) + tail


@pytest.mark.parametrize("output", OUTPUTS, ids=str)
@pytest.mark.parametrize(
    "wrong",
    [BELOW_THE_SEA, (5, ASCII, b"0\0"), (29, ASCII, b"2026:05:04" * 3000)],
    ids=["depth", "sign", "long"],
)
def test_a_tag_that_no_file_can_be_given_is_left_out_and_the_place_stays(
    output: dict[str, Any], wrong: Tag
) -> None:
    given = read(photo("JPEG", exif=block_of(*SOUND, wrong)))
    assert given.decision("keep") == (
        "kept from the content: copyright, position; malformed, and not kept: a part of the position"
    )
    data = written(given, "keep", **output)
    assert read(data).copyright == "Jane"
    assert b'exif:GPSLatitude="47,22.500000N"' in data
    if output["format"] != "tiff":
        assert [tag for tag, _ in read(data).position] == [1, 2, 3, 4]


@pytest.mark.parametrize("output", OUTPUTS, ids=str)
def test_a_place_that_no_file_can_be_given_is_left_out_and_said(output: dict[str, Any]) -> None:
    south = (2, SIGNED, struct.pack(">6i", -47, 1, 22, 1, 30, 1))
    given = read(photo("JPEG", exif=block_of(*SOUND[:1], south, *SOUND[2:])))
    assert given.decision("keep") == (
        "kept from the content: copyright; malformed, and not kept: the position"
    )
    assert "malformed" not in given.decision("copyright")
    assert read(written(given, "keep", **output)).copyright == "Jane"


def test_a_height_below_the_sea_does_not_become_one_above_it() -> None:
    height = (6, RATIONAL, struct.pack(">2I", 5, 1))
    assert len(read(photo("JPEG", exif=block_of(*SOUND, (5, 1, b"\1"), height))).position) == 6
    wrong_sign = read(photo("JPEG", exif=block_of(*SOUND, (5, ASCII, b"1\0"), height)))
    assert [tag for tag, _ in wrong_sign.position] == [1, 2, 3, 4]


def test_a_place_without_numbers_or_of_no_side_is_not_spelled_in_xmp() -> None:
    nowhere = (2, RATIONAL, bytes(24))
    for tags in ((SOUND[0], nowhere), ((1, ASCII, b"\1\0"), SOUND[1]), ((1, ASCII, b"\0"), SOUND[1])):
        data = written(read(photo("JPEG", exif=block_of(*tags, *SOUND[2:]))), "keep", format="tiff")
        assert b"exif:GPSLatitude" not in data
        assert b'exif:GPSLongitude="8,32.400000E"' in data


def some_tags(numbers: list[int], long: st.SearchStrategy[bytes]) -> st.SearchStrategy[list[Tag]]:
    """Tags of these numbers, each once, of any type, whose bytes are whole values of it; some are long."""
    tag = st.builds(
        lambda number, kind, data: (number, kind, data[: len(data) // TAG_BYTES[kind] * TAG_BYTES[kind]]),
        st.sampled_from(numbers),
        st.sampled_from(sorted(TAG_BYTES)),
        st.one_of(st.binary(min_size=8, max_size=40), long),
    )
    return st.lists(tag, max_size=6, unique_by=lambda one: one[0])


@effort(max_examples=60)
@drawn(
    some_tags([0, 1, 2, 3, 4, 5, 6, 7, 29], st.binary(min_size=3000, max_size=3000)),
    some_tags(
        [0x010E, 0x011A, 0x011B, 0x0128, 0x013B, 0x8298], st.text(min_size=8, max_size=5000).map(str.encode)
    ),
)
def test_whatever_a_content_says_of_its_owner_its_result_can_be_written_in_every_format(
    gps: list[Tag], owner: list[Tag]
) -> None:
    sound = {tag[0]: tag for tag in SOUND} | {tag[0]: tag for tag in gps}
    given = read(photo("PNG", exif=block_of(*sound.values(), owner=tuple(owner))))
    for output in OUTPUTS:
        assert decode_picture(written(given, "keep", **output), source="made", settings=PictureSettings())


@pytest.mark.parametrize("per_cm", [(0, 0), (1, 0), (0, 1), (40000, 1), (2**32 - 1, 1)])
def test_dots_that_no_file_can_be_given_are_none(per_cm: tuple[int, int]) -> None:
    dots = struct.pack(">2I", *per_cm)
    owner = ((0x011A, RATIONAL, dots), (0x011B, RATIONAL, dots), (0x0128, 3, b"\0\3"))
    assert read(photo("PNG", exif=block_of(owner=owner))).dpi is None
