"""The way from a small picture to the full one: every size starts where the one before has ended."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from torch import Tensor

from stylize_core.loss.objective import Objective
from stylize_core.loss.targets import Targets
from stylize_core.networks.encoder import Encoder
from stylize_core.optim.descent import stage_of
from stylize_core.optim.minimise import minimise
from stylize_core.optim.state import UnfitState
from stylize_core.optim.watching import Callback, Checkpoints, Frames, RowReport
from stylize_core.pyramid.level import Level, ViewSpec, cut, resized, scaled, widened
from stylize_core.settings.resolved import stages_seen
from stylize_core.settings.schedule import Stage

# The statistics of the style, and those of the regions' styles, for pictures that are seen so.
Measured = Callable[[ViewSpec], tuple[Targets, Sequence[Targets]]]


@dataclass(frozen=True, slots=True)
class _Before:
    """What a smaller level came to, and its content."""

    best_bchw: Tensor
    content_bchw: Tensor


@dataclass(frozen=True, slots=True)
class Pyramid:
    """A level and how else it is seen.

    Attributes:
        final: the level at full size.
        measured: the statistics for other views; None where they cannot be had, then there are none.
        start: makes the picture to start from in the shape of a content.
    """

    final: Level
    measured: Measured | None
    start: Callable[[Tensor], Tensor]

    def descend(
        self,
        encoder: Encoder,
        *,
        callback: Callback | None,
        frames: Frames | None,
        checkpoints: Checkpoints | None = None,
    ) -> tuple[Tensor, list[RowReport]]:
        """The best pictures [B, 3, H, W], not clamped, and one report per row.

        Raises:
            UnfitState: the state to go on from is one of something else.
        """
        reports: list[RowReport] | None = None
        before: _Before | None = None
        for stage in _left(self.stages(encoder), checkpoints):
            level = self.final if stage.share == 1 else self._seen(self._view(stage.share), encoder)
            margin = level.margin(encoder)
            best, reports = minimise(
                level.objective(encoder, margin=margin),
                widened(self._begin(level, before), margin),
                settings=level.settings,
                callback=callback,
                frames=self._seen_in_full(frames, margin),
                exact=self._exact(encoder) if stage.share == 1 else None,
                stage=stage,
                reports=reports,
                checkpoints=checkpoints,
            )
            before = _Before(cut(best, margin), level.content_bchw)
            del best
            checkpoints = checkpoints and replace(checkpoints, begin=None)
        if before is None or reports is None:
            raise RuntimeError("there is no stage at all")
        return before.best_bchw, reports

    def _begin(self, level: Level, before: _Before | None) -> Tensor:
        """The picture that a level starts from, which nobody else holds."""
        here_bchw = self.start(level.content_bchw)
        if before is None:
            return here_bchw
        return level.carried(before.best_bchw, self.start(before.content_bchw), here_bchw)

    def stages(self, encoder: Encoder) -> tuple[Stage, ...]:
        """The sizes that the settings ask for, without those in which the network sees nothing."""
        shape, settings = self.final.content_bchw.shape, self.final.settings
        planned = replace(settings, scales=1) if self.measured is None else settings
        return stages_seen(planned, width=shape[-1], height=shape[-2], least=encoder.min_side)

    def _exact(self, encoder: Encoder) -> Callable[[], Objective] | None:
        """Makes the final objective for the last steps; None where it is the same.

        What was measured in a coarse precision is no target for a finer one, so it has to be measured again.
        """
        if not encoder.rounds_coarsely or self.measured is None:
            return None
        return lambda: self._seen(self._view(exact=True), encoder).objective(
            encoder.exact(), margin=self.final.margin(encoder)
        )

    def _view(self, share: float = 1.0, *, exact: bool = False) -> ViewSpec:
        return ViewSpec(share, exact, self.final.tile_px)

    def _seen(self, view: ViewSpec, encoder: Encoder) -> Level:
        if self.measured is None:
            return self.final
        style, styles = self.measured(view)
        content_bchw = scaled(self.final.content_bchw, view.share, least=encoder.min_side)
        height, width = content_bchw.shape[-2:]
        regions = [
            replace(region, mask_b1hw=resized(region.mask_b1hw, height, width).clamp(0, 1), style=targets)
            for region, targets in zip(self.final.regions, styles, strict=True)
        ]
        return Level(content_bchw, style, regions, self.final.settings, self.final.tile_px)

    def _seen_in_full(self, frames: Frames | None, margin: int) -> Frames | None:
        """An onlooker who sees every picture without its margin and in the size of the result."""
        if frames is None:
            return None
        show, (height, width) = frames.show, self.final.content_bchw.shape[-2:]

        def shown(step: int, seen_bchw: Tensor) -> None:
            picture_bchw = cut(seen_bchw, margin)
            if picture_bchw.shape[-2:] != (height, width):
                picture_bchw = resized(picture_bchw, height, width).clamp(0, 1)
            show(step, picture_bchw)

        return Frames(frames.steps, shown)


def _left(stages: Sequence[Stage], checkpoints: Checkpoints | None) -> Sequence[Stage]:
    """The sizes from the one on that a saved state is at; all without one."""
    if checkpoints is None or checkpoints.begin is None:
        return stages
    at = stage_of(checkpoints.begin)
    if at not in [stage.first for stage in stages]:
        raise UnfitState("it is at a size that there is not")
    return [stage for stage in stages if stage.first >= at]
