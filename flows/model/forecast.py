"""How much of a run is done and how long the rest takes, from what was expected and from how it goes."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from dataclasses import dataclass

from flows.model.estimate import Expected, Prospect
from flows.model.events import PairProgress
from flows.model.observed import Kind
from flows.model.pair import Outcome

# What was expected counts as much as this share of the work, so that a first step that is slow, as first
# steps are, does not turn it over; and as much as the larger share where it agrees with what is measured,
# less and less the further they are apart (a factor of e to this doubt, and beyond).
TRUSTED, TRUSTED_WHERE_RIGHT, DOUBT = 0.005, 0.05, 0.3


@dataclass(slots=True)
class InFlight:
    """A pair that a worker has at hand.

    Attributes:
        step: evaluations done, of `steps`.
        width: of the stage that it is at, px; 0 if nobody knows.
        height: see `width`.
        left_s: seconds until the worker has ended what it has at hand; None if nobody knows.
    """

    name: str
    step: int
    steps: int
    width: int
    height: int
    loss: float
    left_s: float | None


@dataclass(slots=True)
class _Pace:
    """Of one kind of pairs: what was expected of all, of what is done, of the rest; and what that took."""

    known: bool = False
    all_s: float = 0.0
    done_s: float = 0.0
    left_s: float = 0.0
    took_s: float = 0.0

    @property
    def trusted_s(self) -> float:
        if not self.known:
            return 0.0
        apart = math.log(self.took_s / self.done_s) if min(self.took_s, self.done_s) > 0 else math.inf
        return self.all_s * max(TRUSTED, TRUSTED_WHERE_RIGHT / (1 + (apart / DOUBT) ** 4))

    @property
    def factor(self) -> float | None:
        """By what expected seconds are to be multiplied; None if nothing is known."""
        trusted_s = self.trusted_s
        base = self.done_s + trusted_s
        return (self.took_s + trusted_s) / base if base > 0 else None


@dataclass(slots=True)
class _Open:
    """A pair that has not ended: seconds expected of it, and the share that is done."""

    one: Expected
    expected_s: float
    share: float = 0.0

    @property
    def left_s(self) -> float:
        return self.expected_s * (1 - self.share)


# Why so many: what is counted of a run, and what is asked.
class Forecast:
    """Hears what a run tells its listeners; any thread may tell and ask.

    Where nobody knew how long pairs take, work stands for seconds until some of it is done.

    Args:
        prospect: what was expected of the run.
        clock: seconds since some moment.
    """

    def __init__(self, prospect: Prospect, clock: Callable[[], float]) -> None:
        self.prospect = prospect
        self._clock, self._lock = clock, threading.Lock()
        self._open: dict[str, _Open] = {}
        self._paces: dict[Kind, _Pace] = {}
        self._heard: dict[int, float] = {}
        self._hands: dict[int, dict[str, PairProgress]] = {}
        self._began: float | None = None
        usual_pace = _usual_pace(prospect)
        for one in prospect.pairs:
            self._add(one, usual_pace)

    def _add(self, one: Expected, usual_pace: float) -> None:
        expected_s = one.work.total * usual_pace if one.device_s is None else one.device_s
        self._open[one.pair.name] = _Open(one, expected_s)
        pace = self._paces.setdefault(one.kind, _Pace())
        pace.known = one.device_s is not None
        pace.all_s += expected_s
        pace.left_s += expected_s

    def begin(self) -> None:
        """From now on workers are at pairs."""
        self._began = self._clock()

    def progress(self, progress: PairProgress) -> None:
        """Take in how far a pair is, and what that took."""
        with self._lock:
            now = self._clock()
            passed_s = now - self._heard.get(progress.worker, self._began if self._began is not None else now)
            self._heard[progress.worker] = now
            if (found := self._open.get(progress.pair)) is None:
                return
            hand = self._hands.setdefault(progress.worker, {})
            hand.pop(progress.pair, None)
            hand[progress.pair] = progress  # the newest last
            work, before = found.one.work, found.share
            found.share = work.after(progress.step) / work.total
            pace, done_s = self._paces[found.one.kind], found.expected_s * (found.share - before)
            pace.left_s -= done_s
            pace.done_s += max(0.0, done_s)
            pace.took_s += passed_s

    def ended(self, outcome: Outcome) -> None:
        """Take in that a pair has ended; one that was not made is no work any more."""
        with self._lock:
            for hand in self._hands.values():
                hand.pop(outcome.name, None)
            if (found := self._open.pop(outcome.name, None)) is None:
                return
            pace = self._paces[found.one.kind]
            pace.left_s -= found.left_s
            if outcome.status == "done":
                pace.done_s += found.left_s

    @property
    def share(self) -> float:
        """How much of the work is done, 0 to 1."""
        with self._lock:
            done = sum(pace.done_s for pace in self._paces.values())
            left = sum(max(0.0, pace.left_s) for pace in self._paces.values())
            return done / (done + left) if done + left > 0 else 1.0

    @property
    def seconds_left(self) -> float | None:
        """Until the last pair has ended; None if nobody knows."""
        with self._lock:
            found = 0.0
            for kind, pace in self._paces.items():
                if pace.left_s <= 0:
                    continue
                if (factor := self._factor(kind)) is None:
                    return None
                found += pace.left_s * factor
            hands = [self._hand_s(hand) or 0.0 for hand in self._hands.values()]
            return max(found / self.prospect.workers, *hands, 0.0)

    def in_flight(self) -> dict[int, InFlight]:
        """What each worker has at hand, by its number: of a batch, the pair it told of last."""
        with self._lock:
            return {worker: self._shown(hand) for worker, hand in sorted(self._hands.items()) if hand}

    def _shown(self, hand: dict[str, PairProgress]) -> InFlight:
        told = next(reversed(hand.values()))
        work = self._open[told.pair].one.work
        stage, steps = work.stage(told.step), work.stages[-1].last
        return InFlight(told.pair, told.step, steps, stage.width, stage.height, told.loss, self._hand_s(hand))

    def _hand_s(self, hand: dict[str, PairProgress]) -> float | None:
        found = [self._open[name] for name in hand]
        factors = [self._factor(one.one.kind) for one in found]
        if None in factors:
            return None
        return sum(one.left_s * (factor or 0.0) for one, factor in zip(found, factors, strict=True))

    def _factor(self, kind: Kind) -> float | None:
        """That of the kind; of all kinds together where nothing is known of it."""
        if (own := self._paces[kind].factor) is not None:
            return own
        done = sum(pace.done_s for pace in self._paces.values())
        return sum(pace.took_s for pace in self._paces.values()) / done if done > 0 else None


def _usual_pace(prospect: Prospect) -> float:
    """Seconds for a unit of work, where they are known for some pairs; any positive number elsewhere."""
    known = [(one.device_s, one.work.total) for one in prospect.pairs if one.device_s]
    return sum(seconds for seconds, _ in known) / sum(work for _, work in known) if known else 1e-10
