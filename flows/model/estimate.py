"""How long pairs take, how much memory and how many bytes: one model for plan, status, shards and display.

Work is counted (`stylize_core/demand/operations.py`); how fast a device does it is only ever measured, by
records of earlier pairs or by a calibration. Between measured sizes the speed is interpolated, as small
pictures are slower by the pixel; beyond them it stays. Pure arithmetic: nothing is read and nobody's clock.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from flows.model.observed import Kind, Observed
from flows.model.pair import Pair
from stylize_core.demand.operations import Work
from stylize_core.demand.rungs import WHOLE, Rung
from stylize_core.settings.picture import PictureSettings
from stylize_core.settings.style import StyleSettings

# Sizes whose pixels differ by less than this factor count as one.
ALIKE = 1.2


@dataclass(frozen=True, slots=True)
class Knowledge:
    """What is known of this machine.

    Attributes:
        observed: the newest last.
        start_s: from a run's beginning to its first pair; None if nobody knows.
        source: where that is known from, in words.
    """

    observed: tuple[Observed, ...] = ()
    start_s: float | None = None
    source: str = ""

    def seconds(self, kind: Kind, *, pixels: int, work: float) -> float | None:
        """Device seconds for so much work on a picture of so many pixels; None if nobody knows."""
        found = [(one.pixels, one.device_s / one.work) for one in self._of(kind) if one.work > 0]
        pace = interpolated(found, pixels)
        return None if pace is None else pace * work

    def beside(self, kind: Kind, *, pixels: int) -> float | None:
        """Seconds of reading, encoding and writing for a picture of so many pixels; None if nobody knows."""
        found = [(one.pixels, one.beside_s / one.pixels) for one in self._of(kind)]
        pace = interpolated(found, pixels)
        return None if pace is None else pace * pixels

    def output_bytes(self, look: str, *, pixels: int) -> int | None:
        """The size of a result's file; None if nobody knows."""
        found = [(one.pixels, one.output_bytes / one.pixels) for one in self.observed if one.look == look]
        pace = interpolated(found, pixels)
        return None if pace is None else round(pace * pixels)

    def memory(self, kind: Kind, *, pixels: int) -> float:
        """By what to multiply what is expected on a device that measures its memory; 1 if nobody knows."""
        found = [(one.pixels, one.memory) for one in self._of(kind) if one.memory]
        return interpolated(found, pixels) or 1.0

    def _of(self, kind: Kind) -> list[Observed]:
        return [one for one in self.observed if one.kind == kind]


def interpolated(points: Iterable[tuple[int, float]], at: int) -> float | None:
    """The value at `at` between measured points (place, value), along straight lines of the logarithms.

    Points at about the same place count as their median. Beyond the outermost the value stays.

    >>> interpolated([(100, 8.0), (400, 2.0), (400, 2.0)], 200)
    4.0
    >>> interpolated([], 200) is None
    True
    """
    curve = _medians([(place, value) for place, value in points if place > 0 and value > 0])
    if not curve:
        return None
    if at <= curve[0][0]:
        return curve[0][1]
    for (left, low), (right, high) in pairwise(curve):
        if at <= right:
            share = math.log(at / left) / math.log(right / left)
            return math.exp((1 - share) * math.log(low) + share * math.log(high))
    return curve[-1][1]


def _medians(points: Sequence[tuple[int, float]]) -> list[tuple[int, float]]:
    """The points by place, those close together as one."""
    groups: list[list[tuple[int, float]]] = []
    for point in sorted(points):
        if groups and point[0] < groups[-1][0][0] * ALIKE:
            groups[-1].append(point)
        else:
            groups.append([point])
    return [(round(median(p for p, _ in group)), median(v for _, v in group)) for group in groups]


def device_kind(name: str) -> str:
    """What of a device's name says how fast it is; the CPU is this machine's.

    >>> device_kind("cuda:3 (NVIDIA H200)"), device_kind("cpu (2 threads)"), device_kind("cuda:0")
    ('cuda (NVIDIA H200)', 'cpu', 'cuda')
    """
    kind, _, rest = name.partition(" ")
    kind = kind.partition(":")[0]
    return f"{kind} {rest}" if rest and kind != "cpu" else kind


def kind_of(settings: StyleSettings, device: str) -> Kind:
    """The kind of pairs with these settings on a device, named as `device_kind` does."""
    return Kind(
        device=device,
        encoder=settings.encoder,
        precision=settings.precision,
        solver="dream" if settings.mode == "dream" else settings.optimizer,
        small=device == "cpu" and settings.picture_size.is_small,
    )


def look_of(settings: PictureSettings) -> str:
    """How a result is written, as far as that decides how long its file is."""
    quality = f" {settings.quality}" if settings.format in ("jpeg", "webp") else ""
    return f"{settings.format} {settings.bit_depth}{quality}"


@dataclass(frozen=True, slots=True)
class Expected:
    """What is expected of one pair.

    Attributes:
        width: of the result, px.
        height: of the result, px.
        work: stage by stage.
        seconds: from reading to writing, alone on its device; None if nobody knows.
        device_s: the device's part of them.
        memory_bytes: on the device; on a CPU that of the worker's process; None if nobody knows.
        output_bytes: of the result; None if nobody knows.
        rung: how it is made in the memory that there is.
        trouble: why it cannot fit, with what would; empty if it fits or nobody knows.
    """

    pair: Pair
    kind: Kind
    width: int
    height: int
    work: Work
    seconds: float | None
    device_s: float | None
    memory_bytes: int | None
    output_bytes: int | None
    rung: Rung = WHOLE
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class Prospect:
    """What is expected of a run.

    Attributes:
        pairs: what is to do, in the order of the plan.
        workers: how many there will be.
        start_s: before the first pair.
        source: where that is known from, in words; empty if nothing is known.
    """

    pairs: tuple[Expected, ...]
    workers: int = 1
    start_s: float | None = None
    source: str = ""

    @property
    def unknown(self) -> int:
        """For how many pairs nobody knows how long they take."""
        return sum(one.device_s is None for one in self.pairs)

    @property
    def device_s(self) -> float | None:
        """Seconds of devices for all pairs; None as long as nobody knows for some."""
        return None if self.unknown else math.fsum(one.device_s or 0.0 for one in self.pairs)

    @property
    def seconds(self) -> float | None:
        """Seconds from the beginning to the end; None as long as nobody knows for some.

        While a device computes, the pair before is written and the next one read, so beside the devices' time
        only the first reading and the last writing count, where these are not what takes longest.
        """
        if self.unknown:
            return None
        if not self.pairs:
            return 0.0
        beside = [(one.seconds or 0.0) - (one.device_s or 0.0) for one in self.pairs]
        busy = math.fsum(max(one.device_s or 0.0, b / 2) for one, b in zip(self.pairs, beside, strict=True))
        longest = max(one.seconds or 0.0 for one in self.pairs)
        return (self.start_s or 0.0) + max(busy / self.workers + beside[0], longest)

    @property
    def seconds_per_pair(self) -> float | None:
        """Seconds of one device for a pair, on average; None if nobody knows."""
        known = [one.device_s for one in self.pairs if one.device_s is not None]
        return math.fsum(known) / len(known) if known else None

    @property
    def memory_bytes(self) -> int:
        """Of all workers of the device at once, where each has the pair that takes most, of those known."""
        return max((one.memory_bytes or 0 for one in self.pairs), default=0) * self.workers

    @property
    def output_bytes(self) -> int | None:
        """Of all results; None as long as nobody knows for some."""
        sizes = [one.output_bytes for one in self.pairs if one.output_bytes is not None]
        return sum(sizes) if len(sizes) == len(self.pairs) else None

    @property
    def troubles(self) -> Mapping[str, str]:
        """Why pairs cannot fit, by name."""
        return {one.pair.name: one.trouble for one in self.pairs if one.trouble}

    def cost(self, per_hour: float) -> float | None:
        """What the machine costs for that long; None as long as nobody knows how long.

        Args:
            per_hour: its price with all its devices, above 0.
        """
        return None if self.seconds is None else self.seconds / 3600 * per_hour
