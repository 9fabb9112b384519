"""Which shards somebody is at work on, as their locks say: the sign of life that no server is needed for."""

from __future__ import annotations

import time

from flows.errors import StorageError
from flows.model.shard import Shard
from flows.storage.base import Storage
from flows.storage.lock import current_holders
from flows.storage.lock_holder import Holder

LOOK_EVERY_S = 30.0


class Locks:
    """The live locks of an output, looked at twice a minute at most."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._holders: tuple[Holder, ...] | None = None
        self._looked_at = -LOOK_EVERY_S

    def nobody_holds(self, shard: Shard) -> bool:
        """Whether no run is at work on the shard, nor on what would keep it waiting: another division."""
        holders = self._look()
        return holders is not None and not any(_concerns(holder, shard) for holder in holders)

    def _look(self) -> tuple[Holder, ...] | None:
        """Who holds what; None where storage does not tell."""
        if time.monotonic() - self._looked_at > LOOK_EVERY_S:
            self._looked_at = time.monotonic()
            try:
                self._holders = current_holders(self._storage)
            except StorageError:
                self._holders = None
        return self._holders


def count_at_work(storage: Storage) -> int | None:
    """Of how many shards those are that are at work now, which refuse any other division; None if none is."""
    counts = {holder.shard.rpartition("/")[2] for holder in current_holders(storage)}
    return int(counts.pop()) if len(counts) == 1 else None


def _concerns(holder: Holder, shard: Shard) -> bool:
    return holder.shard == str(shard) or holder.shard.rpartition("/")[2] != str(shard.count)
