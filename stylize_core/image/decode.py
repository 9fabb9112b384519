"""Pictures in: bytes to an upright sRGB tensor. With its neighbours the only code that touches Pillow."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from stylize_core.errors import BadImage, ImageTooLarge, ImageTooSmall, OutOfMemory, StylizeError
from stylize_core.image.colour import to_srgb
from stylize_core.image.encode import encode_picture
from stylize_core.image.facts import embedded_facts
from stylize_core.image.formats.boxes import check_boxes, is_film, primary_item
from stylize_core.image.formats.heic import open_heic, read_heic
from stylize_core.image.formats.kinds import ACCEPTED, sniff
from stylize_core.image.header import check_complete
from stylize_core.image.metadata.reading import NOTHING, Metadata, read_metadata
from stylize_core.image.opening import Array, Unsupported, open_image, pillow_rules
from stylize_core.image.policy import (
    boxed_space,
    choose_frame,
    complaints,
    named_space,
    notes,
    orientation,
    upright,
    words,
)
from stylize_core.image.samples import read_samples
from stylize_core.settings.picture import PictureSettings

__all__ = [
    "MAX_SIDE_PX",
    "MIN_SIDE_PX",
    "Picture",
    "decode_picture",
    "embedded_facts",
    "encode_picture",
]

MIN_SIDE_PX = 16
MAX_SIDE_PX = 65_535
_TEXT_BOMBS = ("Decompressed data too large", "Too much memory used in text chunks")


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A decoded picture, upright and in sRGB.

    Attributes:
        rgb: [3, H, W] float32 0..1, as it shows on white; that is how it is written as well.
        alpha: [1, H, W] float32 0..1, or None where every pixel is opaque.
        source_format: JPEG, PNG, WebP, TIFF, GIF, BMP, AVIF or HEIC; empty if no file held it.
        source_mode: how the file stored its pixels, such as `RGB`, `CMYK` or `RGB;16`.
        decisions: what was decided on the user's behalf, one sentence each.
        metadata: what the file says of its owner.
    """

    rgb: Tensor
    alpha: Tensor | None
    source_format: str
    source_mode: str
    decisions: tuple[str, ...] = ()
    metadata: Metadata = NOTHING

    def _repr_png_(self) -> bytes:
        """What a notebook shows of it."""
        return encode_picture(self.rgb, alpha=self.alpha, settings=PictureSettings(), facts={})


def decode_picture(data: bytes, *, source: str, settings: PictureSettings) -> Picture:
    """Decode a whole file.

    Args:
        data: all of its bytes.
        source: its name in every message.
        settings: `frames` and `max_megapixels` count.

    Raises:
        BadImage: not a complete picture of an accepted format, or an animation while `frames` is `refuse`.
        ImageTooLarge: beyond `settings.max_megapixels` or `MAX_SIDE_PX`; nothing was decoded.
        ImageTooSmall: a side is shorter than `MIN_SIDE_PX`.
        OutOfMemory: decoding needs more memory than there is.
    """
    kind = accepted_kind(data, source)
    with (
        refusals(kind, source, settings),
        pillow_rules(settings.max_megapixels * 1e6) as caught,
    ):
        picture = _decode(data, kind, source, settings)
        return replace(picture, decisions=picture.decisions + complaints(caught))


def accepted_kind(data: bytes, source: str) -> str:
    """The format of a file, by its first bytes.

    Raises:
        BadImage: it is none that we accept.
    """
    kind = sniff(data)
    if kind not in ACCEPTED:
        raise BadImage(f"{source}: this is {kind}; give a picture as {', '.join(ACCEPTED)}")
    return kind


@contextmanager
def refusals(kind: str, source: str, settings: PictureSettings) -> Iterator[None]:
    """Let what decoding raises inside become an error of ours that names the picture."""
    try:
        yield
    except StylizeError:
        raise
    except MemoryError as error:
        raise OutOfMemory(
            f"{source}: memory does not hold it while it is decoded; give a smaller picture"
        ) from error
    # Pillow raises nearly every built-in type on broken files; whatever it is, the file is at fault.
    except Exception as error:
        raise _typed(error, kind, source, settings) from error


def _decode(data: bytes, kind: str, source: str, settings: PictureSettings) -> Picture:
    if kind == "HEIC":
        return _decode_heic(data, source, settings)
    check_size(open_image(data, kind).size, source)
    if kind == "AVIF":
        check_boxes(data)
    check_complete(data, kind)
    decisions = choose_frame(open_image(data, kind), source, settings)
    # Pillow turns a TIFF upright while it loads it, so that it must be asked before.
    asked = open_image(data, kind)
    turned = orientation(asked)[1] if kind == "TIFF" else []
    image = open_image(data, kind)
    samples = read_samples(data, kind, image)
    held = dict(image.info)
    # Only now, with the pixels safe: broken EXIF may raise, and the image object is of no use then.
    if kind == "AVIF":
        image.info.pop("xmp", None)  # it turns pictures by properties of its own, which stand in this EXIF
    turn, said = orientation(image)
    metadata = metadata_of(image.getexif, held)
    named = named_space(data, kind, asked if kind == "TIFF" else image)
    planes, coloured = to_srgb(samples, image.info.get("icc_profile"), named)
    decisions += [*samples.decisions, *coloured, *notes(image)]
    if kind == "AVIF" and (depth := primary_item(data).depth) > 8:
        decisions.append(f"its {depth} bits per channel were read as 8: the decoder gives no more")
    alpha = samples.alpha
    planes, alpha = upright(planes, turn), None if alpha is None else upright(alpha, turn)
    picture = _flattened(planes, alpha, kind, samples.mode, [*decisions, *(turned or said)])
    return replace(picture, metadata=metadata)


def _decode_heic(data: bytes, source: str, settings: PictureSettings) -> Picture:
    """HEIC turns its pictures by properties of its own, and libheif follows them; EXIF is not to be asked."""
    check_boxes(data)
    file = open_heic(data, max_pixels=settings.max_megapixels * 1e6)
    check_size(file.size, source)
    decisions = [] if len(file) == 1 else [f"the primary picture of {len(file)} in a HEIC used"]
    if is_film(data) and settings.frames == "refuse":
        raise BadImage(f"{source}: it holds an animation; set `frames: first` to take its still picture")
    samples = read_heic(file)
    named = boxed_space(data, "HEIC")
    planes, coloured = to_srgb(samples, file.info.get("icc_profile"), named)
    picture = _flattened(planes, samples.alpha, "HEIC", samples.mode, [*decisions, *coloured])
    return replace(picture, metadata=metadata_of(lambda: _exif(file.info.get("exif") or b""), file.info))


def _exif(data: bytes) -> Image.Exif:
    block = Image.Exif()
    block.load(data)
    return block


def metadata_of(exif: Callable[[], Image.Exif], info: Mapping[Any, Any]) -> Metadata:
    """What the file says of its owner; a block that cannot be read is no reason to lose the picture."""
    try:
        return read_metadata(exif(), info)
    # The parser raises nearly every built-in type, as the decoders do.
    except Exception:
        return NOTHING


def _flattened(planes: Array, alpha: Array | None, kind: str, mode: str, decisions: list[str]) -> Picture:
    """The picture on white, so that nothing hidden under transparency shows through."""
    if alpha is None or alpha.min() == 1:
        return Picture(torch.from_numpy(np.ascontiguousarray(planes)), None, kind, mode, tuple(decisions))
    rgb = torch.from_numpy(np.ascontiguousarray(planes * alpha + (1 - alpha)))
    mask = torch.from_numpy(np.ascontiguousarray(alpha[None]))
    return Picture(rgb, mask, kind, mode, (*decisions, "transparent parts flattened on white"))


def check_size(size: tuple[int, int], source: str) -> None:
    """Refuse a picture whose width or height is beyond what is read at all."""
    width, height = size
    if max(size) > MAX_SIDE_PX:
        raise ImageTooLarge(f"{source}: {width}x{height} px; the longest side accepted is {MAX_SIDE_PX} px")
    if min(size) < MIN_SIDE_PX:
        raise ImageTooSmall(f"{source}: {width}x{height} px; each side must be at least {MIN_SIDE_PX} px")


def _typed(error: Exception, kind: str, source: str, settings: PictureSettings) -> BadImage:
    """The refusal that fits what Pillow raised."""
    if isinstance(error, Unsupported):
        return BadImage(f"{source}: {error}")
    if isinstance(error, Image.DecompressionBombError):
        pixels = re.search(r"\d+", str(error))
        announced = f"its header announces {pixels[0] if pixels else 'too many'} pixels"
        limit = f"the limit is {settings.max_megapixels * 1e6:.0f}"
        return ImageTooLarge(
            f"{source}: {announced}, {limit}; raise max_megapixels or give a smaller picture"
        )
    if isinstance(error, ValueError) and str(error).startswith(_TEXT_BOMBS):
        return ImageTooLarge(f"{source}: a text or profile chunk of this PNG unpacks to too much; remove it")
    return BadImage(f"{source}: broken {kind} picture: {words(error)}")
