"""What can be measured of a look. Pictures are [1, 3, H, W], RGB in 0..1."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from stylize_core.loss.colour import luminance
from stylize_core.loss.functional import content_loss, gram_matrix, style_loss
from stylize_core.networks.encoder import Encoder
from stylize_core.pyramid.level import resized, scaled

EDGES_PX = (512, 256, 128, 64)
STYLE_LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu3_4")
CONTENT_LAYER = "relu3_3"
# At so long an edge nothing is left but where light, dark and colours lie.
FORMS_PX = 16
# Frequencies beyond this one, in cycles per px, are grain: structures under three px wide.
FINEST = 0.35
TILE_PX = 32
# Structures of two to four px, in cycles per px.
HATCH = (0.25, 0.45)
# Steps of 8 bits away from black and white that still count as clipped.
CLIPPED = 1.5 / 255


def style_distances(
    judge: Encoder, image_bchw: Tensor, style_bchw: Tensor, *, edges_px: Sequence[int] = EDGES_PX
) -> dict[int, float]:
    """How far the picture is from the style at each long edge, px, that is not beyond the picture's own.

    `‖G - A‖² / ‖A‖²` of Gram matrices, a mean over `STYLE_LAYERS`: 0 for the style itself, about 1 for a
    picture that has nothing of it. Small edges show what large forms there are.
    """
    found = {}
    for edge in (edge for edge in edges_px if edge <= max(image_bchw.shape[-2:])):
        ours, theirs = (judge(at_edge(picture, edge)) for picture in (image_bchw, style_bchw))
        losses = [style_loss(gram_matrix(ours[layer]), gram_matrix(theirs[layer])) for layer in STYLE_LAYERS]
        found[edge] = float(torch.stack(losses).mean())
    return found


def content_distance(judge: Encoder, image_bchw: Tensor, content_bchw: Tensor) -> float:
    """`‖F - P‖² / ‖P‖²` of the features at `CONTENT_LAYER`; the pictures have one shape."""
    ours, theirs = (judge(picture)[CONTENT_LAYER] for picture in (image_bchw, content_bchw))
    return float(content_loss(ours, theirs))


def looks_apart(judge: Encoder, image_bchw: Tensor, other_bchw: Tensor) -> tuple[float, float]:
    """How differently two pictures look that were made of one pair at two sizes.

    Returns:
        Their style distance at the long edge of the smaller one, relative to the other's statistics; and how
        far their large forms are apart: the root mean square difference at `FORMS_PX`, in steps of 8 bits.
    """
    edge = min(max(picture.shape[-2:]) for picture in (image_bchw, other_bchw))
    (style,) = style_distances(judge, image_bchw, other_bchw, edges_px=(edge,)).values()
    ours = at_edge(image_bchw, FORMS_PX)
    theirs = resized(other_bchw, *ours.shape[-2:]).clamp(0, 1)
    return style, 255 * float((ours - theirs).square().mean().sqrt())


def at_edge(image_bchw: Tensor, edge_px: int) -> Tensor:
    """The picture with its long edge at so many px, if it is larger; without aliasing."""
    return scaled(image_bchw, min(1.0, edge_px / max(image_bchw.shape[-2:])))


def fine_energies(luminance_hw: Tensor) -> Tensor:
    """What each tile of `TILE_PX` has beyond `FINEST` cycles per px, as a mean square, in ascending order.

    Hann's window keeps the tiles' edges out: a fine checkerboard of values ±a has a² in every tile.

    Returns:
        [N] float64, tiles that overlap by half; a picture smaller than a tile is one tile.
    """
    height, width = (min(TILE_PX, side) for side in luminance_hw.shape)
    tiles = luminance_hw.double().unfold(0, height, max(1, height // 2)).unfold(1, width, max(1, width // 2))
    windows = (torch.hann_window(side, periodic=True, dtype=torch.float64) for side in (height, width))
    window = torch.outer(*windows)
    seen = (tiles - tiles.mean((2, 3), keepdim=True)) * window
    y, x = (torch.fft.fftfreq(side, dtype=torch.float64) for side in (height, width))
    fine = torch.hypot(y[:, None], x[None]) > FINEST
    energies = torch.fft.fft2(seen).abs().square()[..., fine].sum(-1)
    means = energies / (height * width) / window.square().sum()
    return torch.sort(means.flatten())[0]


def grain(image_bchw: Tensor, style_bchw: Tensor) -> float:
    """The fine energy beyond the style's own, as an amplitude in steps of 8 bits; 0 if there is none.

    The quietest tile is compared with the style's quietest, and so on up to the busiest: a sky full of
    speckle counts although other parts of the style are rough.
    """
    ours, theirs = (fine_energies(luminance(picture)[0, 0]) for picture in (image_bchw, style_bchw))
    ranks = torch.linspace(0, 1, len(ours), dtype=torch.float64)
    excess = (ours - torch.quantile(theirs, ranks)).clamp_min(0)
    return 255 * float(excess.mean().sqrt())


def crosshatch(image_bchw: Tensor) -> float:
    """How much more fine structure stands upright than slants: about 1 where strokes go every way.

    Energies per frequency of the luminance within `HATCH` cycles per px: those within 8 degrees of the rows'
    or the columns' direction, by those beyond 20 degrees of both. Hann's window keeps the edges out.
    """
    seen = luminance(image_bchw)[0, 0].double()
    window = torch.outer(*(torch.hann_window(side, dtype=torch.float64) for side in seen.shape))
    energies = torch.fft.fft2((seen - seen.mean()) * window).abs().square()
    y, x = (torch.fft.fftfreq(side, dtype=torch.float64).abs() for side in seen.shape)
    fine = torch.hypot(y[:, None], x[None])
    from_axis = torch.atan2(torch.minimum(y[:, None], x[None]), torch.maximum(y[:, None], x[None])).rad2deg()
    fine_enough = (fine >= HATCH[0]) & (fine < HATCH[1])
    upright, slanting = fine_enough & (from_axis < 8), fine_enough & (from_axis > 20)
    return float(energies[upright].mean() / energies[slanting].mean().clamp_min(1e-12))


def clipped(image_bchw: Tensor) -> tuple[float, float]:
    """The shares of samples at the darkest and at the brightest that a file holds, 0..1."""
    dark, bright = image_bchw <= CLIPPED, image_bchw >= 1 - CLIPPED
    return float(dark.double().mean()), float(bright.double().mean())
