"""Checkpoints of pairs in flight: written now and then and when the run is stopped, and gone on from.

One belongs to a single picture, by its identity, whichever batch, worker or machine it was computed in. What
cannot be used is left alone and said; what cannot be written costs the pair nothing but a line.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from flows.errors import NotFound, StorageError
from flows.model.identity import algorithm_of
from flows.records.checkpoints import RECORD
from flows.records.failed import failed_record
from flows.records.record import Failure
from flows.storage.spool import spool
from flows.text import bytes_in_words, safe_text
from flows.worker import link
from flows.worker.errors import Stopped
from flows.worker.fitting.memory_room import free_memory
from flows.worker.keeping.shown import parted, with_shown
from flows.worker.snapshots import SnapshotWriter
from flows.worker.stages import Prepared
from stylize_core.optim.state import Saved, UnfitState, buffers, saved
from stylize_core.optim.watching import Underway

log = logging.getLogger("stylize.worker")

# What was computed within this share of the interval is not worth a checkpoint when the run is stopped.
WORTHWHILE = 1 / 12
# Writing takes at most about this share of the time; for large pictures that makes the interval longer.
SHARE_OF_TIME = 0.1


def is_kept(prepared: Prepared) -> bool:
    """Whether there is a checkpoint of the pair that may be gone on from."""
    job = prepared.task.job
    return bool(job.checkpoint_s) and prepared.shelf.holds(job.output, prepared.identity)


def found_checkpoint(prepared: Prepared, writer: SnapshotWriter) -> Saved | None:
    """What the pair was at when a run was ended; None where nothing of use is kept, which its log says.

    Whoever watches the pair is then as it was at that step.
    """
    if not is_kept(prepared):
        return None
    try:
        found = _read(prepared)
        _refuse_others(found, _labels(prepared))
        found, shown = parted(found)
        step = _step_of(found)
        writer.go_on(shown, step=step)
    except NotFound:
        return None
    except (StorageError, OSError, MemoryError, UnfitState) as error:
        say_unused(prepared, error)
        return None
    prepared.task.log.kept = True
    said = f"goes on from a checkpoint after {step} planned evaluations"
    log.warning("pair=%s %s", safe_text(prepared.task.job.pair.name), said)
    return found


def say_unused(prepared: Prepared, error: Exception) -> None:
    """Say that a checkpoint is not gone on from, and why."""
    prepared.task.log.kept = False
    _decide(prepared, f"a checkpoint was not used: {safe_text(str(error))}")


@dataclass(slots=True)
class CheckpointKeeper:
    """Keeps what the pairs of a batch are at, asked after every step; see `Checkpoints.keep`.

    Args:
        batch: whose rows the states have.
        writers: those who watch each of them.
    """

    batch: Sequence[Prepared]
    writers: Sequence[SnapshotWriter]
    _since: float = field(default_factory=lambda: time.monotonic())
    _cost_s: float = 0.0

    def __call__(self, state: Underway) -> None:
        """Write what is due.

        Raises:
            Stopped: the run ends; what the pairs are at is kept.
        """
        interval_s, passed_s = self.batch[0].task.job.checkpoint_s, time.monotonic() - self._since
        stopped = link.should_stop()
        due_s = interval_s * WORTHWHILE if stopped else max(interval_s, self._cost_s / SHARE_OF_TIME)
        if interval_s and passed_s >= due_s:
            self._write(state)
        if stopped:
            raise Stopped

    def _write(self, state: Underway) -> None:
        began = time.monotonic()
        for at in state.going:
            row = state.rows[at]
            self._write_row(self.batch[row], state.row(at), self.writers[row])
        self._since = time.monotonic()
        self._cost_s = self._since - began

    def _write_row(self, prepared: Prepared, row: Underway, writer: SnapshotWriter) -> None:
        shown = writer.shown() if writer.wanted else None
        try:
            _refuse_without_room(row)
            state = replace(saved(row), labels=_labels(prepared) | {RECORD: _told(prepared)})
            state = with_shown(state, shown) if shown else state
            with spool(state.size_bytes) as file:
                state.write_to(file)
                prepared.shelf.put(prepared.task.job.output, prepared.identity, file)
            prepared.task.log.kept = True
        except (StorageError, OSError, MemoryError) as error:
            _decide(prepared, f"a checkpoint could not be written: {safe_text(str(error))}")


def _refuse_without_room(row: Underway) -> None:
    """A tensor at a time is copied for a checkpoint, for which a large picture may leave no room.

    Raises:
        MemoryError: it would not fit.
    """
    needed, free = max(value.nbytes for value in buffers(row).values()), free_memory()
    if needed > free:
        words = f"it takes {bytes_in_words(needed)} of memory, and {bytes_in_words(free)} are free"
        raise MemoryError(words)


def _labels(prepared: Prepared) -> dict[str, str]:
    """What a checkpoint says of what it belongs to."""
    return {
        "identity": prepared.identity,
        "algorithm": str(algorithm_of(prepared.task.job.pair.style_settings)),
        "precision": prepared.task.log.precision or "",
    }


def _read(prepared: Prepared) -> Saved:
    """A large one lies in a file without a name for as long as its tensors are used."""
    where = prepared.task.job.output, prepared.identity
    with spool(prepared.shelf.size(*where)) as file:
        prepared.shelf.read(*where, into=file)
        file.flush()
        return Saved.read_from(file)


def _step_of(found: Saved) -> int:
    step = found.facts.get("step")
    if not isinstance(step, int):
        raise UnfitState("it does not say at which step it is")
    return step


def _told(prepared: Prepared) -> str:
    """The record that the pair would have if it ended now, which says of which inputs it is made."""
    task = prepared.task
    failure = Failure(kind="unfinished", message="", attempts=task.job.attempts, phase=task.log.phase)
    known = {**task.log.sources, "others": task.log.others, "identity": prepared.identity}
    return failed_record(task.job, failure).model_copy(update=known).to_bytes().decode()


def _refuse_others(found: Saved, labels: Mapping[str, str]) -> None:
    for key, value in labels.items():
        if found.labels.get(key) != value:
            raise UnfitState(f"its {key} is {safe_text(found.labels.get(key, 'not said'))}, not {value}")


def _decide(prepared: Prepared, sentence: str) -> None:
    task = prepared.task
    if sentence not in task.log.decisions:
        task.log.decisions += (sentence,)
        log.warning("pair=%s %s", safe_text(task.job.pair.name), sentence)
