"""Pictures in: bytes to an upright sRGB tensor. With `image_*.py` the only code that touches Pillow."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from stylize_core.errors import BadImage, ImageTooLarge, ImageTooSmall, StylizeError
from stylize_core.image_colour import to_srgb
from stylize_core.image_header import ACCEPTED, check_complete, sniff
from stylize_core.image_samples import Array, open_image, pillow_rules, read_samples
from stylize_core.image_write import embedded_facts, encode_picture
from stylize_core.settings import PictureSettings

__all__ = ["MIN_SIDE_PX", "Picture", "decode_picture", "embedded_facts", "encode_picture", "resize"]

MIN_SIDE_PX = 16
MAX_SIDE_PX = 65_535


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A decoded picture, upright and in sRGB.

    Attributes:
        rgb: [3, H, W] float32 0..1; transparent parts are flattened on white.
        alpha: [1, H, W] float32 0..1, or None where every pixel is opaque.
        source_format: JPEG, PNG, WebP, TIFF, GIF or BMP.
        source_mode: how the file stored its pixels.
        decisions: what was decided on the user's behalf, one sentence each.
    """

    rgb: Tensor
    alpha: Tensor | None
    source_format: str
    source_mode: str
    decisions: tuple[str, ...] = ()


def decode_picture(data: bytes, *, source: str, settings: PictureSettings) -> Picture:
    """Decode a whole file; `source` is its name in every message.

    Raises:
        BadImage: not a complete picture of an accepted format, or an animation while `frames` is `refuse`.
        ImageTooLarge: beyond `settings.max_megapixels` or `MAX_SIDE_PX`; nothing was decoded.
        ImageTooSmall: a side is shorter than `MIN_SIDE_PX`.
    """
    kind = sniff(data)
    if kind not in ACCEPTED:
        raise BadImage(f"{source}: this is {kind}; give a JPEG, PNG, WebP, TIFF, GIF or BMP picture")
    try:
        with pillow_rules(settings.max_megapixels * 1e6) as caught:
            picture = _decode(data, kind, source, settings)
            return replace(picture, decisions=picture.decisions + _from_warnings(caught))
    except StylizeError:
        raise
    except Image.DecompressionBombError as error:
        raise ImageTooLarge(_too_large(source, str(error).partition(",")[0], settings)) from error
    # Pillow raises nearly every built-in type on broken files; whatever it is, the file is at fault.
    except Exception as error:
        raise BadImage(f"{source}: broken {kind} picture: {error or type(error).__name__}") from error


def _decode(data: bytes, kind: str, source: str, settings: PictureSettings) -> Picture:
    image = open_image(data, kind)
    _check_size(image, source, settings)
    check_complete(data, kind)
    decisions = _choose_frame(image, source, settings)
    samples = read_samples(data, kind, image)
    rgb, said = to_srgb(samples, image.info.get("icc_profile"))
    decisions += said
    alpha = samples.alpha
    orientation = image.getexif().get(0x0112, 1)
    turn = _TURNS.get(orientation)
    if turn:
        rgb = turn(rgb)
        alpha = None if alpha is None else turn(alpha)
        decisions.append(f"EXIF orientation {orientation} applied")
    if alpha is not None and alpha.min() == 1:
        alpha = None
    if alpha is not None:
        rgb = rgb * alpha[..., None] + (1 - alpha[..., None])
        decisions.append("transparency flattened on white")
    tensor = torch.from_numpy(np.ascontiguousarray(rgb.transpose(2, 0, 1)))
    mask = None if alpha is None else torch.from_numpy(np.ascontiguousarray(alpha))[None]
    return Picture(tensor, mask, kind, samples.mode, tuple(decisions))


_TURNS = {
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: a[::-1].swapaxes(0, 1),
    7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
    8: lambda a: a[:, ::-1].swapaxes(0, 1),
}


def _check_size(image: Image.Image, source: str, settings: PictureSettings) -> None:
    width, height = image.size
    if max(width, height) > MAX_SIDE_PX:
        raise ImageTooLarge(f"{source}: {width}x{height} px; the longest side accepted is {MAX_SIDE_PX} px")
    if min(width, height) < MIN_SIDE_PX:
        raise ImageTooSmall(f"{source}: {width}x{height} px; each side must be at least {MIN_SIDE_PX} px")


def _too_large(source: str, what: str, settings: PictureSettings) -> str:
    return (
        f"{source}: {what}; raise max_megapixels (now {settings.max_megapixels:g}) or give a smaller picture"
    )


def _choose_frame(image: Image.Image, source: str, settings: PictureSettings) -> list[str]:
    count = getattr(image, "n_frames", 1)
    if count == 1:
        return []
    if image.format == "MPO":
        return [f"primary picture of {count} in a multi-picture JPEG used"]
    if settings.frames == "refuse":
        raise BadImage(f"{source}: {count} frames; set `frames: first` to take the first one")
    return [f"first of {count} frames used"]


def _from_warnings(caught: list[warnings.WarningMessage]) -> tuple[str, ...]:
    """Pillow's own complaints; the collector may hear of other code's too, and the size limit is ours."""
    ours = [w for w in caught if "PIL" in Path(w.filename).parts]
    texts = [str(w.message) for w in ours if not issubclass(w.category, Image.DecompressionBombWarning)]
    return tuple(f"decoder warned: {text}" for text in dict.fromkeys(texts))


def resize(picture: Picture, *, long_edge: int, enlarge: bool) -> Picture:
    """The picture with its longer side at `long_edge` px, by Lanczos on float samples; aspect kept.

    A smaller picture stays as it is unless `enlarge` is set; either way the decision is recorded.
    """
    height, width = picture.rgb.shape[1:]
    longest = max(width, height)
    if longest == long_edge:
        return picture
    if longest < long_edge and not enlarge:
        kept = f"kept at {width}x{height} px, smaller than the {long_edge} px asked for"
        return replace(picture, decisions=(*picture.decisions, kept))
    size = _scaled(width, longest, long_edge), _scaled(height, longest, long_edge)
    said = (f"enlarged from {width}x{height} to {size[0]}x{size[1]} px",) if longest < long_edge else ()
    return replace(
        picture,
        rgb=_lanczos(picture.rgb, size),
        alpha=None if picture.alpha is None else _lanczos(picture.alpha, size),
        decisions=picture.decisions + said,
    )


def _scaled(side: int, longest: int, long_edge: int) -> int:
    return max(1, (2 * side * long_edge + longest) // (2 * longest))


def _lanczos(planes: Tensor, size: tuple[int, int]) -> Tensor:
    resized: list[Array] = [
        np.asarray(Image.fromarray(plane.numpy()).resize(size, Image.Resampling.LANCZOS)) for plane in planes
    ]
    return torch.from_numpy(np.stack(resized)).clamp_(0, 1)
