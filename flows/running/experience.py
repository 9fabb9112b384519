"""What a run has measured is kept for the estimates of later ones."""

from __future__ import annotations

from flows.planning.plan import Plan
from flows.records.experience import load_experience, save_experience
from flows.records.report import Tally
from flows.running.prospects import observed_of, spread
from flows.storage.base import Storage

RECORDS_KEPT = 24


def remember(
    plan: Plan, tally: Tally, storage: Storage, *, start_s: float | None, devices: tuple[str, ...]
) -> None:
    """Add what a few of the pairs that this run has made took to what is known of this machine.

    Args:
        start_s: from the run's beginning to its first pair.
        devices: of each worker, as records name them.
    """
    if not tally.made or not devices:
        return
    tried = [planned for planned in plan.todo if planned.pair.name not in tally.kinds]
    observed = observed_of(spread(tried, RECORDS_KEPT), storage)
    save_experience(load_experience().with_more(observed, start_s=start_s, devices=devices))
