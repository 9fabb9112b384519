"""Keeping the content's colours, as Gatys, Bethge, Hertzmann and Shechtman 2016 do (arXiv 1606.05897).

Two ways: transfer in luminance alone and give the result the content's chroma (luminance-only transfer), or
map the style's colours linearly onto the mean and covariance of the content's before the transfer (colour
histogram matching). Luminance is the Y of YIQ; adding the same value to R, G and B changes Y and leaves I and
Q alone, so that chroma is simply what a picture has beyond its luminance.

Pictures are [B, 3, H, W], RGB in 0..1, of any floating type. Statistics are taken and decomposed in float64.
"""

from __future__ import annotations

import torch
from torch import Tensor

from stylize_core.device import exact
from stylize_core.settings.style import StyleSettings

# Y of YIQ and of ITU-R BT.601; the weights sum to 1.
LUMA = (0.299, 0.587, 0.114)
# Two steps of 8 bits. Where a style varies less than that, it is rounding and compression that vary and not
# colour, and stretching them to the content's spread would fill the picture with noise.
LEAST_SPREAD = 2 / 255


def luminance(image_bchw: Tensor) -> Tensor:
    """Y, [B, 1, H, W].

    >>> luminance(torch.tensor([1.0, 0.0, 0.0]).view(1, 3, 1, 1))
    tensor([[[[0.2990]]]])
    """
    weights = torch.tensor(LUMA, dtype=image_bchw.dtype, device=image_bchw.device)
    return (image_bchw * weights[:, None, None]).sum(1, keepdim=True)


def grey(image_bchw: Tensor) -> Tensor:
    """The picture without its chroma: its luminance in all three channels."""
    return luminance(image_bchw).expand(image_bchw.shape).contiguous()


def match_luminance(style_bchw: Tensor, content_bchw: Tensor, *, share_b1hw: Tensor | None = None) -> Tensor:
    """The style in grey, with the mean and the standard deviation of the content's luminance.

    `σc/σs (L - μs) + μc`, the map of section 'Luminance-only transfer'. Not clamped to 0..1. A flat style
    becomes flat at the content's mean, and so does any style for a flat content.

    Args:
        style_bchw: any size.
        content_bchw: as many rows, any size.
        share_b1hw: [B, 1, H, W] in 0..1, how much each place of the style counts.
    """
    (to, content_bcc), (at, style_bcc) = (
        _moments(luminance(content_bchw)),
        _moments(luminance(style_bchw), share_b1hw),
    )
    scale = content_bcc.sqrt() / style_bcc.sqrt().clamp_min(LEAST_SPREAD)
    return _mapped(luminance(style_bchw), scale, to - scale @ at).expand(style_bchw.shape).contiguous()


def match_colours(style_bchw: Tensor, content_bchw: Tensor, *, share_b1hw: Tensor | None = None) -> Tensor:
    """The style with the mean and the covariance of the content's colours.

    `A (p - μs) + μc` with `A = Σc^½ Σs^-½`, both roots symmetric: the paper's second form, that of image
    analogies. Not clamped to 0..1. Directions in which the style does not vary, such as the chroma of a grey
    one, stay without variation. A grey content makes every style grey, a flat one flat.

    Args:
        style_bchw: any size.
        content_bchw: as many rows, any size.
        share_b1hw: [B, 1, H, W] in 0..1, how much each place of the style counts.
    """
    (to, content_bcc), (at, style_bcc) = _moments(content_bchw), _moments(style_bchw, share_b1hw)
    values, vectors = _eigh(content_bcc)
    root = vectors @ torch.diag_embed(values.clamp_min(0).sqrt()) @ vectors.mT
    values, vectors = _eigh(style_bcc)
    inverse = vectors @ torch.diag_embed(values.clamp_min(LEAST_SPREAD**2).rsqrt()) @ vectors.mT
    matrix = root @ inverse
    return _mapped(style_bchw, matrix, to - matrix @ at)


def with_chroma(image_bchw: Tensor, content_bchw: Tensor) -> Tensor:
    """The luminance of one picture with the I and Q of another, in 0..1.

    Where such a colour does not exist (a bright saturated blue), luminance and hue are kept and saturation
    gives way: cutting off each channel by itself would change all three.
    """
    y = luminance(image_bchw).clamp(0, 1)
    chroma = content_bchw - luminance(content_bchw)
    room = torch.where(chroma > 0, 1 - y, y) / chroma.abs().clamp_min(1e-12)
    share = room.amin(1, keepdim=True).clamp(max=1)
    return (y + share * chroma).clamp(0, 1)


def recoloured(
    style_bchw: Tensor,
    content_bchw: Tensor | None,
    settings: StyleSettings,
    *,
    share_b1hw: Tensor | None = None,
) -> Tensor:
    """The style picture as `settings.colour` wants it for this content, in 0..1.

    Raises:
        ValueError: the colours depend on the content, and there is none.
    """
    if settings.colour == "style":
        return style_bchw
    if content_bchw is None:
        raise ValueError(f"colour: {settings.colour} makes another style of every content; give content_bchw")
    match = match_luminance if settings.colour == "luminance" else match_colours
    return match(style_bchw, content_bchw, share_b1hw=share_b1hw).clamp(0, 1)


def finished(image_bchw: Tensor, content_bchw: Tensor, settings: StyleSettings) -> Tensor:
    """A picture on its way to the user, in 0..1, with the colours that `settings.colour` promises.

    A network sees faint tints as statistics; none of them may stay on a content that has no colour at all.
    """
    if settings.colour == "luminance":
        return with_chroma(image_bchw, content_bchw)
    image_bchw = image_bchw.clamp(0, 1)
    if settings.colour == "match":
        tinted = content_bchw.amax(1, keepdim=True) - content_bchw.amin(1, keepdim=True)
        colourless = tinted.amax((1, 2, 3), keepdim=True) < LEAST_SPREAD
        return torch.where(colourless, grey(image_bchw), image_bchw)
    return image_bchw


def _moments(planes_bchw: Tensor, share_b1hw: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Mean [B, C, 1] and covariance [B, C, C] over all places, float64."""
    planes = exact(planes_bchw).flatten(2)
    share = torch.ones_like(planes[:, :1]) if share_b1hw is None else share_b1hw.to(planes).flatten(2)
    share = share / share.sum(2, keepdim=True).clamp_min(1e-6)
    mean = (planes * share).sum(2, keepdim=True)
    apart = planes - mean
    return mean, (apart * share) @ apart.mT


def _eigh(covariance_bcc: Tensor) -> tuple[Tensor, Tensor]:
    # One row that is not finite must not end its batch; its mean carries that on.
    values, vectors = torch.linalg.eigh(torch.nan_to_num(covariance_bcc))
    return values, vectors


def _mapped(planes_bchw: Tensor, matrix_bcc: Tensor, offset_bc1: Tensor) -> Tensor:
    """`A p + b` at every place, in the pictures' own type."""
    places = planes_bchw.flatten(2)
    return (matrix_bcc.to(places) @ places + offset_bc1.to(places)).view(planes_bchw.shape)
