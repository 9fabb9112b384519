"""What is decided on the user's behalf about a picture: frame, orientation, claims that are not followed.

Each decision comes with a sentence for the record.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from stylize_core.errors import BadImage
from stylize_core.image.formats.boxes import primary_item
from stylize_core.image.header import png_chunk
from stylize_core.image.opening import Array
from stylize_core.image.spaces import SRGB, NamedSpace, by_code_points, by_exif
from stylize_core.settings.picture import PictureSettings

_ORIENTATION = 0x0112
_REDUCED_COPY = 0x00FE  # TIFF's NewSubfileType, whose lowest bit marks a thumbnail of another page
# What brings a picture [..., H, W] of each EXIF orientation upright.
_TURNS: dict[object, Callable[[Array], Array]] = {
    2: lambda a: a[..., ::-1],
    3: lambda a: a[..., ::-1, ::-1],
    4: lambda a: a[..., ::-1, :],
    5: lambda a: a.swapaxes(-1, -2),
    6: lambda a: a[..., ::-1, :].swapaxes(-1, -2),
    7: lambda a: a[..., ::-1, ::-1].swapaxes(-1, -2),
    8: lambda a: a[..., ::-1].swapaxes(-1, -2),
}


def choose_frame(image: Image.Image, source: str, settings: PictureSettings) -> list[str]:
    """Refuse more than one frame unless the settings or the format say which one is meant; moves `image`.

    Raises:
        BadImage: naming how many there are.
    """
    count = getattr(image, "n_frames", 1)
    if count == 1:
        return []
    if image.format == "MPO":
        return [f"the primary picture of {count} in a multi-picture JPEG used"]
    if image.format == "TIFF" and _only_reduced_copies(image, count):
        return [f"page 1 of {count} used, the others are reduced copies"]
    if settings.frames == "refuse":
        raise BadImage(
            f"{source}: it holds {count} frames or pages; set `frames: first` to take the first one"
        )
    return [f"first of {count} frames used"]


def _only_reduced_copies(image: Image.Image, count: int) -> bool:
    for page in range(1, count):
        image.seek(page)
        if not getattr(image, "tag_v2", {}).get(_REDUCED_COPY, 0) & 1:
            return False
    return True


def orientation(image: Image.Image) -> tuple[object, list[str]]:
    """The EXIF (or XMP) orientation and what to say about it; broken EXIF is no reason to lose a picture."""
    try:
        orientation = image.getexif().get(_ORIENTATION, 1)
    # The parser raises nearly every built-in type, as the decoders do.
    except Exception as error:
        return 1, [f"unreadable EXIF ignored ({words(error)})"]
    return orientation, [f"EXIF orientation {orientation} applied"] if orientation in _TURNS else []


def upright(picture: Array, orientation: object) -> Array:
    """`picture` [..., H, W] turned as its EXIF orientation asks; unknown orientations leave it as it is."""
    turn = _TURNS.get(orientation)
    return turn(picture) if turn else picture


def named_space(data: bytes, kind: str, image: Image.Image) -> NamedSpace:
    """The colour space that the file names without bringing a profile.

    Raises:
        Unsupported: it is one of high dynamic range.
    """
    if kind == "PNG" and len(cicp := png_chunk(data, b"cICP")) == 4:
        if cicp[2:] != b"\0\1":
            return NamedSpace(said="cICP of video samples not followed, taken as sRGB")
        return replace(by_code_points(cicp[0], cicp[1], teller="cICP"), leads=True)
    if kind == "AVIF":
        return boxed_space(data, kind)
    try:
        return by_exif(image.getexif())
    # The parser raises nearly every built-in type, and `orientation` says so of the same block.
    except Exception:
        return SRGB


def boxed_space(data: bytes, kind: str) -> NamedSpace:
    """The colour space that the code points of a HEIC or AVIF name.

    Raises:
        Unsupported: it is one of high dynamic range.
    """
    points = primary_item(data).code_points
    return SRGB if points is None else by_code_points(*points, teller=f"{kind} header")


def notes(image: Image.Image) -> list[str]:
    """What the file says about its colours and is not followed."""
    notes, info = [], image.info
    if "icc_profile" in info and info["icc_profile"] is None:
        notes.append("ignored unreadable colour profile (it cannot be unpacked)")
    gamma = info.get("gamma")
    if gamma and not info.get("icc_profile") and "srgb" not in info and abs(gamma - 1 / 2.2) > 0.01:
        notes.append(f"PNG gamma {gamma:g} ignored, taken as sRGB")
    if image.format in ("JPEG", "MPO") and image.mode == "CMYK" and "adobe" not in info:
        notes.append("CMYK JPEG without Adobe's mark taken as inverted, as Adobe writes them")
    return notes


def complaints(caught: list[warnings.WarningMessage]) -> tuple[str, ...]:
    """Pillow's own warnings; the collector may hear of other code's too, and the size limit is ours."""
    ours = [w for w in caught if "PIL" in Path(w.filename).parts]
    texts = [str(w.message) for w in ours if not issubclass(w.category, Image.DecompressionBombWarning)]
    return tuple(f"decoder warned: {text}" for text in dict.fromkeys(texts))


def words(error: Exception) -> str:
    """An error of Pillow's as a message; some are empty, and one holds an address in memory."""
    if isinstance(error, UnidentifiedImageError):
        return "its header is damaged or its layout is not supported"
    return str(error) or type(error).__name__
