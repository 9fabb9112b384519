"""A picture in the size that it is used in: decoded as a whole where that is small enough, else in parts.

What is decoded as a whole stays bit for bit what it has always been; only what would be refused for its size
is read in parts, shrunk on the way, and says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from stylize_core.errors import ImageTooLarge
from stylize_core.image.colour import to_srgb
from stylize_core.image.crop import Box, crop, cut_box, cut_decision
from stylize_core.image.decode import (
    Picture,
    accepted_kind,
    check_size,
    decode_picture,
    refusals,
)
from stylize_core.image.header import check_complete
from stylize_core.image.large.parts import (
    BYTES_A_PIXEL,
    LEAST_BYTES,
    Unsplittable,
    budget_bytes,
    refuse_beyond,
    strip_rows,
)
from stylize_core.image.large.shrinking import Shrinker
from stylize_core.image.large.stored import Stored, stored_picture
from stylize_core.image.opening import Array, Samples, open_image, pillow_rules
from stylize_core.image.policy import complaints, upright
from stylize_core.image.resize import fitted_size
from stylize_core.settings.fields import WHOLE, Crop
from stylize_core.settings.picture import PictureSettings

LARGEST_SIDE_PX = 30_000
"""Of a picture that is read in parts: beyond it even unpacking takes minutes."""
SPLITTABLE = ("JPEG", "PNG", "TIFF")

LongEdge = Callable[[int, int], int]
"""The long edge, px, that a part of `width` x `height` px is shrunk to where it is larger."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """The part of a picture that is used.

    Attributes:
        picture: the part, upright; shrunk already where the whole was too large to be decoded at once.
        whole: width and height of the whole picture, upright.
        used: width and height of the part before it was shrunk.
    """

    picture: Picture
    whole: tuple[int, int]
    used: tuple[int, int]


def decode_fitting(
    data: bytes, *, source: str, settings: PictureSettings, part: Crop, long_edge: LongEdge
) -> Fitted:
    """Decode a whole file and cut out a part; what is too large for that is shrunk to `long_edge` on the way.

    Args:
        source: its name in every message.
        settings: `max_megapixels` says what is decoded at once, and so how much memory any picture may take.

    Raises:
        BadImage: not a complete picture of an accepted format.
        ImageTooLarge: it needs more memory than `max_megapixels` allows, however it is read.
        ImageTooSmall: it, or the part, is too small.
        OutOfMemory: decoding needs more memory than there is.
    """
    try:
        decoded = decode_picture(data, source=source, settings=settings)
    except ImageTooLarge as refusal:
        if accepted_kind(data, source) in SPLITTABLE and budget_bytes(settings.max_megapixels) >= LEAST_BYTES:
            return _in_parts(data, source, settings, part, long_edge, refusal)
        raise
    cut = crop(decoded, part, source=source)
    return Fitted(cut, _size_of(decoded), _size_of(cut))


def _size_of(picture: Picture) -> tuple[int, int]:
    return picture.rgb.shape[2], picture.rgb.shape[1]


def _in_parts(
    data: bytes,
    source: str,
    settings: PictureSettings,
    part: Crop,
    long_edge: LongEdge,
    refusal: ImageTooLarge,
) -> Fitted:
    kind = accepted_kind(data, source)
    with refusals(kind, source, settings), pillow_rules(LARGEST_SIDE_PX**2) as caught:
        size = open_image(data, kind).size
        if max(size) > LARGEST_SIDE_PX:
            raise refusal
        check_size(size, source)
        check_complete(data, kind)  # before anything else relies on what the file says of its own layout
        try:
            stored = stored_picture(data, kind, source, settings)
            if sorted(stored.size) != sorted(size):
                raise ValueError("it contradicts itself about its size")
            fitted = _shrunk(stored, source, part, long_edge, budget_bytes(settings.max_megapixels))
        except Unsplittable as why:
            raise ImageTooLarge(f"{refusal}; it is not read in parts: {why}") from why
        told = (*fitted.picture.decisions, *complaints(caught))
        return replace(fitted, picture=replace(fitted.picture, decisions=told))


def _shrunk(stored: Stored, source: str, part: Crop, long_edge: LongEdge, budget: float) -> Fitted:
    whole = stored.turned(stored.size)
    box = cut_box(whole, part, source=source)
    used = box[2] - box[0], box[3] - box[1]
    edge = min(long_edge(*used), max(used))
    new = fitted_size(*used, long_edge=edge)
    at_once = f"at the {new[0]}x{new[1]} px that are asked for it is still too large to be held"
    refuse_beyond(new[0] * new[1] * BYTES_A_PIXEL, budget, at_once)
    strips, share = stored.strips(shrunk=max(used) / edge, budget=budget)
    window = stored.as_stored(box, share)
    planes, samples, said = _planes(stored, strips, window, stored.turned(new))
    picture = stored.described(samples, said)
    rgb, alpha = planes[:3], planes[3:] if len(planes) == 4 and planes[3].min() < 1 else None
    told = [
        "transparent parts flattened on white" if alpha is not None else "",
        cut_decision(box) if part != WHOLE else "",
        _how(whole, new, share),
    ]
    turned = replace(
        picture,
        decisions=(*picture.decisions, *filter(None, told)),
        rgb=_tensor(upright(rgb, stored.turn)),
        alpha=None if alpha is None else _tensor(upright(alpha, stored.turn)),
    )
    return Fitted(turned, whole, used)


def _how(whole: tuple[int, int], new: tuple[int, int], share: int) -> str:
    """What records say of a picture that was read in parts."""
    drafted = f"decoded at 1/{share} by the JPEG's own transform and " if share > 1 else ""
    return (
        f"{whole[0]}x{whole[1]} px are {whole[0] * whole[1] / 1e6:.0f} megapixels, more than max_megapixels: "
        f"{drafted}read in parts, the part that is used shrunk to {new[0]}x{new[1]} px on the way"
    )


def _tensor(planes: Array) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(planes))


def _planes(
    stored: Stored, strips: Iterator[Samples], window: Box, new: tuple[int, int]
) -> tuple[Array, Samples, list[str]]:
    """The window as [3 or 4, h, w] in sRGB on white, then alpha; the last samples; what was said."""
    left, top, right, bottom = window
    shrinker, said, at = None, dict[str, None](), 0
    for samples in strips:
        for piece in _pieces(samples):
            first, at = at, at + len(piece.values)
            rows = slice(max(top - first, 0), max(0, bottom - first))
            part = _cut(piece, rows, slice(left, right))
            if not len(part.values):
                continue
            planes, coloured = to_srgb(part, stored.profile, stored.named)
            said |= dict.fromkeys((*samples.decisions, *coloured))
            planes = planes if part.alpha is None else _on_white(planes, part.alpha)
            if shrinker is None:
                shrinker = Shrinker(len(planes), old=(right - left, bottom - top), new=new)
            shrinker.add(planes)
    if shrinker is None:
        raise ValueError("it has no rows where its header says that they are")
    return shrinker.result(), samples, list(said)


def _pieces(samples: Samples) -> Iterator[Samples]:
    """The samples a megapixel at a time; a row of tiles may hold many."""
    height, width = samples.values.shape[:2]
    rows = strip_rows(width)
    for first in range(0, height, rows):
        yield _cut(samples, slice(first, first + rows), slice(None))


def _cut(samples: Samples, rows: slice, columns: slice) -> Samples:
    alpha = None if samples.alpha is None else samples.alpha[rows, columns]
    return replace(samples, values=samples.values[rows, columns], alpha=alpha)


def _on_white(planes: Array, alpha: Array) -> Array:
    return np.concatenate([planes * alpha + (1 - alpha), alpha[None]])
