"""In how much memory each kind of pair is made: as a whole where it fits, else in a way that takes less."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field

from flows.worker.device_cache import DeviceCache
from flows.worker.stages import Prepared
from stylize_core.demand.memory import peak_memory
from stylize_core.demand.rungs import LADDER, Rung
from stylize_core.settings.picture_size import pixels_of

SPARE = 0.9
"""The share of the room that a picture may fill by what is expected of it."""


def expected_bytes(prepared: Prepared, cache: DeviceCache, rung: Rung) -> int:
    """What the pair is expected to take; on a CPU all of the worker's process."""
    settings, on_cpu = prepared.pair.style_settings, cache.device.kind == "cpu"
    height, width = prepared.content.picture.rgb.shape[-2:]
    meant_px = settings.picture_size.style_px(settings.style_scale)
    styles = [one.picture.rgb.shape for one in prepared.styles]
    demand = peak_memory(
        settings,
        width=width,
        height=height,
        style_pixels=max((pixels_of(shape[-1], shape[-2], meant_px) for shape in styles), default=None),
        precision=cache.precision(settings),
        on_cpu=on_cpu,
        rung=rung,
        regions=len(prepared.regions),
        shown=prepared.pair.is_shown,
    )
    return demand.process if on_cpu else demand.device


@dataclass(slots=True)
class Ladder:
    """Remembers the rung of every kind of pairs; it only ever goes down."""

    _at: dict[Hashable, int] = field(default_factory=dict)

    def choose(self, kind: Hashable, needs: Callable[[Rung], int], room: int | None) -> Rung:
        """The first rung that is expected to fit, or the last one.

        Args:
            needs: bytes that a picture of this kind is expected to take on a rung.
            room: bytes that it may take; None if nobody knows, then it is tried.
        """
        at = self._at.get(kind, 0)
        while room is not None and at < len(LADDER) - 1 and needs(LADDER[at]) > SPARE * room:
            at += 1
        self._at[kind] = at
        return LADDER[at]

    def step_down(self, kind: Hashable) -> bool:
        """What was chosen did not fit after all; False if there is nothing that takes less."""
        at = self._at.get(kind, 0)
        self._at[kind] = min(at + 1, len(LADDER) - 1)
        return at < len(LADDER) - 1

    def is_whole(self, kind: Hashable) -> bool:
        """Whether as far as is known pictures of this kind fit as a whole."""
        return self._at.get(kind, 0) == 0
