"""A region of a picture, given in shares of its sides so that it means the same at every size."""

from __future__ import annotations

from dataclasses import replace

from stylize_core.errors import ImageTooSmall
from stylize_core.image.decode import MIN_SIDE_PX, Picture
from stylize_core.settings.fields import WHOLE, Crop

Box = tuple[int, int, int, int]
"""Left, top, right and bottom, px."""


def cut_box(size: tuple[int, int], region: Crop, *, source: str) -> Box:
    """Where the region `(left, top, right, bottom)` lies in a picture of that width and height.

    Raises:
        ImageTooSmall: a side of it is shorter than `MIN_SIDE_PX`; names `source`.
    """
    width, height = size
    left, right = (round(share * width) for share in region[0::2])
    top, bottom = (round(share * height) for share in region[1::2])
    if min(right - left, bottom - top) < MIN_SIDE_PX:
        left_over = f"{right - left}x{bottom - top} px of {width}x{height}"
        raise ImageTooSmall(
            f"{source}: style_crop leaves {left_over}; each side must be at least {MIN_SIDE_PX} px"
        )
    return left, top, right, bottom


def cut_decision(box: Box) -> str:
    """What records say of a cut."""
    left, top, right, bottom = box
    return f"cropped to {right - left}x{bottom - top} px from x {left}, y {top}"


def crop(picture: Picture, region: Crop, *, source: str) -> Picture:
    """The region `(left, top, right, bottom)` of a picture, cut at the nearest pixels; the decision is told.

    Raises:
        ImageTooSmall: a side of the region is shorter than `MIN_SIDE_PX`; names `source`.
    """
    if region == WHOLE:
        return picture
    box = left, top, right, bottom = cut_box(
        (picture.rgb.shape[-1], picture.rgb.shape[-2]), region, source=source
    )
    return replace(
        picture,
        rgb=picture.rgb[:, top:bottom, left:right].contiguous(),
        alpha=None if picture.alpha is None else picture.alpha[:, top:bottom, left:right].contiguous(),
        decisions=(*picture.decisions, cut_decision(box)),
    )
