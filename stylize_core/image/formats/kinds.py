"""What a file is by its first bytes, whatever its name says.

Free of Pillow, which asks external programs about some files.
"""

from __future__ import annotations

import re

from stylize_core.image.formats.raw import camera_raw

ACCEPTED = ("JPEG", "PNG", "WebP", "TIFF", "GIF", "BMP", "AVIF", "HEIC")

_STARTS = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"IIRO", "camera raw (Olympus ORF): develop it first"),
    (b"IIRS", "camera raw (Olympus ORF): develop it first"),
    (b"MMOR", "camera raw (Olympus ORF): develop it first"),
    (b"IIU\x00", "camera raw (Panasonic RW2): develop it first"),
    (b"FUJIFILMCCD-RAW", "camera raw (Fujifilm RAF): develop it first"),
    (b"II\x1a\x00\x00\x00HEAPCCDR", "camera raw (Canon CRW): develop it first"),
    (b"\x00MRM", "camera raw (Minolta MRW): develop it first"),
    (b"FOVb", "camera raw (Sigma X3F): develop it first"),
    (b"%!PS", "an EPS or PostScript file"),
    (b"\xc5\xd0\xd3\xc6", "an EPS file"),
    (b"%PDF", "a PDF file"),
    (b"8BPS", "a Photoshop file"),
    (b"gimp xcf", "a GIMP file (XCF)"),
    (b"\x00\x00\x00\x0cjP  ", "a JPEG 2000 file"),
    (b"\xff\x4f\xff\x51", "a JPEG 2000 file"),
    (b"\x00\x00\x00\x0cJXL \r\n\x87\n", "a JPEG XL file"),
    (b"\xff\x0a", "a JPEG XL file"),
    (b"II\xbc\x01", "a JPEG XR file"),
    (b"v/1\x01", "an OpenEXR file"),
    (b"#?RADIANCE", "a Radiance HDR file"),
    (b"#?RGBE", "a Radiance HDR file"),
    (b"DDS ", "a DirectDraw surface (DDS)"),
    (b"qoif", "a QOI file"),
    (b"icns", "an icon file"),
    (b"\x00\x00\x01\x00", "an icon file"),
    (b"\x00\x00\x02\x00\x01\x00", "a cursor file"),
    (b"\x00\x05\x16\x07", "macOS's notes on another file (AppleDouble), not the picture"),
    (b"\xd0\xcf\x11\xe0", "an OLE file, such as Thumbs.db or an old Office document"),
    (b"\x1a\x45\xdf\xa3", "a video (Matroska or WebM)"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (b"Rar!", "a RAR archive"),
    (b"\x1f\x8b", "a gzip file"),
    (b"version https://git-lfs.", "a Git LFS pointer, not the picture: run `git lfs pull`"),
    (b"data:image/", "a picture as text (a data URI): decode its base64 first"),
)
_PNG, _XCODE = b"\x89PNG\r\n\x1a\n", b"CgBI"
_TIFFS = (b"II\x2a\x00", b"MM\x00\x2a", b"II\x2b\x00", b"MM\x00\x2b")
_RIFFS = {b"WEBP": "WebP", b"AVI ": "a video (AVI)", b"WAVE": "a sound file (WAVE)"}
_BMP_HEADERS = tuple(size.to_bytes(4, "little") for size in (12, 40, 52, 56, 64, 108, 124))
_NETPBM = re.compile(rb"P[1-7][ \t\r\n#]|P[Ff][ \t\r\n]")


def sniff(data: bytes) -> str:
    """The format by content: one of `ACCEPTED`, or words such as "an HTML page" for a message."""
    for start, name in _STARTS:
        if data.startswith(start):
            return name
    if data.startswith(_PNG):
        return "a PNG as Xcode stores it (CgBI): export it again" if data[12:16] == _XCODE else "PNG"
    if data.startswith(_TIFFS):
        raw = camera_raw(data)
        return f"camera raw ({raw}): develop it first" if raw else "TIFF"
    if data[:4] == b"RIFF":
        return _RIFFS.get(data[8:12], "a RIFF file that is no picture")
    if data[:2] == b"BM" and data[14:18] in _BMP_HEADERS:
        return "BMP"
    if data[4:8] in (b"moov", b"mdat", b"wide", b"free", b"skip"):
        return "a video (QuickTime)"
    return _sniff_boxes(data) if data[4:8] == b"ftyp" else _sniff_rest(data)


_BRANDS = {
    b"avif": "AVIF",
    b"avis": "AVIF",
    b"crx ": "camera raw (Canon CR3): develop it first",
    b"qt  ": "a video (QuickTime)",
    **dict.fromkeys((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm"), "HEIC"),
}


def _sniff_boxes(data: bytes) -> str:
    """By the brands: the main one, or the first known one of those that a general one leaves it to."""
    end = min(int.from_bytes(data[:4]), 256)
    for brand in (data[8:12], *(data[at : at + 4] for at in range(16, end, 4))):
        if brand in _BRANDS:
            return _BRANDS[brand]
    return "HEIC" if data[8:12] in (b"mif1", b"msf1") else "a video (MP4)"


def _sniff_rest(data: bytes) -> str:
    if not data:
        return "an empty file"
    if _NETPBM.match(data):
        return "a Netpbm file (PPM, PGM or PBM)"
    if data.endswith(b"TRUEVISION-XFILE.\x00") or _looks_like_targa(data):
        return "a Targa file (TGA)"
    if not any(data[:4096]):
        return "nothing but zeros: it was never written"
    return _sniff_text(data)


def _looks_like_targa(data: bytes) -> bool:
    """Targa has no mark of its own: its header must make sense from end to end."""
    if len(data) < 18 or data[1] > 1 or data[2] not in (1, 2, 3, 9, 10, 11):
        return False
    palette_fits = data[3:8] == bytes(5) if data[1] == 0 else data[7] in (15, 16, 24, 32)
    sides = int.from_bytes(data[12:14], "little"), int.from_bytes(data[14:16], "little")
    return palette_fits and min(sides) > 0 and data[16] in (8, 15, 16, 24, 32) and data[17] < 64


def _sniff_text(data: bytes) -> str:
    head = data[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if b"<svg" in head:
        return "an SVG drawing"
    if head.startswith((b"<!doctype html", b"<html")):
        return "an HTML page"
    if head.startswith((b"<?xml", b"<error>")):
        return "an XML document"
    if all(byte >= 32 or byte in b"\t\r\n\f" for byte in data[:1024]):
        return "text"
    return f"unknown data that starts with {data[:8].hex(' ')}"
