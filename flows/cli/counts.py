"""What both displays count of a run, and the words that they have for it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from flows.model.durations import in_words
from flows.model.estimate import Prospect
from flows.model.events import PairProgress
from flows.model.forecast import Forecast, InFlight
from flows.model.pair import Outcome
from flows.text import safe_text

NOTHING = Prospect(())


# Why so many: the counts of a run, and each of the words for them.
@dataclass(slots=True)
class Counts:
    """How many pairs are done, failed and left, how much work that is, and how long the rest takes.

    Attributes:
        expected: pairs to do, those refused included.
        clock: seconds since some moment.
    """

    clock: Callable[[], float] = time.monotonic
    expected: int = 0
    done: int = 0
    failed: int = 0
    forecast: Forecast = field(init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        """Nothing is known of the time before it is foreseen."""
        self.forecast = Forecast(NOTHING, self.clock)

    def foresee(self, prospect: Prospect) -> None:
        """Take in what is expected of the pairs that workers will do."""
        self.forecast = Forecast(prospect, self.clock)
        self.forecast.begin()

    def progress(self, progress: PairProgress) -> None:
        """Take in how far a pair is."""
        self.forecast.progress(progress)

    def ended(self, outcome: Outcome) -> None:
        """Count a pair that is done or failed."""
        with self._lock:
            self.failed += outcome.status == "failed"
            self.done += outcome.status in ("done", "skipped")
        self.forecast.ended(outcome)

    @property
    def left(self) -> int:
        """Pairs that have not ended."""
        return max(0, self.expected - self.done - self.failed)

    @property
    def share(self) -> float:
        """How much of the work is done, 0 to 1; by pairs where nobody said how much each is."""
        if self.forecast.prospect.pairs:
            return self.forecast.share
        return (self.done + self.failed) / self.expected if self.expected else 0.0

    def pairs(self) -> str:
        """The counts in words."""
        failed = f", {self.failed} failed" if self.failed else ""
        return f"{self.done} done{failed}, {self.left} left"

    def time_left(self) -> str:
        """How long the rest takes, in words; empty if nobody knows."""
        found = self.forecast.seconds_left if self.forecast.prospect.pairs and self.left else None
        return "" if found is None else f"{rounded(found)} left"

    def rows(self) -> Iterator[tuple[str, InFlight]]:
        """What each worker has at hand, by its number from 1; that is empty where there is but one."""
        several = self.forecast.prospect.workers > 1
        for number, row in self.forecast.in_flight().items():
            yield (str(number + 1) if several else ""), row


def rounded(seconds: float) -> str:
    """A length of time for people, to some two digits, as an estimate has no more.

    >>> [rounded(one) for one in (0.2, 7.4, 94, 3000, 45000, 400000)]
    ['1s', '7s', '1m30s', '50m', '12h30m', '4d15h']
    """
    for limit, step in ((20, 1), (60, 5), (600, 10), (3600, 60), (86400, 600)):
        if seconds < limit:
            return in_words(max(step, round(seconds / step) * step))
    return in_words(round(seconds / 3600) * 3600)


def name_of(text: str) -> str:
    """A pair's name for one row."""
    return safe_text(text, 200)
