"""What belongs to the owner, as files of each format store it: Exif, XMP and dots per inch."""

from __future__ import annotations

import math
import struct
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from PIL import Image, PngImagePlugin

from stylize_core.image.metadata.reading import (
    ARTIST,
    COPYRIGHT,
    EXIF_DIRECTORY,
    GPS_DIRECTORY,
    INCH,
    RESOLUTION_UNIT,
    RESOLUTION_X,
    RESOLUTION_Y,
    TAKEN,
    XMP,
    Metadata,
)

XMP_CHUNK = "XML:com.adobe.xmp"
_PER_METRE = 1 / 0.0254
_SPACES = (
    'xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns:dc="http://purl.org/dc/elements/1.1/" '
    'xmlns:exif="http://ns.adobe.com/exif/1.0/"'
)


def exif_block(metadata: Metadata, *, description: str = "") -> Image.Exif:
    """Exif with what it has a place for; `description` is ASCII, the caption stands in XMP."""
    exif = Image.Exif()
    texts = {COPYRIGHT: metadata.copyright, ARTIST: metadata.artist}
    for tag, text in texts.items():
        if text:
            exif[tag] = text.encode()
    if description:
        exif[0x010E] = description
    if metadata.taken:
        exif[EXIF_DIRECTORY] = {TAKEN: metadata.taken}
    if metadata.position:
        exif[GPS_DIRECTORY] = dict(metadata.position)
    return exif


def xmp_packet(metadata: Metadata) -> bytes:
    """An XMP packet, UTF-8; empty where there is nothing to say."""
    properties = [
        _listed("rights", "Alt", metadata.copyright),
        _listed("creator", "Seq", metadata.artist),
        _listed("description", "Alt", metadata.caption),
    ]
    attributes = _attributes(metadata)
    if not any(properties) and not attributes:
        return b""
    body = f'<rdf:Description rdf:about="" {_SPACES}{attributes}>{"".join(properties)}</rdf:Description>'
    packet = (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
        f'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">{body}</rdf:RDF></x:xmpmeta>'
        '<?xpacket end="w"?>'
    )
    return packet.encode()


def _listed(name: str, kind: str, text: str) -> str:
    if not text:
        return ""
    language = ' xml:lang="x-default"' if kind == "Alt" else ""
    item = f"<rdf:li{language}>{escape(text)}</rdf:li>"
    return f"<dc:{name}><rdf:{kind}>{item}</rdf:{kind}></dc:{name}>"


def _attributes(metadata: Metadata) -> str:
    found = {}
    if metadata.taken:
        day, _, hour = metadata.taken.partition(" ")
        found["DateTimeOriginal"] = f"{day.replace(':', '-')}T{hour}"
    place = dict(metadata.position)
    for name, reference, sides in (("GPSLatitude", 1, "NS"), ("GPSLongitude", 3, "EW")):
        if place and (written := _degrees(place.get(reference + 1), place.get(reference), sides)):
            found[name] = written
    return "".join(f" exif:{name}={quoteattr(value)}" for name, value in found.items())


def _degrees(parts: Any, side: object, sides: str) -> str:
    """`47,22.500000N` of degrees, minutes and seconds; empty where they are none, or of no such side."""
    letter = (side.decode("latin-1") if isinstance(side, bytes) else str(side))[:1]
    try:
        degrees, minutes, seconds = (float(part) for part in parts)
    except (TypeError, ValueError, ZeroDivisionError):
        return ""
    known = math.isfinite(degrees + minutes + seconds) and letter and letter in sides
    return f"{degrees:.0f},{minutes + seconds / 60:.6f}{letter}" if known else ""


def pillow_options(metadata: Metadata, form: str, description: str) -> dict[str, Any]:
    """What Pillow's writers of JPEG, WebP and PNG are to be told beside the pixels."""
    options: dict[str, Any] = {}
    exif = exif_block(metadata, description="" if form == "png" else description)
    if form == "webp" and metadata.dpi:  # which has no other place for it
        exif[RESOLUTION_X], exif[RESOLUTION_Y] = metadata.dpi
        exif[RESOLUTION_UNIT] = INCH
    if len(exif):
        options["exif"] = exif
    if form != "webp" and metadata.dpi:
        options["dpi"] = metadata.dpi
    if form != "png" and (packet := xmp_packet(metadata)):
        options["xmp"] = packet
    return options


def png_text(metadata: Metadata, into: PngImagePlugin.PngInfo) -> None:
    """Add the XMP packet to the texts of a PNG."""
    if packet := xmp_packet(metadata):
        into.add_itxt(XMP_CHUNK, packet.decode())


def png_chunks(metadata: Metadata) -> list[tuple[bytes, bytes]]:
    """The same as chunks of a PNG, in the order in which they may stand before the pixels."""
    chunks = []
    if metadata.dpi:
        across, down = (round(dots * _PER_METRE) for dots in metadata.dpi)
        chunks.append((b"pHYs", struct.pack(">IIB", across, down, 1)))
    if len(exif := exif_block(metadata)):
        chunks.append((b"eXIf", exif.tobytes().removeprefix(b"Exif\0\0")))
    if packet := xmp_packet(metadata):
        chunks.append((b"iTXt", XMP_CHUNK.encode() + b"\0\0\0\0\0" + packet))
    return chunks


def tiff_tags(metadata: Metadata) -> dict[int, tuple[str, Any]]:
    """The same as tags of a TIFF."""
    tags: dict[int, tuple[str, Any]] = {}
    for tag, text in ((ARTIST, metadata.artist), (COPYRIGHT, metadata.copyright)):
        if text:
            tags[tag] = ("s", text.encode() + b"\0")
    if metadata.dpi:
        across, down = ([round(dots * 1000), 1000] for dots in metadata.dpi)
        tags |= {RESOLUTION_X: ("R", across), RESOLUTION_Y: ("R", down), RESOLUTION_UNIT: ("H", [INCH])}
    if packet := xmp_packet(metadata):
        tags[XMP] = ("B", packet)
    return tags
