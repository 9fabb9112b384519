"""What a run has measured is kept for the estimates of later ones."""

from __future__ import annotations

from collections.abc import Iterable

from flows.model.observed import Observed
from flows.records.experience import load_experience, save_experience

KEPT = 24


def remember(observed: Iterable[Observed], *, start_s: float | None, devices: tuple[str, ...]) -> None:
    """Add what pairs of a run took to what is known of this machine: a few from all over the run.

    Args:
        start_s: from the run's beginning to its first pair.
        devices: of each worker, as records name them.
    """
    if found := list(observed):
        few = found[:: max(1, len(found) // KEPT)][:KEPT]
        save_experience(load_experience().with_more(few, start_s=start_s, devices=devices))
