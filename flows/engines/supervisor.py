"""Feeds one worker with pairs so that it never waits, and knows how each ended whatever became of the worker.

A worker has pairs of two calls in its hands, and reads those of a third. If it dies, each of them may be to
blame: it counts as an attempt of each, and they are tried again one at a time, with nothing beside them. So a
pair is given up only after crashes that can be nobody else's.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from flows.engines.process import DeviceChild
from flows.errors import BatchError, TimedOut, WorkerCrashed, WorkerStopped
from flows.model.pair import Job, Outcome
from flows.text import safe_text
from flows.worker import calls as worker_calls
from flows.worker.timeouts import stuck_after_s
from stylize_core.errors import StylizeError

MAX_ATTEMPTS = 3
NAMES_TOLD = 5
# Where a worker finds out itself how many pairs to compute together, it is given so many at a time, and of
# large pictures only so many pixels: three such groups are in memory at once.
GROUP_PAIRS = 16
GROUP_PIXELS = 16 * 512**2

Group = Sequence[Job]
"""Pairs that go to the worker in one call."""


def in_groups(jobs: Sequence[Job], device: str, batch: int | None) -> list[Group]:
    """The jobs in their order, those together that the worker may compute in one batch.

    Args:
        batch: how many at most; None for one on a CPU, and elsewhere for as many as are usually of use.
    """
    groups: list[list[Job]] = []
    for job in jobs:
        settings = job.pair.style_settings
        found_out = max(1, min(GROUP_PAIRS, GROUP_PIXELS // settings.size**2))
        most = batch or (1 if device == "cpu" else found_out)
        group = groups[-1] if groups else []
        if group and len(group) < most and group[0].pair.style_settings == settings:
            group.append(job)
        else:
            groups.append([job])
    return list(groups)


@dataclass(slots=True)
class Feed:
    """One worker and the pairs that it has in hand.

    Args:
        child: the worker.
        note: told of every crash in a sentence.
        give_up: records that a pair crashed the worker as often as it was tried; how the pair ended thereby.
        enough: whether no further pair is to begin.
    """

    child: DeviceChild
    note: Callable[[str], None]
    give_up: Callable[[Job, WorkerCrashed, int], Outcome]
    enough: Callable[[], bool]
    _in_hand: dict[str, Job] = field(default_factory=dict)

    def outcomes(self, groups: Sequence[Group]) -> Iterator[Outcome]:
        """How each pair ended, as soon as it is known and durable; every pair once.

        After a stop, or enough, the pairs that are left come out as `stopped`. What keeps a worker from
        starting is the fatal failure of the pairs that it was to do.
        """
        waiting = deque(groups)
        while waiting:
            group: Group = () if self.enough() else waiting.popleft()
            ahead: Group = waiting[0] if group and waiting else ()
            if not (group or self._in_hand):
                yield from (Outcome(job.pair.name, "stopped") for rest in waiting for job in rest)
                return
            self._in_hand |= {job.pair.name: job for job in group}
            try:
                ended = self._ask(group, ahead)
            except WorkerCrashed as crash:
                if ahead:
                    waiting.popleft()
                yield from self._one_by_one(crash, ahead)
            except WorkerStopped:
                left = [*self._in_hand.values(), *(job for rest in waiting for job in rest)]
                yield from (Outcome(job.pair.name, "stopped") for job in left)
                return
            except (BatchError, StylizeError) as error:  # a fresh worker could not start, so none can
                yield from (_fatal(job, error) for job in self._in_hand.values())
                self._in_hand.clear()
            else:
                for outcome in ended:
                    del self._in_hand[outcome.name]
                    yield outcome

    def _one_by_one(self, crash: WorkerCrashed, ahead: Group) -> Iterator[Outcome]:
        """Every pair that may have caused the crash, alone."""
        begun, self._in_hand = list(self._in_hand.values()), {}
        suspects = [*begun, *ahead]
        names = [job.pair.name for job in suspects]
        more = f" and {len(names) - NAMES_TOLD} more" if len(names) > NAMES_TOLD else ""
        alone = "; each goes on alone" if len(names) > 1 else ""
        self._tell(", ".join(names[:NAMES_TOLD]) + more, crash, 1, alone)
        for job in suspects:
            outcome = self._alone(job, crash)
            # what the dead worker had finished without telling is this run's work
            was_done = outcome.status == "skipped" and job in begun
            yield replace(outcome, status="done") if was_done else outcome

    def _alone(self, job: Job, crash: WorkerCrashed) -> Outcome:
        for attempt in range(2, MAX_ATTEMPTS + 1):
            if isinstance(crash, TimedOut) and crash.pair == job.pair.name:  # again it would take as long
                return self.give_up(job, crash, attempt - 1)
            try:
                (outcome,) = self._ask((job,), ())
            except WorkerStopped:
                return Outcome(job.pair.name, "stopped")
            except WorkerCrashed as again:
                self._tell(job.pair.name, again, attempt, "")
                crash = again
            except (BatchError, StylizeError) as error:
                return _fatal(job, error)
            else:
                return outcome
        return self.give_up(job, crash, MAX_ATTEMPTS)

    def _ask(self, group: Group, ahead: Group) -> tuple[Outcome, ...]:
        stuck_s = stuck_after_s((job.pair for job in group), self.child.device)
        return self.child.call(worker_calls.run_pairs, group, ahead, stuck_s=stuck_s)

    def _tell(self, names: str, crash: WorkerCrashed, attempt: int, then: str) -> None:
        self.note(f"{names}: {crash}; attempt {attempt} of {MAX_ATTEMPTS}{then}")


def _fatal(job: Job, error: BatchError | StylizeError) -> Outcome:
    return Outcome(job.pair.name, "failed", error.kind, safe_text(str(error)), fatal=True)
