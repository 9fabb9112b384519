"""Broken picture files without end: sound ones of every accepted format, spoiled as disks and networks do.

A mutant is known by its seed and its number, so every finding can be made again.
"""

from __future__ import annotations

import random
import zlib
from collections.abc import Callable
from functools import cache
from pathlib import Path

from drawn_images import deep_landscape, landscape, png, saved
from PIL import Image, PngImagePlugin

SAMPLES = Path(__file__).parent.parent / "core" / "image" / "samples"
WILD = (0, 1, 2, 3, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


@cache
def sound_files() -> dict[str, bytes]:
    """Pictures of 40x24 px in every format and in most of the ways that a format has to store them."""
    colour, shades = Image.fromarray(landscape()), Image.fromarray(landscape(channels=1)[..., 0])
    glass, ink, palette = Image.fromarray(landscape(channels=4)), colour.convert("CMYK"), colour.quantize(64)
    profile = _srgb_profile()
    words = PngImagePlugin.PngInfo()
    words.add_text("Comment", "waves " * 50, zip=True)
    words.add_itxt("Title", "Wellen")
    exif = Image.Exif()
    exif[0x0112] = 6
    return {
        "PNG plain": saved(colour, "PNG", icc_profile=profile),
        "PNG words": saved(colour, "PNG", pnginfo=words, exif=exif, dpi=(72, 72)),
        "PNG glass": saved(glass, "PNG"),
        "PNG palette": saved(palette, "PNG", transparency=3),
        "PNG grey": saved(shades, "PNG", transparency=7),
        "PNG deep": png(deep_landscape(), colour_type=2),
        "PNG bits": saved(shades.convert("1"), "PNG"),
        "JPEG plain": saved(colour, "JPEG", exif=exif, icc_profile=profile),
        "JPEG progressive": saved(colour, "JPEG", progressive=True, subsampling=2),
        "JPEG grey": saved(shades, "JPEG", optimize=True),
        "JPEG ink": saved(ink, "JPEG"),
        "WebP lossy": saved(colour, "WEBP", exif=exif, icc_profile=profile),
        "WebP lossless": saved(colour, "WEBP", lossless=True),
        "WebP glass": saved(glass, "WEBP"),
        "WebP film": saved(colour, "WEBP", save_all=True, append_images=[shades.convert("RGB")]),
        "TIFF raw": saved(colour, "TIFF", exif=exif, icc_profile=profile),
        "TIFF lzw": saved(colour, "TIFF", compression="tiff_lzw"),
        "TIFF deflate": saved(glass, "TIFF", compression="tiff_adobe_deflate"),
        "TIFF packbits": saved(palette, "TIFF", compression="packbits"),
        "TIFF jpeg": saved(colour, "TIFF", compression="jpeg"),
        "TIFF fax": saved(shades.convert("1"), "TIFF", compression="group4"),
        "TIFF ink": saved(ink, "TIFF"),
        "TIFF deep": saved(shades.convert("I;16"), "TIFF"),
        "TIFF float": saved(shades.convert("F"), "TIFF"),
        "GIF": saved(palette, "GIF"),
        "GIF film": saved(palette, "GIF", save_all=True, append_images=[shades.quantize(16)]),
        "AVIF": saved(colour, "AVIF", exif=exif, icc_profile=profile, speed=10),
        "AVIF glass": saved(glass, "AVIF", quality=100, subsampling="4:4:4", speed=10),
        "AVIF film": saved(colour, "AVIF", save_all=True, append_images=[shades.convert("RGB")], speed=10),
        "AVIF ten bits": (SAMPLES / "ten_bits.avif").read_bytes(),
        "HEIC ten bits": (SAMPLES / "phone.heic").read_bytes(),
        "BMP": saved(colour, "BMP"),
        "BMP palette": saved(palette, "BMP"),
        "BMP bits": saved(shades.convert("1"), "BMP"),
    }


def mutant(seed: int, number: int) -> tuple[str, bytes]:
    """One broken file, and how it came about in a few words."""
    chance = random.Random(f"{seed} {number}")
    name = chance.choice(sorted(sound_files()))
    data, told = sound_files()[name], [name]
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        spoil = chance.choice(_SPOILERS)
        told.append(spoil.__name__.strip("_").replace("_", " "))
        data = spoil(data or b"\0", chance)
    return ", ".join(told), data


def _flip_bits(data: bytes, chance: random.Random) -> bytes:
    spoiled = bytearray(data)
    for _ in range(chance.randint(1, 16)):
        spoiled[chance.randrange(len(spoiled))] ^= 1 << chance.randrange(8)
    return bytes(spoiled)


def _cut_off(data: bytes, chance: random.Random) -> bytes:
    return data[: chance.randrange(len(data))]


def _cut_off_a_little(data: bytes, chance: random.Random) -> bytes:
    return data[: -chance.randint(1, 32)]


def _edit_number(data: bytes, chance: random.Random) -> bytes:
    """A wild value where the first bytes, with sizes, counts and offsets, have another."""
    spoiled, size = bytearray(data), chance.choice((1, 2, 4))
    at = chance.randrange(min(len(data), 400))
    wild = chance.choice((*WILD, chance.randrange(2**32))) & (1 << 8 * size) - 1
    spoiled[at : at + size] = wild.to_bytes(size, chance.choice(("big", "little")))
    return bytes(spoiled)


def _edit_several_numbers(data: bytes, chance: random.Random) -> bytes:
    for _ in range(chance.randint(2, 6)):
        data = _edit_number(data, chance)
    return data


def _edit_tail(data: bytes, chance: random.Random) -> bytes:
    """The same at the end, where Pillow puts the directory of a compressed TIFF."""
    at = max(0, len(data) - 400)
    return data[:at] + _edit_number(data[at:] or b"\0", chance)


def _remove_piece(data: bytes, chance: random.Random) -> bytes:
    begin, end = _span(data, chance)
    return data[:begin] + data[end:]


def _repeat_piece(data: bytes, chance: random.Random) -> bytes:
    begin, end = _span(data, chance)
    return data[:end] + data[begin:end] * chance.randint(1, 4) + data[end:]


def _blank_piece(data: bytes, chance: random.Random) -> bytes:
    begin, end = _span(data, chance)
    return data[:begin] + bytes([chance.choice((0, 0xFF))]) * (end - begin) + data[end:]


def _swap_pieces(data: bytes, chance: random.Random) -> bytes:
    first, second = sorted((_span(data, chance), _span(data, chance)))
    middle = max(first[1], second[0])
    return (
        data[: first[0]]
        + data[middle : max(second[1], middle)]
        + data[first[1] : middle]
        + data[first[0] : first[1]]
        + data[max(second[1], middle) :]
    )


def _splice(data: bytes, chance: random.Random) -> bytes:
    """The beginning of this file and the end of another."""
    other = sound_files()[chance.choice(sorted(sound_files()))]
    return data[: chance.randrange(len(data))] + other[chance.randrange(len(other)) :]


def _shuffle_parts(data: bytes, chance: random.Random) -> bytes:
    """Chunks or segments removed, doubled or in another order, each of them sound."""
    parts = _parts(data)
    for _ in range(chance.randint(1, 3)):
        at, to = chance.randrange(len(parts)), chance.randrange(len(parts) + 1)
        change = chance.choice(("remove", "double", "move"))
        part = parts[at] if change == "double" else parts.pop(at)
        if change != "remove":
            parts.insert(min(to, len(parts)), part)
        if not parts:
            return data[:8]
    return b"".join(parts)


def _spoil_inside(data: bytes, chance: random.Random) -> bytes:
    """A part altered under a checksum that agrees, so that the decoder itself meets it."""
    parts = _parts(data)
    at = chance.randrange(len(parts))
    if data.startswith(b"\x89PNG") and len(parts[at]) > 12:
        name, body = parts[at][4:8], _spoil_body(parts[at][4:8], parts[at][8:-4], chance)
        checksum = zlib.crc32(name + body).to_bytes(4, "big")
        parts[at] = len(body).to_bytes(4, "big") + name + body + checksum
    else:
        parts[at] = _flip_bits(parts[at], chance)
    return b"".join(parts)


def _spoil_body(name: bytes, body: bytes, chance: random.Random) -> bytes:
    """The body of a PNG's chunk; packed pixels are packed again, so that more than the unpacking is met."""
    if name == b"IDAT" and chance.random() < 0.7:
        try:
            return zlib.compress(_flip_bits(zlib.decompress(body), chance))
        except zlib.error:
            return body
    return (_edit_number if chance.random() < 0.5 else _flip_bits)(body, chance)


_SPOILERS: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    _flip_bits,
    _cut_off,
    _cut_off_a_little,
    _edit_number,
    _edit_several_numbers,
    _edit_tail,
    _remove_piece,
    _repeat_piece,
    _blank_piece,
    _swap_pieces,
    _splice,
    _shuffle_parts,
    _spoil_inside,
)


def _span(data: bytes, chance: random.Random) -> tuple[int, int]:
    begin = chance.randrange(len(data))
    return begin, min(len(data), begin + chance.choice((1, 4, 16, 64, 256)))


def _parts(data: bytes) -> list[bytes]:
    """The file cut at its seams: PNG chunks, JPEG segments, RIFF chunks, boxes; elsewhere every 64 bytes."""
    if data.startswith(b"\x89PNG"):
        return _cut_by(data, 8, lambda at: 12 + int.from_bytes(data[at : at + 4], "big"))
    if data.startswith(b"\xff\xd8"):
        return _cut_by(data, 2, lambda at: 2 + int.from_bytes(data[at + 2 : at + 4], "big"))
    if data.startswith(b"RIFF"):
        return _cut_by(data, 12, lambda at: 8 + int.from_bytes(data[at + 4 : at + 8], "little"))
    if data[4:8] == b"ftyp":
        first = max(8, int.from_bytes(data[:4], "big"))
        return _cut_by(data, first, lambda at: int.from_bytes(data[at : at + 4], "big"))
    return _cut_by(data, 8, lambda _: 64)


def _cut_by(data: bytes, start: int, length: Callable[[int], int]) -> list[bytes]:
    parts, at = [data[:start]], start
    while at < len(data):
        end = at + max(1, length(at))
        parts.append(data[at:end])
        at = end
    return parts


def _srgb_profile() -> bytes:
    from PIL import ImageCms

    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
