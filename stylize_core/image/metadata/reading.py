"""What a picture says of its owner: who made it, whose it is, what it shows, when and where it was taken.

Sources: Exif 3.0 (CIPA DC-008), XMP with Dublin Core (ISO 16684-1), and the text chunks of PNG. Where several
of them speak, Exif leads, as the Metadata Working Group's guidelines advise.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Literal
from xml.etree import ElementTree

from PIL import Image

from stylize_core.image.facts import is_facts_text

Keep = Literal["strip", "copyright", "keep"]

MOST_CHARACTERS = 2000
"""Of one text; whatever is longer is cut there."""
ARTIST, COPYRIGHT, CAPTION, XMP = 0x013B, 0x8298, 0x010E, 0x02BC
EXIF_DIRECTORY, TAKEN = 0x8769, 0x9003
RESOLUTION_X, RESOLUTION_Y, RESOLUTION_UNIT, INCH, CENTIMETRE = 0x011A, 0x011B, 0x0128, 2, 3
GPS_DIRECTORY, GPS_TAGS = 0x8825, (0, 1, 2, 3, 4, 5, 6, 7, 29)
_PLACE, _ALTITUDE = {1, 2, 3, 4}, {5, 6}
LARGEST_DPI = 65535
"""So many JPEG has a place for."""
_LONGEST_TAG = 128  # bytes of a block of Exif with it alone; Exif's own are shorter
_TEXT_KEYS = {"artist": "Author", "copyright": "Copyright", "caption": "Description"}  # of PNG
_XMP_KEYS = {"artist": "creator", "copyright": "rights", "caption": "description"}
_DUBLIN = "{http://purl.org/dc/elements/1.1/}"
_LARGEST_XMP = 2**20
_MOMENT = re.compile(r"\d{4}:\d\d:\d\d \d\d:\d\d:\d\d", re.ASCII)
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


@dataclass(frozen=True, slots=True)
class Metadata:
    """What belongs to the owner of a picture; whatever is empty was not said.

    Attributes:
        copyright: the notice.
        artist: who made it.
        caption: what it shows.
        taken: when, as Exif spells it: `2026:05:04 10:11:12`, in local time.
        position: where, as the tags of an Exif GPS directory.
        dpi: dots per inch across and down, for print.
        unfit: what of the position no file could be given, in words.
    """

    copyright: str = ""
    artist: str = ""
    caption: str = ""
    taken: str = ""
    position: tuple[tuple[int, Any], ...] = ()
    dpi: tuple[float, float] | None = None
    unfit: str = ""

    def kept(self, keep: Keep) -> Metadata:
        """What of it goes into a result; `copyright` is the notice, the artist and the dpi."""
        if keep == "keep":
            return self
        return replace(self, caption="", taken="", position=()) if keep == "copyright" else NOTHING

    def named(self) -> tuple[str, ...]:
        """What is said, in words, without the values: they may be private."""
        dots = f"{self.dpi[0]:g} dpi" if self.dpi else ""
        words = {
            "copyright": self.copyright,
            "artist": self.artist,
            "caption": self.caption,
            "date": self.taken,
            "position": self.position,
            dots: dots,
        }
        return tuple(word for word, said in words.items() if said)

    def decision(self, keep: Keep) -> str:
        """One sentence for the record on what became of it; empty where nothing was said."""
        kept = self.kept(keep).named()
        lost = [word for word in self.named() if word not in kept]
        parts = [f"kept from the content: {', '.join(kept)}"] if kept else []
        parts += [f"not kept by `metadata: {keep}`: {', '.join(lost)}"] if lost else []
        parts += [f"malformed, and not kept: {self.unfit}"] if self.unfit and keep == "keep" else []
        return "; ".join(parts)


NOTHING = Metadata()


def read_metadata(exif: Image.Exif, info: Mapping[Any, Any]) -> Metadata:
    """What is said in a picture's Exif and in what Pillow has found beside it; broken parts say nothing."""
    texts = {
        "artist": _text(exif.get(ARTIST)),
        "copyright": _text(exif.get(COPYRIGHT)),
        "caption": _text(exif.get(CAPTION)),
    }
    packet = _dublin_core(info.get("xmp") or info.get("XML:com.adobe.xmp") or exif.get(XMP))
    for name, said in texts.items():
        texts[name] = said or packet.get(name, "") or _text(info.get(_TEXT_KEYS[name]))
    taken = _text(exif.get_ifd(EXIF_DIRECTORY).get(TAKEN))
    position, unfit = _position(exif.get_ifd(GPS_DIRECTORY))
    return Metadata(
        **texts,
        taken=taken if _MOMENT.fullmatch(taken) else "",
        position=position,
        dpi=_dpi(info.get("dpi")) or _exif_dpi(exif),
        unfit=unfit,
    )


def _position(gps: Mapping[int, Any]) -> tuple[tuple[tuple[int, Any], ...], str]:
    """The tags that a result can be given, and what of the position that leaves out."""
    if not gps.keys() >= _PLACE:  # latitude and longitude with their sides
        return (), ""
    unfit = {tag for tag in GPS_TAGS if tag in gps and not _can_be_written(tag, gps[tag])}
    if unfit & _PLACE:
        return (), "the position"
    if unfit & _ALTITUDE:  # without its sign a depth would be a height
        unfit |= _ALTITUDE
    kept = tuple((tag, gps[tag]) for tag in GPS_TAGS if tag in gps and tag not in unfit)
    return kept, "a part of the position" if unfit else ""


def _can_be_written(tag: int, value: object) -> bool:
    """Whether a GPS tag, whose type is the reader's word only, is one for writers and of a sound length."""
    block = Image.Exif()
    block[GPS_DIRECTORY] = {tag: value}
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # it would be cut
        try:
            return len(block.tobytes()) <= _LONGEST_TAG
        except Exception:  # Pillow raises nearly every built-in type on values of another type
            return False


def _text(value: object) -> str:
    """A text without what acts in terminals or breaks XML; our own facts are nobody's caption."""
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if not isinstance(value, str):
        return ""
    with suppress(UnicodeError):  # beyond ASCII it is UTF-8 nowadays, which Pillow takes for Latin-1
        value = value.encode("latin-1").decode("utf-8")
    clean = _CONTROLS.sub("", value).strip()[:MOST_CHARACTERS]
    return "" if is_facts_text(clean) else clean


def _dpi(value: object) -> tuple[float, float] | None:
    try:
        across, down = (float(number) for number in value)  # type: ignore[attr-defined]
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    # 72, or 1, is what cameras and programs put there that know of no print.
    meant = 1 < across <= LARGEST_DPI and 1 < down <= LARGEST_DPI and (across, down) != (72, 72)
    return (across, down) if meant else None


def _exif_dpi(exif: Image.Exif) -> tuple[float, float] | None:
    per_inch = {INCH: 1.0, CENTIMETRE: 2.54}.get(exif.get(RESOLUTION_UNIT, INCH))
    found = _dpi((exif.get(RESOLUTION_X), exif.get(RESOLUTION_Y)))
    return None if found is None or per_inch is None else _dpi([per_inch * dots for dots in found])


def _dublin_core(packet: object) -> dict[str, str]:
    """Artist, copyright and caption of an XMP packet."""
    if isinstance(packet, str):
        packet = packet.encode()
    if not isinstance(packet, bytes) or len(packet) > _LARGEST_XMP or b"<!" in packet:
        return {}  # a document type may define entities that grow without end
    try:
        root = ElementTree.fromstring(packet.strip(b"\0 \r\n\t"))  # noqa: S314  without entities it is harmless
    except (ElementTree.ParseError, ValueError, LookupError):
        return {}
    return {name: _text("; ".join(_items(root, key))) for name, key in _XMP_KEYS.items()}


def _items(root: ElementTree.Element, key: str) -> Iterator[str]:
    """The texts of one property, alternatives in other languages left out."""
    for found in root.iter(_DUBLIN + key):
        texts = [text.strip() for text in found.itertext() if text.strip()]
        yield from texts if key == "creator" else texts[:1]
        return
