"""What `init: slim` starts from: a short run by the built-in network, for the same pictures and styles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from torch import Tensor

from stylize_core.loss.targets import Targets
from stylize_core.networks.encoder import Encoder
from stylize_core.networks.slim import slim_beside
from stylize_core.optim.watching import Callback, StepProgress
from stylize_core.pyramid.level import Level, ViewSpec
from stylize_core.pyramid.pyramid import Measured, Pyramid
from stylize_core.pyramid.start import starting_picture
from stylize_core.settings.sketch import SKETCH_STEPS, sketch_of
from stylize_core.settings.style import StyleSettings

SKETCHED = f"started from what `slim` had made of it in {SKETCH_STEPS} evaluations"


def sketched(final: Level, encoder: Encoder, measured: Measured, callback: Callback | None) -> Tensor:
    """The pictures [B, 3, H, W] that `slim` makes in the place of another network, in 0..1.

    Args:
        final: what is to be made of them then.
        encoder: the other network.
        measured: asked for views with `sketch`.
        callback: told of step 0 again and again; an exception from it ends the work.
    """
    settings = sketch_of(final.settings)

    def by_slim(view: ViewSpec) -> tuple[Targets, Sequence[Targets]]:
        return measured(replace(view, sketch=True))

    style, styles = by_slim(ViewSpec(tile_px=final.tile_px))
    regions = [replace(region, style=targets) for region, targets in zip(final.regions, styles, strict=True)]
    level = Level(final.content_bchw, style, regions, settings, final.tile_px)
    run = Pyramid(level, by_slim, partial(starting_picture, settings=settings))
    told = _at_its_start(callback, final.settings)
    best_bchw, _ = run.descend(slim_beside(encoder), callback=told, frames=None)
    return best_bchw.clamp_(0, 1)


def _at_its_start(callback: Callback | None, settings: StyleSettings) -> Callback | None:
    """One who is told that the run proper has not begun yet."""
    if callback is None:
        return None
    return lambda progress: callback(StepProgress(0, settings.steps, progress.loss))
