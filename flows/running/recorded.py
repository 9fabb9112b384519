"""How a pair has ended that was in a worker's hands when the run ended early: its record knows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from flows.errors import StorageError
from flows.manifest.settings import BuiltSettings
from flows.model.pair import Outcome
from flows.planning.candidates import resolved_settings
from flows.planning.freshness import assess
from flows.planning.output import ListedOutput
from flows.planning.plan import Plan, PlannedPair
from flows.storage.base import Storage
from flows.storage.opening import open_storage


def as_recorded(given_up: Iterable[Outcome], plan: Plan) -> Iterator[Outcome]:
    """How pairs that a worker was told to give up have ended; `given_up` itself where no record knows better.

    Storage that fails once is not asked again: the run ends, perhaps because of it.
    """
    storage, asking = open_storage(plan.output), True
    planned = {one.pair.name: one for one in plan.todo}
    for outcome in given_up:
        found = None
        if asking and not planned[outcome.name].forced:  # whose record speaks of the picture from before
            try:
                found = _recorded_end(planned[outcome.name], storage)
            except StorageError:
                asking = False
        yield found or outcome


def _recorded_end(planned: PlannedPair, storage: Storage) -> Outcome | None:
    """How the pair ended since it was planned, judged as the next plan will; None if it did not.

    A worker tells of a pair with its next answer, and one that is stopped gives no further answer.
    """
    pair = planned.pair
    stats = {name: storage.stat(name) for name in (pair.record_name, pair.output_name)}
    output = ListedOutput(storage, {name: stat.size for name, stat in stats.items() if stat})
    settings = resolved_settings(BuiltSettings(pair.style_settings, pair.picture_settings, None))
    found = assess(pair, settings, output, replace_foreign=True)  # whatever is there, it has ended
    if found.status == "done":
        return Outcome(pair.name, "done")
    # The announcement of snapshots is no end: a checkpoint goes on with them.
    begun = found.failure is not None and found.failure.kind == "unfinished"
    if found.failure is not None and not begun and found.attempts > planned.attempts:
        return Outcome(pair.name, "failed", found.failure.kind, found.failure.message)
    return None
