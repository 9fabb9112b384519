"""Pictures to learn from: a folder of them, and an endless supply of varied crops out of it."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from stylize_core.errors import BadImage
from stylize_core.image.decode import decode_picture
from stylize_core.settings.picture import PictureSettings
from training.variety import with_flat_colours, with_noise, with_other_colours, with_other_picture

LONG_EDGE = 1024
SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}
# A crop is cut at up to this many times its size and shrunk: whole things are seen as well as bare paint.
WIDEST_CUT = 4.0


def read_pictures(folder: Path, *, long_edge: int = LONG_EDGE) -> list[Tensor]:
    """The pictures below a folder, ordered by path: uint8 [3, H, W], long edge at most `long_edge` px.

    Raises:
        BadImage: the folder holds no picture, or a file is broken.
    """
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    if not paths:
        raise BadImage(f"{folder} holds no pictures; give a folder with {', '.join(sorted(SUFFIXES))} files")
    settings = PictureSettings(frames="first")
    pictures = []
    for path in paths:
        rgb = decode_picture(path.read_bytes(), source=str(path), settings=settings).rgb
        pictures.append(_within(rgb, long_edge).mul(255).round().to(torch.uint8))
    return pictures


def _within(rgb_chw: Tensor, long_edge: int) -> Tensor:
    factor = long_edge / max(rgb_chw.shape[1:])
    if factor >= 1:
        return rgb_chw
    height, width = (max(1, round(side * factor)) for side in rgb_chw.shape[1:])
    return resized(rgb_chw, height, width)


def resized(rgb_chw: Tensor, height: int, width: int) -> Tensor:
    """The picture at another size, without aliasing; [3, height, width]."""
    return functional.interpolate(
        rgb_chw[None], size=(height, width), mode="bilinear", antialias=True, align_corners=False
    )[0].clamp(0, 1)


class Crops:
    """An endless supply of varied crops; the same seed gives the same ones in the same order.

    Attributes:
        size: side of a crop, px.
    """

    def __init__(self, pictures: Sequence[Tensor], *, size: int, seed: int) -> None:
        self.size = size
        self._pictures = pictures
        self._dice = random.Random(seed)
        self._noise = torch.Generator().manual_seed(seed)

    def batch(self, count: int) -> Tensor:
        """The next `count` crops, varied: [count, 3, size, size], RGB 0..1."""
        return torch.stack([self._varied(self._crop()) for _ in range(count)])

    def _crop(self) -> Tensor:
        """A square cut at a random place and scale out of a random picture, mirrored half of the time."""
        dice, picture = self._dice, self._dice.choice(self._pictures)
        height, width = picture.shape[1:]
        widest = min(height, width, round(self.size * WIDEST_CUT))
        side = round(math.exp(dice.uniform(math.log(min(self.size, widest)), math.log(widest))))
        top, left = dice.randint(0, height - side), dice.randint(0, width - side)
        crop = picture[:, top : top + side, left : left + side].float().div(255)
        if side != self.size:
            crop = resized(crop, self.size, self.size)
        return crop.flip(2) if dice.random() < 0.5 else crop

    def _varied(self, crop_chw: Tensor) -> Tensor:
        """Colours and mixtures that few pictures have but a picture under optimisation may pass through."""
        dice = self._dice
        if dice.random() < 0.5:
            crop_chw = with_other_colours(crop_chw, dice)
        if dice.random() < 0.12:
            crop_chw = with_other_picture(crop_chw, self._crop(), dice)
        if dice.random() < 0.12:
            crop_chw = with_flat_colours(crop_chw, dice, self._noise)
        if dice.random() < 0.2:
            crop_chw = with_noise(crop_chw, dice, self._noise)
        return crop_chw.clamp(0, 1)
