"""What pictures are compared with: features of contents, statistics of styles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from stylize_core.architecture import units
from stylize_core.chunks import coarse
from stylize_core.device import wide
from stylize_core.loss.colour import recoloured
from stylize_core.loss.products import products
from stylize_core.loss.regions import guidance
from stylize_core.networks.encoder import Encoder
from stylize_core.networks.tiled_pass import TiledPass, View
from stylize_core.settings.style import StyleSettings

# Layer name to [B, C, h, w] for content; for style to Gram matrices [B, C, C] or moments [B, C+1, C+1].
Targets = Mapping[str, Tensor]


@torch.no_grad()
def content_targets(
    encoder: Encoder, content_bchw: Tensor, settings: StyleSettings, *, tile_px: int = 0
) -> Targets:
    """The features of content pictures [B, 3, H, W] at the content layers; none if content has no weight.

    In tiles of `tile_px`, see `TiledPass`; nothing but the memory depends on them. They are in the
    network's number format, and coarse for large pictures.
    """
    layers = tuple(settings.content_layer_weights if settings.uses_content else ())
    dtype = coarse(encoder.dtype, content_bchw[0].numel())
    found: dict[str, Tensor] = {}

    def keep(view: View) -> None:
        for layer in view.own.keys() & set(layers):
            if view.tile.is_whole:
                found[layer] = view.own[layer].to(dtype)
                continue
            whole = found.setdefault(layer, _room(view.own[layer], layer, content_bchw, dtype))
            view.tile.among_all(whole, layer).copy_(view.own[layer])

    if layers:
        TiledPass(encoder, content_bchw, tile_px).forward(keep)
    return {layer: found[layer] for layer in layers}


def _room(features_bchw: Tensor, layer: str, image_bchw: Tensor, dtype: torch.dtype) -> Tensor:
    """Room for a layer's features of the whole picture, given those of a part."""
    height, width = (units(layer, side) for side in image_bchw.shape[-2:])
    return features_bchw.new_empty(*features_bchw.shape[:2], height, width, dtype=dtype)


# Why so many: all that decides which places of a style count.
@torch.no_grad()
def style_targets(
    encoder: Encoder,
    style_bchw: Tensor,
    settings: StyleSettings,
    *,
    alpha_b1hw: Tensor | None = None,
    content_bchw: Tensor | None = None,
    mask_b1hw: Tensor | None = None,
    tile_px: int = 0,
) -> Targets:
    """The statistics of style pictures [B, 3, H, W] at the style layers; none if style has no weight.

    Places count by their opacity `alpha_b1hw` [B, 1, H, W], so transparent pixels carry no style, and by
    `mask_b1hw` [B, 1, H, W], which is inset in each layer as `guidance` does it. The result is small and
    worth keeping between pairs: independent of any content with `colour: style`, for this one otherwise. In
    tiles of `tile_px`, see `TiledPass`.

    Raises:
        ValueError: the colour setting needs the content, and `content_bchw` is not given.
    """
    share_b1hw = alpha_b1hw
    if mask_b1hw is not None:
        share_b1hw = mask_b1hw if alpha_b1hw is None else mask_b1hw * alpha_b1hw.to(mask_b1hw)
    style_bchw = recoloured(style_bchw, content_bchw, settings, share_b1hw=share_b1hw)
    layers = tuple(settings.style_layer_weights if settings.uses_style else ())
    by_moments = settings.statistics == "moments"
    sums: dict[str, Tensor] = {}
    guides: dict[str, Tensor | None] = {}

    def add(view: View) -> None:
        for layer in [layer for layer in layers if layer in view.own]:
            own = wide(view.own[layer])
            own = torch.cat([own, torch.ones_like(own[:, :1])], 1) if by_moments else own
            if layer not in guides:
                guides[layer] = _guide(share_b1hw, own, layer, style_bchw, inset=mask_b1hw is not None)
            guide = guides[layer]
            found = products(own if guide is None else own * view.tile.among_all(guide, layer))
            sums[layer] = sums[layer] + found if layer in sums else found

    if layers:
        TiledPass(encoder, style_bchw, tile_px).forward(add)
    return {layer: _statistics(sums[layer], guides[layer], layer, style_bchw, by_moments) for layer in layers}


def _statistics(
    sums_bdd: Tensor, guide: Tensor | None, layer: str, image_bchw: Tensor, by_moments: bool
) -> Tensor:
    """Gram matrices, or moments, of sums over all places; a guide has divided them already."""
    height, width = (units(layer, side) for side in image_bchw.shape[-2:])
    gram_bdd = sums_bdd if guide is not None else sums_bdd / (sums_bdd.shape[-1] * height * width)
    return gram_bdd * sums_bdd.shape[-1] if by_moments else gram_bdd


def _guide(
    share_b1hw: Tensor | None, features_bdhw: Tensor, layer: str, image_bchw: Tensor, *, inset: bool
) -> Tensor | None:
    """What features are multiplied by, given how much each place of the picture counts; [B, 1, h, w]."""
    if share_b1hw is None:
        return None
    share_b1hw = share_b1hw.to(features_bdhw)
    if inset:
        share_b1hw = guidance(share_b1hw, layer)
    else:
        height, width = (units(layer, side) for side in image_bchw.shape[-2:])
        share_b1hw = functional.adaptive_avg_pool2d(share_b1hw, (height, width))
    places = share_b1hw.sum((2, 3), keepdim=True).clamp_min(1e-6)
    return (share_b1hw / (features_bdhw.shape[1] * places)).sqrt()


def mean_targets(parts: Sequence[Targets], shares: Sequence[float]) -> Targets:
    """The statistics of a blend: the mean of its parts', weighted by shares that sum to 1.

    Gram matrices and moments are both means over places, and moments are raw, so this is what a picture would
    have whose places show the styles in these shares. (Means of covariances would leave out how far the
    styles' means lie apart.) A single part stands for itself, without a share; no parts make no targets.
    """
    if len(parts) < 2:
        return parts[0] if parts else {}
    return {
        layer: torch.stack([share * part[layer] for part, share in zip(parts, shares, strict=True)]).sum(0)
        for layer in parts[0]
    }


def stack_targets(rows: Sequence[Targets]) -> Targets:
    """The targets of single pictures as those of one batch; all must have the same layers and shapes."""
    return {layer: torch.cat([row[layer] for row in rows]) for layer in rows[0]}
