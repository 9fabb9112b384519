"""One run at a time per shard of an output: a small lock file inside it, the same on local disks and on S3.

The lock saves double work; it does not guard the pictures. Outputs and records are written whole and come
out the same twice, so even two runs that both believe to hold the lock leave correct results.

Shards of one division are independent of one another; the whole, and shards of another division, are not:
they would make the same pairs. So whoever has its own lock looks for such rivals, and of two that meet at
least one goes.

A lock is stale when its process is gone from this machine, when nobody refreshed it for two minutes, or when
it is of an earlier attempt at the same job. To take it over, a run creates a claim on exactly this stale
lock, which only one can, and looks at the lock again: of several runs that find it stale, one gets it.
"""

from __future__ import annotations

import hashlib
import logging
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from flows.errors import AlreadyRunning, StorageError
from flows.model.durations import in_words
from flows.model.shard import WHOLE, Shard
from flows.storage.base import Storage
from flows.storage.lock_holder import Holder, read_holder, this_process, why_stale

LOCK_NAME = ".stylize.lock"
REFRESH_S = 10.0
LOOK_AGAIN_S = 5.0
"""Between two looks at a lock that is waited for."""
_SETTLE_S = 0.1
_ROUNDS = 5
_log = logging.getLogger(__name__)


def lock_name(shard: Shard) -> str:
    """Where the lock of a shard lies, below the output."""
    return LOCK_NAME + shard.suffix


def claim_name(stale: Holder, name: str = LOCK_NAME) -> str:
    """The name whose creator may replace this stale lock; the token is foreign text and therefore hashed."""
    return f"{name}.{hashlib.sha256(stale.token.encode()).hexdigest()[:16]}"


@contextmanager
def hold_output(
    storage: Storage,
    shard: Shard = WHOLE,
    *,
    job: str = "",
    wait_s: float = 0.0,
    refresh_s: float = REFRESH_S,
) -> Iterator[None]:
    """Hold a shard of the output for as long as the block runs.

    Args:
        job: the job that this run is an attempt at; the lock of an earlier attempt is taken over.
        wait_s: how long to wait for another run to end.

    Raises:
        AlreadyRunning: another run holds it; the text says who, where and since when.
    """
    mine, stop, name = this_process(shard, job), threading.Event(), lock_name(shard)
    refresher = threading.Thread(
        target=_keep_fresh, args=(storage, name, mine, stop, refresh_s), name="output-lock", daemon=True
    )
    try:
        _wait_for(storage, shard, mine, wait_s)
        refresher.start()
    except (KeyboardInterrupt, SystemExit):  # a signal may come between the lock and our knowing of it
        stop.set()
        _release(storage, name, mine)
        raise
    try:
        yield
    finally:
        stop.set()
        refresher.join(timeout=5)
        _release(storage, name, mine)


def current_holders(storage: Storage) -> tuple[Holder, ...]:
    """The runs that hold shards of the output now, stale locks left out; in the order of their shards."""
    return tuple(holder for _, holder in _live_locks(storage))


def _live_locks(storage: Storage, job: str = "") -> list[tuple[Shard, Holder]]:
    found = []
    for item in storage.list(LOCK_NAME):
        shard = Shard.of_suffix(item.name.removeprefix(LOCK_NAME))
        holder = None if shard is None else read_holder(storage, item.name)
        if shard and holder and why_stale(holder, job) is None:
            found.append((shard, holder))
    return sorted(found, key=lambda lock: (lock[0].count, lock[0].index))


def _wait_for(storage: Storage, shard: Shard, mine: Holder, wait_s: float) -> None:
    """Make the lock ours within that time, or raise."""
    until, told = time.monotonic() + wait_s, False
    while True:
        try:
            return _acquire_alone(storage, shard, mine)
        except AlreadyRunning as error:
            if time.monotonic() >= until:
                raise
            if not told:
                _log.warning("waiting up to %s: %s", in_words(wait_s), error)
                told = True
        pause = LOOK_AGAIN_S * random.uniform(0.5, 1)  # noqa: S311  rivals should not look at the same moment
        time.sleep(max(0.0, min(pause, until - time.monotonic())))


def _acquire_alone(storage: Storage, shard: Shard, mine: Holder) -> None:
    """Make the lock ours, unless somebody makes the same pairs under another division of the manifest."""
    _acquire(storage, lock_name(shard), mine)
    try:
        _refuse_rivals(storage, shard, mine.job)
    except BaseException:
        _release(storage, lock_name(shard), mine)
        raise


def _refuse_rivals(storage: Storage, shard: Shard, job: str) -> None:
    for other, holder in _live_locks(storage, job):
        if other.count != shard.count:
            raise AlreadyRunning(_who_runs(storage, lock_name(other), holder))


def _acquire(storage: Storage, name: str, mine: Holder) -> None:
    """Make the lock ours, or raise; a few rounds, because others may come and go meanwhile."""
    for _ in range(_ROUNDS):
        holder = read_holder(storage, name)
        if holder is None:
            if storage.create(name, mine.to_bytes()):
                return
            continue
        reason = why_stale(holder, mine.job)
        if reason is None:
            raise AlreadyRunning(_who_runs(storage, name, holder))
        if _take_over(storage, name, holder, mine):
            _drop_dead_claims(storage, name)
            _log.warning("took over the lock of process %d on %s: %s", holder.pid, holder.host, reason)
            return
    raise AlreadyRunning(f"several runs want {storage.root} at this moment; wait and try again")


def _take_over(storage: Storage, name: str, stale: Holder, mine: Holder) -> bool:
    """Whether the lock is ours now instead of `stale`'s."""
    claim = claim_name(stale, name)
    if not storage.create(claim, mine.to_bytes()):
        _drop_stale_claim(storage, claim)
        return False
    try:
        now = read_holder(storage, name)
        if now is None or now.token != stale.token:
            return False
        storage.write(name, mine.to_bytes(), content_type="application/json")
        return True
    finally:
        storage.delete(claim)


def _drop_dead_claims(storage: Storage, name: str) -> None:
    """Remove the claims of runs that were killed once the lock was theirs; nobody asks for those again."""
    for found in list(storage.list(f"{name}.")):
        claimer = read_holder(storage, found.name)
        if claimer is not None and why_stale(claimer) is not None:
            storage.delete(found.name)


def _drop_stale_claim(storage: Storage, claim: str) -> None:
    """Wait a moment for whoever claims, or clear away what a killed one left."""
    claimer = read_holder(storage, claim)
    if claimer is not None and why_stale(claimer) is not None:
        storage.delete(claim)
    time.sleep(_SETTLE_S)


def _who_runs(storage: Storage, name: str, holder: Holder) -> str:
    silent_s = max(0.0, time.time() - holder.refreshed)
    part = "" if holder.shard == str(WHOLE) else f"shard {holder.shard} "
    return (
        f"another run writes {part}to {storage.root}: process {holder.pid} on {holder.host} since "
        f"{holder.started.isoformat()}, last sign of life {silent_s:.0f} s ago; wait for it or stop it. "
        f"If it is surely gone, delete {storage.uri(name)} and run again"
    )


def _keep_fresh(storage: Storage, name: str, mine: Holder, stop: threading.Event, refresh_s: float) -> None:
    """Rewrite the lock now and then, until told to stop or somebody else holds it."""
    while not stop.wait(refresh_s):
        try:
            holder = read_holder(storage, name)
            if holder is None or holder.token != mine.token:
                _log.error("%s: the lock is no longer ours; another run may be at work", storage.root)
                return
            fresh = mine.model_copy(update={"refreshed": time.time()})
            storage.write(name, fresh.to_bytes(), content_type="application/json")
        except StorageError as error:
            _log.warning("the lock was not refreshed: %s", error)


def _release(storage: Storage, name: str, mine: Holder) -> None:
    """Remove the lock if it is still ours. A failure costs the next run a takeover, so it is only logged."""
    try:
        holder = read_holder(storage, name)
        if holder is not None and holder.token == mine.token:
            storage.delete(name)
    except StorageError as error:
        _log.warning("the lock was not removed: %s", error)
