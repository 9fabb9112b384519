"""A batch of pictures at one size, with what is minimised there and the margin around it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from stylize_core.loss.colour import grey
from stylize_core.loss.objective import Objective
from stylize_core.loss.regions import Area, StyledRegion, areas
from stylize_core.loss.targets import Targets, content_targets, style_targets
from stylize_core.networks.encoder import Encoder
from stylize_core.networks.slim import slim_beside
from stylize_core.settings.resolved import lacking_margin, margin_of
from stylize_core.settings.sketch import sketch_of
from stylize_core.settings.style import StyleSettings

# Standard deviation, px, of the blur that takes the noise of a scan before it is enlarged much. Up to four
# times as long it stays fine enough, and strokes of a px or two would be lost with it.
SOFTNESS = 1.08
LEFT_ALONE = 4.0


@dataclass(frozen=True, slots=True)
class ViewSpec:
    """How pictures are seen.

    Attributes:
        share: with sides so many times as long as at full size.
        exact: as the network is for the last steps; see `Encoder.exact`.
        tile_px: longest side of the tiles that the network sees them in, px; 0: all at once.
        sketch: by `slim` instead, for the run before that `init: slim` asks for.
    """

    share: float = 1.0
    exact: bool = False
    tile_px: int = 0
    sketch: bool = False


AS_IT_IS = ViewSpec()


@dataclass(frozen=True, slots=True)
class Level:
    """What is stylised, at one size.

    Attributes:
        content_bchw: [B, 3, H, W], RGB in 0..1, on the device, in the shape of the result.
        style: statistics of the styles, B rows; with regions, of that for what they leave.
        regions: parts with styles of their own, their masks [B, 1, H, W].
        tile_px: longest side of the tiles that the network sees them in, px; 0: all at once.
    """

    content_bchw: Tensor
    style: Targets
    regions: Sequence[StyledRegion]
    settings: StyleSettings
    tile_px: int = 0

    def margin(self, encoder: Encoder) -> int:
        """How many px around the picture are optimised with it."""
        height, width = self.content_bchw.shape[-2:]
        return margin_of(self.settings, width=width, height=height, least=encoder.min_side)

    def objective(self, encoder: Encoder, *, margin: int = 0) -> Objective:
        """What is minimised, for the picture with so much around it."""
        content_bchw, settings = self.content_bchw, self.settings
        shown_bchw = grey(content_bchw) if settings.colour == "luminance" else content_bchw
        content = content_targets(encoder, widened(shown_bchw, margin), settings, tile_px=self.tile_px)
        whole = {} if self.regions else self.style
        return Objective(encoder, content, whole, settings, self._areas(margin), tile_px=self.tile_px)

    @property
    def is_empty(self) -> bool:
        """Whether nothing at all is minimised: regions may leave a picture without style."""
        return not (self.settings.uses_content or self.settings.tv_weight or self._areas(0))

    def _areas(self, margin: int) -> Sequence[Area]:
        """Where each style counts in the picture with its margin; nothing said where that is everywhere."""
        if not self.regions:
            return ()
        laid_out = []
        for region in self.regions:
            style = {layer: target.to(self.content_bchw) for layer, target in region.style.items()}
            mask_b1hw = widened(region.mask_b1hw.to(self.content_bchw), margin)
            laid_out.append(StyledRegion(mask_b1hw, style, region.weight))
        return areas(laid_out, self.style)

    def carried(self, best_bchw: Tensor, start_bchw: Tensor, here_bchw: Tensor) -> Tensor:
        """Where this level starts after a smaller one: from its best picture, with the details of this size.

        What the smaller level changed of its own start is added to this one's, so that details too fine for
        it are there as well; noise has none, and is left behind.

        Args:
            best_bchw: the smaller level's result.
            start_bchw: what that started from.
            here_bchw: the start at this size.
        """
        height, width = here_bchw.shape[-2:]
        if self.settings.start == "noise":
            return resized(best_bchw, height, width)
        return resized(best_bchw - start_bchw, height, width).add_(here_bchw)


def least_margin(content_bchw: Tensor, encoder: Encoder) -> int:
    """How many px of its own reflection a picture needs on each side to be seen at all.

    Raises:
        ImageTooSmall: even so there is nothing to see.
    """
    height, width = content_bchw.shape[-2:]
    lacking = lacking_margin(width=width, height=height, least=encoder.min_side)
    encoder.check_size(widened(content_bchw, lacking))
    return lacking


def scaled(image_bchw: Tensor, share: float, *, least: int = 1) -> Tensor:
    """The picture with sides so many times as long, px, but not below `least`; values stay in 0..1."""
    if share == 1:
        return image_bchw
    height, width = (max(min(side, least), round(side * share)) for side in image_bchw.shape[-2:])
    return resized(image_bchw, height, width).clamp_(0, 1)


# Why so many: all that decides which places of a style count, and how they are seen.
def targets_seen(
    view: ViewSpec,
    encoder: Encoder,
    style_bchw: Tensor,
    settings: StyleSettings,
    *,
    alpha_b1hw: Tensor | None = None,
    content_bchw: Tensor | None = None,
    mask_b1hw: Tensor | None = None,
    meant_px: int = 0,
) -> Targets:
    """What style pictures show in that view; see `style_targets`.

    Args:
        style_bchw: [B, 3, h, w]; the planes beside it have the same sides.
        meant_px: the long edge that they stand for at full size. What has less is enlarged, so that strokes
            have their proportion to the picture at every size, but only here, for it may be large, and
            softened before, lest the noise of its own pixels become grain. 0: they are in full size.
    """
    if view.sketch:
        encoder, settings = slim_beside(encoder), sketch_of(settings)
    long_edge = max(style_bchw.shape[-2:])
    enlarged = max(long_edge, meant_px) / long_edge
    share = view.share * enlarged

    def seen(plane: Tensor) -> Tensor:
        return scaled(plane, share, least=encoder.min_side)

    return style_targets(
        encoder.exact() if view.exact else encoder,
        seen(softened(style_bchw, softness(enlarged))),
        settings,
        alpha_b1hw=None if alpha_b1hw is None else seen(alpha_b1hw),
        content_bchw=content_bchw,
        mask_b1hw=None if mask_b1hw is None else seen(mask_b1hw),
        tile_px=view.tile_px,
    )


def softness(enlarged: float) -> float:
    """Standard deviation, px, of the blur of a style that is to be so many times as long.

    >>> [round(softness(times), 2) for times in (1, 4, 6, 12)]
    [0.0, 0.0, 0.8, 1.02]
    """
    return SOFTNESS * math.sqrt(max(0.0, 1 - (LEFT_ALONE / enlarged) ** 2))


def softened(image_bchw: Tensor, sigma: float) -> Tensor:
    """The picture after a Gaussian blur of that standard deviation, px; itself at 0."""
    if not sigma:
        return image_bchw
    reach = math.ceil(3 * sigma)
    places = torch.arange(-reach, reach + 1, device=image_bchw.device, dtype=image_bchw.dtype)
    weights = torch.softmax(-(places**2) / (2 * sigma**2), 0)
    height, width = image_bchw.shape[-2:]
    planes = functional.pad(image_bchw, (reach,) * 4, mode="replicate").flatten(0, 1)[:, None]
    across = functional.conv2d(planes, weights.view(1, 1, 1, -1))
    return functional.conv2d(across, weights.view(1, 1, -1, 1)).view(-1, image_bchw.shape[1], height, width)


def resized(image_bchw: Tensor, height: int, width: int) -> Tensor:
    """The picture in another size, smooth where it grows, without aliasing where it shrinks."""
    return functional.interpolate(image_bchw, size=(height, width), mode="bicubic", antialias=True)


def widened(image_bchw: Tensor, margin: int) -> Tensor:
    """The picture with its own reflection around it."""
    return functional.pad(image_bchw, (margin,) * 4, mode="reflect") if margin else image_bchw


def cut(image_bchw: Tensor, margin: int) -> Tensor:
    """The picture without what is around it."""
    height, width = image_bchw.shape[-2:]
    return image_bchw[..., margin : height - margin, margin : width - margin].contiguous()
