"""How many pairs a device computes together: found out by doing it, in memory and in speed."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field

from flows.worker.fitting.ladder import Ladder

WORTHWHILE = 1.05  # twice the pairs must go faster by this factor each, or they only fill the memory
SPARE = 0.8  # of the memory that is free; the rest is for what comes and goes


@dataclass(slots=True)
class _Known:
    """What is known of one kind of pairs."""

    limit: int = 1
    most: int | None = None  # more did not fit
    speeds: dict[int, float] = field(default_factory=dict)


@dataclass(slots=True)
class BatchSizer:
    """Learns from every batch how large the next one of its kind may be.

    Args:
        batch: pairs to compute together; None to begin with one and double as long as each pair gets cheaper
            and the memory holds.

    Attributes:
        ladder: how much of a picture is in memory at a time, where not even one fits as a whole.
    """

    batch: int | None
    ladder: Ladder = field(default_factory=Ladder)
    _known: dict[Hashable, _Known] = field(default_factory=dict)

    def limit(self, kind: Hashable) -> int:
        """How many pairs of this kind to compute together now."""
        known = self._of(kind)
        wanted = known.limit if self.batch is None else self.batch
        return wanted if known.most is None else min(wanted, known.most)

    def too_many(self, kind: Hashable, rows: int) -> None:
        """So many did not fit into the memory: half of them from now on."""
        self._of(kind).most = max(1, rows // 2)

    def learn(self, kind: Hashable, rows: int, *, speed: float, used_bytes: int, free_bytes: int) -> None:
        """Take in how a batch went.

        Args:
            speed: pairs times evaluations per second.
            used_bytes: what the batch needed at its peak.
            free_bytes: what is free now that it has ended.
        """
        known = self._of(kind)
        known.speeds[rows] = max(speed, known.speeds.get(rows, 0.0))
        if self.batch is not None or rows != known.limit:
            return
        slower = known.speeds.get(rows // 2, 0.0)
        if known.speeds[rows] < WORTHWHILE * slower:
            known.limit = known.most = rows // 2
        elif 2 * used_bytes <= SPARE * free_bytes:
            known.limit = 2 * rows

    def _of(self, kind: Hashable) -> _Known:
        return self._known.setdefault(kind, _Known())
