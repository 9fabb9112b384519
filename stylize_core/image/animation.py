"""Animations whose frames are compressed one by one as they come, so that no row of pictures is ever held.

Pillow compresses each frame as a picture of its own; here its data is taken out of that file and put into the
animation. Pillow's own animations want every frame at once. GIF: CompuServe's GIF89a with Netscape's loop.
WebP: RFC 9649, lossless, so each pixel is as it was given.
"""

from __future__ import annotations

import io
import struct
from collections.abc import Mapping
from typing import Literal

import torch
from PIL import Image
from torch import Tensor

from stylize_core.image.colour import srgb_profile
from stylize_core.image.encode import stored_colours
from stylize_core.image.facts import facts_text

__all__ = [
    "LONGEST_SIDE_PX",
    "MOST_FRAMES",
    "AnimationFormat",
    "AnimationWriter",
    "animation_frame",
    "packed_frame",
    "unpacked_frame",
]

AnimationFormat = Literal["gif", "webp"]

LONGEST_SIDE_PX = 512
MOST_FRAMES = 200
FRAME_MS = 80  # 12.5 frames a second; GIF counts in hundredths
LAST_FRAME_MS = 2000

_GIF_LOOP = b"\x21\xff\x0bNETSCAPE2.0\x03\x01\x00\x00\x00"
_GIF_COMMENT_BYTES = 255
_ANIMATED, _HAS_EXIF, _HAS_PROFILE = 0x02, 0x08, 0x20
_DESCRIPTION = 0x010E
_DO_NOT_BLEND = 0x02


class AnimationWriter:
    """Frames in, a file out; in between only compressed frames are kept. The same frames, the same bytes.

    Args:
        format: of the file.
        facts: short texts about the making; `embedded_facts` reads them back. They and their keys must fit
            into the 255 bytes of a GIF's comment.
    """

    def __init__(self, format: AnimationFormat, facts: Mapping[str, str]) -> None:  # noqa: A002  the settings' word
        self._format = format
        self._facts = facts_text(facts)
        if len(self._facts) > _GIF_COMMENT_BYTES:
            raise ValueError(
                f"a film carries facts of {_GIF_COMMENT_BYTES} bytes, these have {len(self._facts)}"
            )
        self._size = (0, 0)
        self._frames: list[bytes] = []

    def add(self, frame: Image.Image) -> None:
        """Append what `animation_frame` made.

        Raises:
            ValueError: it has another size than the first one, or there are `MOST_FRAMES` already.
        """
        if self._frames and frame.size != self._size:
            raise ValueError(f"the animation has {self._size} px, this frame {frame.size}")
        if len(self._frames) == MOST_FRAMES:
            raise ValueError(f"an animation holds {MOST_FRAMES} frames")
        self._size = frame.size
        self._frames.append(_gif_data(frame) if self._format == "gif" else _webp_data(frame))

    def to_bytes(self) -> bytes:
        """The whole file: it loops for ever and rests on its last frame.

        Raises:
            ValueError: no frame was added.
        """
        if not self._frames:
            raise ValueError("an animation needs a frame")
        times = [FRAME_MS] * (len(self._frames) - 1) + [LAST_FRAME_MS]
        file = _gif_file if self._format == "gif" else _webp_file
        return file(self._size, list(zip(self._frames, times, strict=True)), self._facts)


def animation_frame(rgb: Tensor, *, alpha: Tensor | None = None) -> Image.Image:
    """A picture as a frame: rounded to 8 bits, on white, the longer side at most `LONGEST_SIDE_PX`.

    Args:
        rgb: [3, H, W] floating point, as it shows on white; clamped to 0..1.
        alpha: [1, H, W] in 0..1, of the picture's file, which shows as the frame does.
    """
    shown = rgb.detach().cpu().float().clamp(0, 1)
    if alpha is not None:
        shown = stored_colours(shown, alpha) * alpha + (1 - alpha)
    levels = shown.mul(255).round()
    frame = Image.fromarray(levels.to(torch.uint8).permute(1, 2, 0).numpy())
    longest = max(frame.size)
    if longest <= LONGEST_SIDE_PX:
        return frame
    width, height = (max(1, (2 * side * LONGEST_SIDE_PX + longest) // (2 * longest)) for side in frame.size)
    return frame.resize((width, height), Image.Resampling.LANCZOS)


def packed_frame(frame: Image.Image) -> bytes:
    """A frame in few bytes and without loss, by the quickest method that there is."""
    out = io.BytesIO()
    frame.save(out, "WEBP", lossless=True, quality=0, method=0)
    return out.getvalue()


def unpacked_frame(data: bytes) -> Image.Image:
    """What `packed_frame` was given.

    Raises:
        ValueError: it is something else.
    """
    try:
        frame = Image.open(io.BytesIO(data), formats=["WEBP"])
        if max(frame.size) > LONGEST_SIDE_PX:
            raise ValueError(f"a frame has {LONGEST_SIDE_PX} px at most, this {frame.size}")
        # Through bytes: the unused fourth one of each pixel, which a decoder leaves otherwise, has a part in
        # the palette that a GIF's frame gets.
        return Image.frombytes("RGB", frame.size, frame.convert("RGB").tobytes())
    except (OSError, SyntaxError) as error:
        raise ValueError(f"no frame: {error}") from error


def _gif_data(frame: Image.Image) -> bytes:
    """An image block with its own palette of 256 colours, spread by Floyd and Steinberg's dither."""
    palette = frame.quantize(256, method=Image.Quantize.FASTOCTREE)
    out = io.BytesIO()
    frame.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG).save(out, "GIF", optimize=False)
    data = out.getvalue()
    bits = data[10] & 7
    at = 13 + 3 * 2 ** (bits + 1)
    colours = data[13:at]
    while data[at] == 0x21:  # extensions say nothing that a frame needs
        at = _after_blocks(data, at + 2)
    descriptor = data[at : at + 9] + bytes([data[at + 9] & 0x40 | 0x80 | bits])
    return descriptor + colours + data[at + 10 : _after_blocks(data, at + 11)]


def _after_blocks(data: bytes, at: int) -> int:
    """Where a row of GIF's sub-blocks, each led by its length, ends."""
    while data[at]:
        at += 1 + data[at]
    return at + 1


def _gif_file(size: tuple[int, int], frames: list[tuple[bytes, int]], facts: str) -> bytes:
    comment = b"\x21\xfe" + bytes([len(facts)]) + facts.encode("ascii") + b"\0"
    blocks = [b"\x21\xf9\x04" + struct.pack("<BHB", 0x04, ms // 10, 0) + b"\0" + data for data, ms in frames]
    return (
        b"GIF89a" + struct.pack("<HHBBB", *size, 0, 0, 0) + _GIF_LOOP + comment + b"".join(blocks) + b"\x3b"
    )


def _webp_data(frame: Image.Image) -> bytes:
    """The chunk of lossless data, by a quick method of libwebp, since the optimiser is at work meanwhile."""
    out = io.BytesIO()
    frame.save(out, "WEBP", lossless=True, quality=0, method=1)
    data, at = out.getvalue(), 12
    while data[at : at + 4] != b"VP8L":
        at = _next_chunk(data, at)
    return data[at : _next_chunk(data, at)]


def _next_chunk(data: bytes, at: int) -> int:
    length = int.from_bytes(data[at + 4 : at + 8], "little")
    return at + 8 + length + length % 2


def _webp_file(size: tuple[int, int], frames: list[tuple[bytes, int]], facts: str) -> bytes:
    exif = Image.Exif()
    exif[_DESCRIPTION] = facts
    box = b"".join((side - 1).to_bytes(3, "little") for side in size)
    where = bytes(6) + box
    body = [
        _chunk(b"VP8X", bytes([_ANIMATED | _HAS_EXIF | _HAS_PROFILE, 0, 0, 0]) + box),
        _chunk(b"ICCP", srgb_profile()),
        _chunk(b"ANIM", b"\xff\xff\xff\xff" + bytes(2)),
        *(_chunk(b"ANMF", where + ms.to_bytes(3, "little") + bytes([_DO_NOT_BLEND]) + d) for d, ms in frames),
        _chunk(b"EXIF", exif.tobytes().removeprefix(b"Exif\0\0")),
    ]
    return b"RIFF" + struct.pack("<I", 4 + sum(map(len, body))) + b"WEBP" + b"".join(body)


def _chunk(name: bytes, data: bytes) -> bytes:
    return name + struct.pack("<I", len(data)) + data + bytes(len(data) % 2)
