"""One run at a time per output: a small lock file inside it, the same on local disks and on S3.

The lock saves double work; it does not guard the pictures. Outputs and records are written whole and come out
the same twice, so even two runs that both believe to hold the lock leave correct results.

A lock is stale when its process is gone from this machine, or when nobody refreshed it for half an hour. To
take it over, a run creates a claim on exactly this stale lock, which only one can, and looks at the lock
again: of several runs that find it stale, one gets it.
"""

from __future__ import annotations

import hashlib
import logging
import os
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from flows.errors import AlreadyRunning, NotFound, StorageError
from flows.storage.base import Storage
from flows.storage.process_id import hostname, is_alive, pid_namespace_id, process_start_time

LOCK_NAME = ".stylize.lock"
REFRESH_S = 60.0
STALE_AFTER_S = 30 * 60.0
_SETTLE_S = 1.0
_ROUNDS = 5
_log = logging.getLogger(__name__)


class Holder(BaseModel):
    """Who holds a lock.

    Attributes:
        place: tells machines and containers apart (`pid_namespace_id`); `pid` means something only there.
        birth: when the process began, against reuse of its number.
        started: when the run began, UTC, ISO 8601.
        refreshed: last sign of life, seconds since 1970.
        token: random, new for every run.
    """

    model_config = ConfigDict(frozen=True)

    host: str = Field(pattern=r"^[A-Za-z0-9-]{1,64}$")
    place: str
    pid: int = Field(ge=0)
    birth: str
    started: datetime
    refreshed: float = Field(allow_inf_nan=False)
    token: str

    def to_bytes(self) -> bytes:
        """The content of the lock file."""
        return self.model_dump_json(indent=1).encode() + b"\n"


def claim_name(stale: Holder) -> str:
    """The name whose creator may replace this stale lock; the token is foreign text and therefore hashed."""
    return f"{LOCK_NAME}.{hashlib.sha256(stale.token.encode()).hexdigest()[:16]}"


@contextmanager
def hold_output(storage: Storage, *, refresh_s: float = REFRESH_S) -> Iterator[None]:
    """Hold the output for as long as the block runs.

    Raises:
        AlreadyRunning: another run holds it; the text says who, where and since when.
    """
    mine, stop = _this_process(), threading.Event()
    refresher = threading.Thread(
        target=_keep_fresh, args=(storage, mine, stop, refresh_s), name="output-lock", daemon=True
    )
    try:
        _acquire(storage, mine)
        refresher.start()
    except (KeyboardInterrupt, SystemExit):  # a signal may come between the lock and our knowing of it
        stop.set()
        _release(storage, mine)
        raise
    try:
        yield
    finally:
        stop.set()
        refresher.join(timeout=5)
        _release(storage, mine)


def current_holder(storage: Storage) -> Holder | None:
    """The run that holds the output now; None if there is none, or only a stale lock."""
    holder = _read(storage, LOCK_NAME)
    return None if holder is None or _why_stale(holder) else holder


def _this_process() -> Holder:
    return Holder(
        host=hostname(),
        place=pid_namespace_id(),
        pid=os.getpid(),
        birth=process_start_time(os.getpid()),
        started=datetime.now(UTC).replace(microsecond=0),
        refreshed=time.time(),
        token=secrets.token_hex(16),
    )


def _acquire(storage: Storage, mine: Holder) -> None:
    """Make the lock ours, or raise; a few rounds, because others may come and go meanwhile."""
    for _ in range(_ROUNDS):
        holder = _read(storage, LOCK_NAME)
        if holder is None:
            if storage.create(LOCK_NAME, mine.to_bytes()):
                return
            continue
        reason = _why_stale(holder)
        if reason is None:
            raise AlreadyRunning(_who_runs(storage, holder))
        if _take_over(storage, holder, mine):
            _drop_dead_claims(storage)
            _log.warning("took over the lock of process %d on %s: %s", holder.pid, holder.host, reason)
            return
    raise AlreadyRunning(f"several runs want {storage.root} at this moment; wait and try again")


def _take_over(storage: Storage, stale: Holder, mine: Holder) -> bool:
    """Whether the lock is ours now instead of `stale`'s."""
    claim = claim_name(stale)
    if not storage.create(claim, mine.to_bytes()):
        _drop_stale_claim(storage, claim)
        return False
    try:
        now = _read(storage, LOCK_NAME)
        if now is None or now.token != stale.token:
            return False
        storage.write(LOCK_NAME, mine.to_bytes(), content_type="application/json")
        return True
    finally:
        storage.delete(claim)


def _drop_dead_claims(storage: Storage) -> None:
    """Remove the claims of runs that were killed once the lock was theirs; nobody asks for those again."""
    for found in list(storage.list(f"{LOCK_NAME}.")):
        claimer = _read(storage, found.name)
        if claimer is not None and _why_stale(claimer) is not None:
            storage.delete(found.name)


def _drop_stale_claim(storage: Storage, claim: str) -> None:
    """Wait a moment for whoever claims, or clear away what a killed one left."""
    claimer = _read(storage, claim)
    if claimer is not None and _why_stale(claimer) is not None:
        storage.delete(claim)
    time.sleep(_SETTLE_S / 10)


def _read(storage: Storage, name: str) -> Holder | None:
    """Who holds the lock, None if nobody does. What stays unreadable is a lock that nobody refreshes."""
    try:
        holder = _parsed(storage.read(name))
        if holder is not None:
            return holder
        # Where there are no hard links, a lock is unreadable for the moment in which it is written.
        time.sleep(_SETTLE_S)
        data = storage.read(name)
        return _parsed(data) or _unknown(data)
    except NotFound:
        return None


def _parsed(data: bytes) -> Holder | None:
    try:
        return Holder.model_validate_json(data)
    except ValidationError:
        return None


def _unknown(data: bytes) -> Holder:
    token = hashlib.sha256(data).hexdigest()
    never = datetime.fromtimestamp(0, UTC)
    return Holder(host="unknown", place="", pid=0, birth="", started=never, refreshed=0, token=token)


def _why_stale(holder: Holder) -> str | None:
    """Why the holder can no longer be at work, None if it may be."""
    if holder.place == pid_namespace_id():
        gone = not is_alive(holder.pid) or process_start_time(holder.pid) != holder.birth
        return "that process is gone" if gone else None
    silent_s = time.time() - holder.refreshed
    return f"no sign of life for {silent_s / 60:.0f} minutes" if silent_s > STALE_AFTER_S else None


def _who_runs(storage: Storage, holder: Holder) -> str:
    silent_s = max(0.0, time.time() - holder.refreshed)
    return (
        f"another run writes to {storage.root}: process {holder.pid} on {holder.host} since "
        f"{holder.started.isoformat()}, last sign of life {silent_s:.0f} s ago; wait for it or stop it. "
        f"If it is surely gone, delete {storage.uri(LOCK_NAME)} and run again"
    )


def _keep_fresh(storage: Storage, mine: Holder, stop: threading.Event, refresh_s: float) -> None:
    """Rewrite the lock now and then, until told to stop or somebody else holds it."""
    while not stop.wait(refresh_s):
        try:
            holder = _read(storage, LOCK_NAME)
            if holder is None or holder.token != mine.token:
                _log.error("%s: the lock is no longer ours; another run may be at work", storage.root)
                return
            fresh = mine.model_copy(update={"refreshed": time.time()})
            storage.write(LOCK_NAME, fresh.to_bytes(), content_type="application/json")
        except StorageError as error:
            _log.warning("the lock was not refreshed: %s", error)


def _release(storage: Storage, mine: Holder) -> None:
    """Remove the lock if it is still ours. A failure costs the next run a takeover, so it is only logged."""
    try:
        holder = _read(storage, LOCK_NAME)
        if holder is not None and holder.token == mine.token:
            storage.delete(LOCK_NAME)
    except StorageError as error:
        _log.warning("the lock was not removed: %s", error)
