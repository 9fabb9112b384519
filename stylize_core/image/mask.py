"""Masks: grey pictures that say, softly, where something counts."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import interpolate

from stylize_core.errors import BadImage
from stylize_core.image.decode import Picture

# JPEG leaves faint tints on grey; what has more colour than that is a photograph by mistake.
MOST_TINT = 16 / 255
# Less than this, half a step of 8 bits, is black everywhere.
LEAST_WHITE = 0.5 / 255
# Aspects further apart than this are no matter of rounding.
SAME_ASPECT = 0.02


def mask_from(picture: Picture, *, height: int, width: int, source: str) -> tuple[Tensor, tuple[str, ...]]:
    """A picture's grey as a mask [1, H, W] in 0..1, scaled to this size, and what was decided on the way.

    White counts fully, black and transparent places not at all.

    Raises:
        BadImage: the picture has colours, or is black; names `source`.
    """
    rgb = picture.rgb
    if float((rgb.amax(0) - rgb.amin(0)).max()) > MOST_TINT:
        raise BadImage(f"{source}: a mask is grey, white where it counts; this picture has colours")
    grey = rgb.mean(0, keepdim=True)
    if picture.alpha is not None:
        grey = grey - (1 - picture.alpha)  # transparent places were flattened on white
    mask, decisions = _fitted(grey.clamp(0, 1), height=height, width=width)
    if float(mask.max()) < LEAST_WHITE:
        raise BadImage(f"{source}: this mask is black everywhere; paint white what it is to mark")
    return mask, (*picture.decisions, *decisions)


def _fitted(mask: Tensor, *, height: int, width: int) -> tuple[Tensor, tuple[str, ...]]:
    old_height, old_width = mask.shape[-2:]
    if (old_height, old_width) == (height, width):
        return mask, ()
    fitted = interpolate(mask[None], size=(height, width), mode="bilinear", antialias=True)[0].clamp(0, 1)
    same = abs(old_width * height / (old_height * width) - 1) < SAME_ASPECT
    how = "scaled" if same else "stretched"
    return fitted, (f"mask {how} from {old_width}x{old_height} to {width}x{height} px",)
