"""Which pairs of a plan a run would go on with, from the checkpoints that lie in their output."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

from flows.errors import StorageError
from flows.manifest.model import Manifest
from flows.manifest.settings import BuiltSettings
from flows.planning.candidates import resolved_settings
from flows.planning.freshness import ingredients_wanted
from flows.planning.plan import Plan, PlannedPair
from flows.records.checkpoints import Kept, kept_in
from flows.storage.opening import open_storage


def steps_kept(plan: Plan, manifest: Manifest) -> dict[str, int]:
    """After how many planned evaluations the pairs were, by name, that a run would go on with.

    An output that cannot be listed, or a pair of which nobody knows what it would be made of, has none.
    """
    if not plan.todo or not manifest.checkpoint_s:
        return {}
    with suppress(StorageError):
        kept = tuple(kept_in(open_storage(plan.output)))
        steps = {one.identity: one.step for one in kept}
        wanted = {one.pair.name: identity_of(one, kept) for one in plan.todo} if kept else {}
        return {name: steps[identity] for name, identity in wanted.items() if identity in steps}
    return {}


def identity_of(planned: PlannedPair, kept: Iterable[Kept]) -> str:
    """The identity of what the pair would become; empty if it is made of what nobody has read.

    Args:
        kept: checkpoints; those of a pair of that name know the digests of what was read for them.
    """
    if planned.identity:
        return planned.identity
    pair = planned.pair
    records = [one.record for one in kept if one.record is not None and one.record.name == pair.name]
    if not records:
        return ""
    settings = resolved_settings(BuiltSettings(pair.style_settings, pair.picture_settings, None))
    found = (ingredients_wanted(pair, settings, record)[1] for record in records)
    return next(filter(None, found), "")
