"""Keeps one worker busy, and knows how each pair ended whatever became of the worker.

A worker has pairs of two calls in its hands, and reads those of a third. If it dies, each of them may be to
blame: it counts as an attempt of each, and they are tried again one at a time, with nothing beside them. So a
pair is given up only after crashes that can be nobody else's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from flows.engines.groups import Group
from flows.errors import BatchError, TimedOut, WorkerCrashed, WorkerStopped
from flows.model.pair import Job, Outcome
from flows.records.failed import failed_record
from flows.records.record import Failure
from flows.records.store import record_failure
from flows.storage.opening import open_storage
from flows.text import safe_text
from flows.worker.api import Worker
from stylize_core.errors import StylizeError

MAX_ATTEMPTS = 3
NAMES_TOLD = 5


@dataclass(slots=True)
class Supervisor:
    """One worker and the pairs that it has in hand.

    Args:
        worker: what is supervised; after a crash its next call starts it anew.
        note: told of every crash in a sentence.
        enough: whether no further pair is to begin.
    """

    worker: Worker
    note: Callable[[str], None]
    enough: Callable[[], bool]
    _in_hand: dict[str, Job] = field(default_factory=dict)

    def outcomes(self, take: Callable[[], Group]) -> Iterator[Outcome]:
        """How each pair that was begun ended, as soon as it is known and durable; every pair once.

        After a stop the pairs in hand come out as `stopped`. What keeps a worker from starting is the fatal
        failure of the pairs that it was to do.

        Args:
            take: gives the next pairs; an empty group when there are no more.
        """
        group = self._next(take)
        while group or self._in_hand:
            ahead = self._next(take) if group else ()
            self._in_hand |= {job.pair.name: job for job in group}
            try:
                ended = self.worker.run_pairs(group, ahead)
            except WorkerCrashed as crash:
                yield from self._one_by_one(crash, () if self.enough() else ahead)
                ahead = self._next(take)
            except WorkerStopped:
                yield from (Outcome(name, "stopped") for name in self._in_hand)
                return
            except (BatchError, StylizeError) as error:  # a fresh worker could not start, so none can
                yield from (_fatal(job, error) for job in self._in_hand.values())
                self._in_hand.clear()
            else:
                yield from (one for one in ended if self._in_hand.pop(one.name, None))
            group = () if self.enough() else ahead

    def has_ended(self, outcome: Outcome) -> bool:
        """Take in that the worker tells of a pair before its call's answer; whether that is news to tell.

        Its record is written, so nothing that becomes of the worker is held against it.
        """
        return self._in_hand.pop(outcome.name, None) is not None

    def _next(self, take: Callable[[], Group]) -> Group:
        return () if self.enough() else take()

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
                return _given_up(job, crash, attempt - 1, self.worker.device)
            try:
                (outcome,) = self.worker.run_pairs((job,), ())
            except WorkerStopped:
                return Outcome(job.pair.name, "stopped")
            except WorkerCrashed as again:
                self._tell(job.pair.name, again, attempt, "")
                crash = again
            except (BatchError, StylizeError) as error:
                return _fatal(job, error)
            else:
                return outcome
        return _given_up(job, crash, MAX_ATTEMPTS, self.worker.device)

    def _tell(self, names: str, crash: WorkerCrashed, attempt: int, then: str) -> None:
        self.note(f"{names}: {crash}; attempt {attempt} of {MAX_ATTEMPTS}{then}")


def _fatal(job: Job, error: BatchError | StylizeError) -> Outcome:
    return Outcome(job.pair.name, "failed", error.kind, safe_text(str(error)), fatal=True)


def _given_up(job: Job, crash: WorkerCrashed, attempts: int, device: str) -> Outcome:
    """Record that the pair crashed the worker of that device as often as it was tried, unless it is done."""
    message = safe_text(f"{crash}; given up after {attempts} attempt{'s' * (attempts > 1)}")
    failure = Failure(kind=crash.kind, message=message, attempts=job.attempts + attempts, phase="work")
    record = failed_record(job, failure).model_copy(update={"device": device})
    try:
        unread = not record.identity
        recorded = record_failure(open_storage(job.output), job.pair, record, unread=unread)
        if not (recorded or unread or job.force):
            return Outcome(job.pair.name, "skipped")
    except BatchError as error:
        return Outcome(job.pair.name, "failed", error.kind, safe_text(str(error)), error.fatal)
    return Outcome(job.pair.name, "failed", crash.kind, message)
