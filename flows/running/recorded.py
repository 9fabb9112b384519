"""How a pair has ended that was in a worker's hands when the run ended early: its record knows."""

from __future__ import annotations

from flows.errors import StorageError
from flows.manifest.settings import BuiltSettings
from flows.model.pair import Outcome
from flows.planning.candidates import resolved_settings
from flows.planning.freshness import OutputListing, assess
from flows.planning.plan import PlannedPair
from flows.storage.base import Storage


def recorded_end(planned: PlannedPair, storage: Storage) -> Outcome | None:
    """How the pair ended since it was planned, judged as the next plan will; None if it did not.

    A worker tells of a pair with its next answer, and one that is stopped gives no further answer.
    """
    pair = planned.pair
    try:
        stats = {name: storage.stat(name) for name in (pair.record_name, pair.output_name)}
        listing = OutputListing(storage, {name: stat.size for name, stat in stats.items() if stat})
        settings = resolved_settings(BuiltSettings(pair.style_settings, pair.picture_settings, None))
        found = assess(pair, settings, listing, replace_foreign=True)  # whatever is there, it has ended
    except StorageError:
        return None
    if found.status == "done":
        return Outcome(pair.name, "done")
    if found.failure is not None and found.attempts > planned.attempts:
        return Outcome(pair.name, "failed", found.failure.kind, found.failure.message)
    return None
