"""DeepDream: a picture is changed until a network sees more of what it sees in it already.

Mordvintsev, Olah and Tyka 2015, "Inceptionism: Going Deeper into Neural Networks". Gradient ascent on the
mean squared activation of layers or single channels, from a small copy of the picture to its full size: what
was dreamt at one size is enlarged and added to the picture at the next, which dreams finer detail into it. At
each step the picture is shifted at random (jitter), so that no grid of the network's strides settles in it.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from stylize_core.dream.dreaming import Dreaming, begun, octave_of, resumed
from stylize_core.dream.objective import DreamObjective, dream_objective
from stylize_core.networks.encoder import Encoder
from stylize_core.optim.watching import (
    CHECK_EVERY,
    Callback,
    Checkpoints,
    Frames,
    RowReport,
    StepProgress,
)
from stylize_core.settings.resolved import SMALLEST_OCTAVE, octaves_of, wandering_of
from stylize_core.settings.style import StyleSettings


# Why so many: a start and how to go on from it; all but the settings have defaults.
@torch.no_grad()
def dream(
    encoder: Encoder,
    start_bchw: Tensor,
    *,
    settings: StyleSettings,
    callback: Callback | None = None,
    frames: Frames | None = None,
    checkpoints: Checkpoints | None = None,
    tile_px: int = 0,
) -> tuple[Tensor, list[RowReport]]:
    """Dream on pictures [B, 3, H, W] in 0..1.

    Args:
        checkpoints: shown the state after every step, and where to go on from; then there is one row.

    Returns:
        pictures in 0..1 of the same shape and a report for each; a loss of -2 says that the layers respond
        twice as strongly as to the picture that was there before, in the size of that octave.

    Raises:
        SettingsError: a channel that its layer does not have.
        UnfitState: the state to go on from is one of something else.
    """
    return _Run(encoder, start_bchw, settings, callback, frames, checkpoints, tile_px).dreamt()


# Why so many: a run of dreams has all that its caller gives.
class _Run:
    """The steps of all octaves, counted together."""

    # Why so many: a run of dreams has all that its caller gives.
    def __init__(
        self,
        encoder: Encoder,
        start: Tensor,
        settings: StyleSettings,
        callback: Callback | None,
        frames: Frames | None,
        checkpoints: Checkpoints | None,
        tile_px: int,
    ) -> None:
        self._encoder, self._start, self._settings = encoder, start, settings
        self._callback, self._frames, self._tile_px = callback, frames, tile_px
        self._checkpoints = checkpoints
        self._generator = torch.Generator().manual_seed(settings.seed)
        height, width = start.shape[-2:]
        least = max(SMALLEST_OCTAVE, encoder.min_side)
        self._octaves = octaves_of(settings, width=width, height=height, least=least)
        self._sizes = [(round(height * one.share), round(width * one.share)) for one in self._octaves]

    def dreamt(self) -> tuple[Tensor, list[RowReport]]:
        """The pictures and their reports."""
        state, base, aim = self._first()
        while True:
            self._follow(state, base, aim)
            if state.octave == len(self._octaves) - 1:
                return state.image, state.reports
            state, base, aim = self._entered(state.octave + 1, state.image - base, state.reports)

    def _first(self) -> tuple[Dreaming, Tensor, DreamObjective]:
        """Where the run begins, or goes on."""
        if self._checkpoints is not None and (saved := self._checkpoints.begin) is not None:
            number = octave_of(saved, self._octaves)
            form, base, aim = self._entered(number, torch.zeros_like(self._start), [RowReport()])
            state = resumed(saved, form, self._octaves[number])
            state.reports[0].decisions.append(f"went on from a checkpoint after {state.step} evaluations")
            self._draw_again(state)
            return state, base, aim
        reports = [RowReport(best_loss=0.0) for _ in self._start]
        if len(self._sizes) < self._settings.octaves:
            kept = f"{len(self._sizes)} of {self._settings.octaves} octaves"
            for report in reports:
                report.decisions.append(f"{kept}; smaller ones would show too little")
        if self._frames is not None:
            self._frames.offer(0, self._start)
        return self._entered(0, torch.zeros_like(self._start), reports)

    def _entered(
        self, number: int, detail: Tensor, reports: list[RowReport]
    ) -> tuple[Dreaming, Tensor, DreamObjective]:
        """The next octave before its first step, with what was dreamt so far; its picture and its aim."""
        base, octave = _scaled(self._start, self._sizes[number]), self._octaves[number]
        image = (base + _scaled(detail, self._sizes[number])).clamp(0, 1)
        aim = dream_objective(self._encoder, base, self._settings, tile_px=self._tile_px)
        return begun(image, reports, number, octave, dtype=aim.before.dtype), base, aim

    def _draw_again(self, state: Dreaming) -> None:
        """Draw all that was drawn before: the generator's own state is no part of what is saved."""
        for octave, size in list(zip(self._octaves, self._sizes, strict=True))[: state.octave + 1]:
            for _ in range(octave.first, min(octave.last, state.step)):
                self._place(*size)

    def _follow(self, state: Dreaming, base: Tensor, aim: DreamObjective) -> None:
        """Dream until the octave's steps are used up; `base` is the picture in its size."""
        octave = self._octaves[state.octave]
        while state.step < octave.last:
            loss, state.image = self._ascend(aim, state.image)
            state.take(loss, at=state.step - octave.first)
            self._show(base, state)
            if state.step == octave.last:
                state.note()
            if self._checkpoints is not None and state.step < self._settings.steps:
                self._checkpoints.keep(state)
            self._tell(state.step, loss)

    def _ascend(self, aim: DreamObjective, image: Tensor) -> tuple[Tensor, Tensor]:
        """One step along the gradient in units of its mean size.

        The network sees the picture at a random place within its own reflection: shifted, but neither wrapped
        round its edges, which would leave seams, nor next to the network's padding.
        """
        height, width = image.shape[-2:]
        room, top, left = self._place(height, width)
        around = functional.pad(image, (left, 2 * room - left, top, 2 * room - top), mode="reflect")
        loss, direction = aim(around)
        direction = direction[..., top : top + height, left : left + width]
        size = direction.abs().mean((1, 2, 3), keepdim=True)
        unit = direction / size.clamp_min(torch.finfo(direction.dtype).tiny)
        return loss, (image + self._settings.dream_rate * unit).clamp(0, 1)

    def _place(self, height: int, width: int) -> tuple[int, int, int]:
        """How much there is around the picture on the mean, and by chance above and to the left of it, px."""
        reach, room = wandering_of(self._settings, width=width, height=height)
        down, right = torch.randint(-reach, reach + 1, (2,), generator=self._generator).tolist()
        return room, room + down, room + right

    def _show(self, base: Tensor, state: Dreaming) -> None:
        if self._frames is not None and state.step in self._frames.steps:
            image, size = state.image, self._start.shape[-2:]
            whole = image if image.shape[-2:] == size else self._start + _scaled(image - base, tuple(size))
            self._frames.offer(state.step, whole)

    def _tell(self, step: int, loss: Tensor) -> None:
        if self._callback is not None and (step % CHECK_EVERY == 0 or step == self._settings.steps):
            self._callback(StepProgress(step, self._settings.steps, tuple(loss.tolist())))


def _scaled(image_bchw: Tensor, size: tuple[int, ...]) -> Tensor:
    if tuple(image_bchw.shape[-2:]) == size:
        return image_bchw
    return functional.interpolate(image_bchw, size=size, mode="bicubic", antialias=True)
