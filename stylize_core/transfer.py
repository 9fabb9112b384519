"""Style transfer: a picture with the content of one picture and the style statistics of another."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor

from stylize_core.device import is_out_of_memory
from stylize_core.dream.dream import dream
from stylize_core.dream.objective import DreamObjective, dream_objective
from stylize_core.errors import Diverged, OutOfMemory, SettingsError
from stylize_core.loss.colour import finished
from stylize_core.loss.objective import Objective
from stylize_core.loss.regions import StyledRegion
from stylize_core.loss.targets import Targets, style_targets
from stylize_core.networks.encoder import Encoder
from stylize_core.optim.watching import Callback, Checkpoints, Frames, RowReport
from stylize_core.pyramid.level import Level, ViewSpec, least_margin, targets_seen, widened
from stylize_core.pyramid.pyramid import Measured, Pyramid
from stylize_core.pyramid.sketch import SKETCHED, sketched
from stylize_core.pyramid.start import cover, starting_picture
from stylize_core.settings.style import StyleSettings

HELD_IN_RANGE = "`range_weight` adds a penalty for pixels outside 0..1, which is ours, to the formulas of"


@dataclass(frozen=True, slots=True)
class Stylized:
    """Finished pictures and how they came about.

    Attributes:
        image_bchw: [B, 3, H, W], RGB in 0..1, on the encoder's device.
        reports: one per row.
        terms: the weighted parts of the final loss by name, one value per row; with `colour: luminance` those
            of the picture's luminance.
    """

    image_bchw: Tensor
    reports: Sequence[RowReport]
    terms: dict[str, list[float]]


# Why so many: the public call; beside pictures, settings and network all have defaults.
def stylize(
    content_bchw: Tensor,
    style: Tensor | Targets,
    *,
    settings: StyleSettings,
    encoder: Encoder,
    init_bchw: Tensor | None = None,
    regions: Sequence[StyledRegion] = (),
    measured: Measured | None = None,
    callback: Callback | None = None,
    frames: Frames | None = None,
    checkpoints: Checkpoints | None = None,
    tile_px: int = 0,
) -> Stylized:
    """Optimise pictures as Gatys, Ecker and Bethge 2015 (arXiv 1508.06576) do.

    Rows of a batch are independent: the same settings, another content and style each. A row whose loss could
    not be kept finite has the stop reason `diverged`; its picture is its best finite one.

    Args:
        content_bchw: [B, 3, H, W], RGB in 0..1.
        style: pictures [B, 3, h, w], or what `style_targets` made of them earlier, for the same contents if
            `settings.colour` is not `style`.
        settings: all but `size` and `style_scale`, which say how pictures are brought here.
        encoder: a network with the layers that the settings use.
        init_bchw: [B, 3, h, w], the start for `init: style` and `init: image`; cut and scaled to fit.
        regions: parts of the content with styles of their own; `style` is that of what they leave.
        measured: makes the statistics for the smaller sizes that `settings.scales` asks for, for the last
            steps of a network in bf16 and for the run of `init: slim`. Needed for styles that come as
            statistics; without it they, and regions, are optimised at the final size and in one precision.
        callback: told every few evaluations; an exception from it ends the work.
        frames: shown the pictures on their way, which changes nothing in the result.
        checkpoints: shown the state after every step, and where to go on from, if it is one picture.
        tile_px: longest side of the tiles in which the network sees large pictures, which takes the memory of
            one tile, with the same result within rounding; 0: all of a picture at once.

    Raises:
        UnfitState: the state to go on from is one of something else.
        ImageTooSmall: a picture is too small for the deepest layer.
        SettingsError: regions without a style cover everything, and the content has no weight.
        Diverged: no row could be kept finite.
        OutOfMemory: the device's memory did not hold the batch.
    """
    failure = ""
    try:
        return _stylize(
            content_bchw,
            style,
            settings,
            encoder,
            init_bchw,
            regions,
            measured,
            callback,
            frames,
            checkpoints,
            tile_px,
        )
    except RuntimeError as error:
        if not is_out_of_memory(error):
            raise
        failure = str(error).splitlines()[0]
    # Outside the handler, so that no traceback keeps the tensors alive.
    if encoder.device.type == "cuda":
        torch.cuda.empty_cache()
    rows, _, height, width = content_bchw.shape
    raise OutOfMemory(f"{rows} picture(s) of {width}x{height} px do not fit on {encoder.device}: {failure}")


# Why so many: the parameters of `stylize`, made whole.
def _stylize(
    content_bchw: Tensor,
    style: Tensor | Targets,
    settings: StyleSettings,
    encoder: Encoder,
    init_bchw: Tensor | None,
    regions: Sequence[StyledRegion],
    measured: Measured | None,
    callback: Callback | None,
    frames: Frames | None,
    checkpoints: Checkpoints | None,
    tile_px: int,
) -> Stylized:
    content_bchw = _canvas(content_bchw.to(encoder.device), settings)
    if settings.mode == "dream":
        encoder.check_size(content_bchw)
        return _dreamt(content_bchw, settings, encoder, init_bchw, callback, frames, checkpoints, tile_px)
    margin = least_margin(content_bchw, encoder)
    regions = [
        replace(region, mask_b1hw=_canvas(region.mask_b1hw.to(content_bchw), settings)) for region in regions
    ]
    targets = _as_targets(style, encoder, settings, content_bchw, tile_px)
    final = Level(content_bchw, targets, regions, settings, tile_px)
    if regions and final.is_empty:
        raise SettingsError(
            "mode", settings.mode, "the regions leave no place with a style, and no content counts"
        )
    if measured is None and isinstance(style, Tensor) and not regions:
        measured = _views_of(style.to(encoder.device), encoder, settings, content_bchw)
    if settings.init == "slim":
        if measured is None:
            raise ValueError("init: slim needs `measured` where styles are statistics, and for regions")
        init_bchw = sketched(final, encoder, measured, callback)
    start = partial(starting_picture, settings=settings, init_bchw=init_bchw)
    pyramid = Pyramid(final, measured, start)
    frames = _finished_frames(frames, content_bchw, settings)
    best, reports = pyramid.descend(encoder, callback=callback, frames=frames, checkpoints=checkpoints)
    for report in reports:
        report.decisions += _said_of(settings)
    return _completed(
        best.clamp_(0, 1), reports, final.objective(encoder, margin=margin), content_bchw, margin
    )


def _said_of(settings: StyleSettings) -> list[str]:
    """What of the settings' work somebody would not expect."""
    held = settings.range_weight and settings.loss != "relative"
    return [
        *([SKETCHED] if settings.init == "slim" else ()),
        *([f"{HELD_IN_RANGE} `loss: {settings.loss}`"] if held else ()),
    ]


# Why so many: what `stylize` was given for a dream.
def _dreamt(
    content_bchw: Tensor,
    settings: StyleSettings,
    encoder: Encoder,
    init_bchw: Tensor | None,
    callback: Callback | None,
    frames: Frames | None,
    checkpoints: Checkpoints | None,
    tile_px: int,
) -> Stylized:
    start = starting_picture(content_bchw, settings, init_bchw=init_bchw)
    frames = _finished_frames(frames, content_bchw, settings)
    image, reports = dream(
        encoder,
        start,
        settings=settings,
        callback=callback,
        frames=frames,
        checkpoints=checkpoints,
        tile_px=tile_px,
    )
    return _completed(
        image, reports, dream_objective(encoder, start, settings, tile_px=tile_px), content_bchw
    )


def _completed(
    image_bchw: Tensor,
    reports: Sequence[RowReport],
    final: Objective | DreamObjective,
    content_bchw: Tensor,
    margin: int = 0,
) -> Stylized:
    if all(report.stop_reason == "diverged" for report in reports):
        raise Diverged(_story(reports[0]))
    terms = {name: value.tolist() for name, value in final.terms(widened(image_bchw, margin)).items()}
    return Stylized(finished(image_bchw, content_bchw, final.settings), reports, terms)


def _views_of(
    style_bchw: Tensor, encoder: Encoder, settings: StyleSettings, content_bchw: Tensor
) -> Measured:
    """What a style's picture shows at smaller sizes and in fp32."""

    def measured(view: ViewSpec) -> tuple[Targets, Sequence[Targets]]:
        return targets_seen(view, encoder, style_bchw, settings, content_bchw=content_bchw), ()

    return measured


def _finished_frames(frames: Frames | None, content_bchw: Tensor, settings: StyleSettings) -> Frames | None:
    """An onlooker who sees pictures as they would be finished."""
    if frames is None:
        return None
    show = frames.show
    return Frames(frames.steps, lambda step, seen: show(step, finished(seen, content_bchw, settings)))


def _story(report: RowReport) -> str:
    """How a picture was lost, and what to do about it."""
    if math.isfinite(report.best_loss):
        lost = f"the loss left the finite numbers for good, {report.best_loss:.6g} being the smallest before"
    else:
        lost = "the loss was not finite even at the start"
    return f"{lost}; {report.evaluations} evaluations, no remedy helped; try smaller weights or another init"


def _canvas(content_bchw: Tensor, settings: StyleSettings) -> Tensor:
    """The content, cut to the aspect that a texture is to have; its long edge stays."""
    ratio, long_edge = settings.aspect_ratio, max(content_bchw.shape[-2:])
    if ratio is None:
        return content_bchw
    height, width = round(long_edge / max(1.0, ratio)), round(long_edge * min(1.0, ratio))
    return cover(content_bchw, height=max(1, height), width=max(1, width))


def _as_targets(
    style: Tensor | Targets, encoder: Encoder, settings: StyleSettings, content_bchw: Tensor, tile_px: int
) -> Targets:
    if isinstance(style, Tensor):
        return style_targets(
            encoder, style.to(encoder.device), settings, content_bchw=content_bchw, tile_px=tile_px
        )
    return {layer: gram.to(encoder.device) for layer, gram in style.items()}
