"""A region of a picture, given in shares of its sides so that it means the same at every size."""

from __future__ import annotations

from dataclasses import replace

from stylize_core.errors import ImageTooSmall
from stylize_core.image.decode import MIN_SIDE_PX, Picture
from stylize_core.settings.fields import WHOLE, Crop


def crop(picture: Picture, region: Crop, *, source: str) -> Picture:
    """The region `(left, top, right, bottom)` of a picture, cut at the nearest pixels; the decision is told.

    Raises:
        ImageTooSmall: a side of the region is shorter than `MIN_SIDE_PX`; names `source`.
    """
    if region == WHOLE:
        return picture
    height, width = picture.rgb.shape[-2:]
    left, right = (round(share * width) for share in region[0::2])
    top, bottom = (round(share * height) for share in region[1::2])
    size = f"{right - left}x{bottom - top} px"
    if min(right - left, bottom - top) < MIN_SIDE_PX:
        said = f"style_crop leaves {size} of {width}x{height}; each side must be at least {MIN_SIDE_PX} px"
        raise ImageTooSmall(f"{source}: {said}")
    return replace(
        picture,
        rgb=picture.rgb[:, top:bottom, left:right].contiguous(),
        alpha=None if picture.alpha is None else picture.alpha[:, top:bottom, left:right].contiguous(),
        decisions=(*picture.decisions, f"cropped to {size} from x {left}, y {top}"),
    )
