"""A pair on its way through a worker: read, optimised, published; and all that its record will say of it.

Each stage makes a value of the one before it. What goes wrong at one becomes a value too, which the writer
turns into the record of a failure when the pair's turn has come, so it costs no other pair anything.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from torch import Tensor

from flows.model.identity import Ingredients, identity
from flows.model.pair import Effort, Job, Pair
from flows.records.checkpoints import CheckpointShelf
from flows.records.record import Optimisation, Record, Source
from flows.text import safe_text
from flows.worker.errors import Stopped, described, without_frames
from flows.worker.read import LoadedPicture
from flows.worker.regions import LoadedRegion
from flows.worker.snapshots import SnapshotWriter

log = logging.getLogger("stylize.worker")
T = TypeVar("T")

ON_DEVICE = ("targets", "optimise")
"""The phases in which the device works for the pair, in their order."""


# Why so many: a field for each fact that a record takes from here.
@dataclass(slots=True)
class PairLog:
    """What is known so far of a pair, so that any failure can be recorded with it; the stages write it down.

    Attributes:
        phase: what goes on, which is where a failure happened.
        sources: content, style and init as they were read.
        others: the other pictures by their role.
        device: where it is computed, as records name it.
        optimisation: how the picture came about, in a batch of so many pairs.
        decisions: what the optimisation decided for the user.
        began_at: when each phase began, in seconds since 1970.
        kept: whether there is a checkpoint that the next run can go on from.
    """

    phase: str = "prepare"
    timings_s: dict[str, float] = field(default_factory=dict)
    sources: dict[str, Source] = field(default_factory=dict)
    others: dict[str, Source] = field(default_factory=dict)
    ingredients: Ingredients | None = None
    device: str | None = None
    precision: str | None = None
    peak_memory_bytes: int | None = None
    optimisation: Optimisation | None = None
    batch: int = 1
    decisions: tuple[str, ...] = ()
    began_at: dict[str, float] = field(default_factory=dict)
    kept: bool = False

    @property
    def effort(self) -> Effort | None:
        """What the pair took of its device; None if it was not even read."""
        phases = [phase for phase in ON_DEVICE if phase in self.began_at] or list(self.began_at)[:1]
        if not phases:
            return None
        return Effort(
            device=self.device or "",
            began_at=self.began_at[phases[0]],
            seconds=sum(self.timings_s.get(phase, 0.0) for phase in phases),
            peak_memory_bytes=self.peak_memory_bytes,
            evaluations=self.optimisation.evaluations if self.optimisation else 0,
        )

    @property
    def seconds(self) -> float:
        """Time that the pair's own phases took; what ran beside them is not counted."""
        return sum(self.timings_s.values())

    @contextmanager
    def timed(self, phase: str) -> Iterator[None]:
        """Count the time inside to that phase."""
        self.phase, began = phase, time.monotonic()
        self.began_at[phase] = time.time()
        try:
            yield
        finally:
            self.timings_s[phase] = time.monotonic() - began


@dataclass(frozen=True, slots=True)
class PairTask:
    """A pair that a worker has begun, and its log."""

    job: Job
    log: PairLog = field(default_factory=PairLog)


@dataclass(frozen=True, slots=True)
class Prepared:
    """Everything that the pair is made of has been read.

    Attributes:
        pair: the task's, its size in px known by its content.
        content: what is optimised starts in its shape; for a texture without a content it is the style.
        styles: the style, or all of a blend; none where the settings do without.
        init: the picture to start from, if it is one.
        record: what stood where the pair's record goes, before the pair was made; None if nothing of use did.
        shelf: where checkpoints are kept until the picture is there.
    """

    task: PairTask
    pair: Pair
    content: LoadedPicture
    styles: tuple[LoadedPicture, ...]
    regions: tuple[LoadedRegion, ...]
    init: LoadedPicture | None
    ingredients: Ingredients
    record: Record | None
    shelf: CheckpointShelf

    @property
    def identity(self) -> str:
        """Of the picture that it becomes."""
        return identity(self.ingredients)


@dataclass(frozen=True, slots=True)
class Optimized:
    """The device has done its part; the picture is off the device.

    Attributes:
        image: [3, H, W], RGB in 0..1, on the CPU.
        snapshots: what was made of the picture on its way, not finished yet.
    """

    prepared: Prepared
    image: Tensor
    snapshots: SnapshotWriter

    @property
    def task(self) -> PairTask:
        """The pair."""
        return self.prepared.task


@dataclass(frozen=True, slots=True)
class DoneBefore:
    """The picture and its record are there already: the pair came twice, or an input moved."""

    task: PairTask
    record: Record


@dataclass(frozen=True, slots=True)
class Failed:
    """Something went wrong, and waits to be recorded."""

    task: PairTask
    error: Exception


@dataclass(frozen=True, slots=True)
class Abandoned:
    """The run ends before the pair is done; nothing of it is kept but its checkpoint."""

    task: PairTask


Broken = Failed | Abandoned


def guarded(task: PairTask, work: Callable[[], T]) -> T | Broken:
    """What `work` returns; whatever goes wrong in it is this pair's own and becomes a value."""
    try:
        return work()
    except Stopped:
        return Abandoned(task)
    except Exception as error:  # the one broad catch of the batch: the failure is recorded
        if described(error)[0] == "internal":
            name = safe_text(task.job.pair.name)
            log.exception("pair=%s phase=%s internal error", name, task.log.phase)
        return Failed(task, without_frames(error))
