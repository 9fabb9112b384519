"""Who holds an output: what a lock file says, and when its holder can no longer be at work."""

from __future__ import annotations

import hashlib
import os
import secrets
import time
from datetime import UTC, datetime

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from flows.errors import NotFound
from flows.model.shard import WHOLE, Shard
from flows.storage.base import Storage
from flows.storage.process_id import hostname, is_alive, pid_namespace_id, process_start_time

STALE_AFTER_S = 120.0
"""After so long without a sign of life a holder on another machine is dead; clocks may differ by less."""
_SETTLE_S = 1.0


class Holder(BaseModel):
    """Who holds a lock.

    Attributes:
        place: tells machines and containers apart (`pid_namespace_id`); `pid` means something only there.
        birth: when the process began, against reuse of its number.
        started: when the run began, UTC, ISO 8601.
        refreshed: last sign of life, seconds since 1970.
        token: random, new for every run.
        shard: what it makes, as `i/n`.
        job: the job that the run is an attempt at; empty if it belongs to none.
    """

    model_config = ConfigDict(frozen=True)

    host: str = Field(pattern=r"^[A-Za-z0-9-]{1,64}$")
    place: str
    pid: int = Field(ge=0)
    birth: str
    started: datetime
    refreshed: float = Field(allow_inf_nan=False)
    token: str
    shard: str = Field(default=str(WHOLE), pattern=r"^[0-9]{1,6}/[0-9]{1,6}$")
    job: str = ""

    def to_bytes(self) -> bytes:
        """The content of the lock file."""
        return self.model_dump_json(indent=1).encode() + b"\n"


def this_process(shard: Shard, job: str) -> Holder:
    """This process as the holder of a shard."""
    return Holder(
        host=hostname(),
        place=pid_namespace_id(),
        pid=os.getpid(),
        birth=process_start_time(os.getpid()),
        started=datetime.now(UTC).replace(microsecond=0),
        refreshed=time.time(),
        token=secrets.token_hex(16),
        shard=str(shard),
        job=job,
    )


def read_holder(storage: Storage, name: str) -> Holder | None:
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


def why_stale(holder: Holder, job: str = "") -> str | None:
    """Why the holder can no longer be at work, None if it may be; `job` is the one that asks.

    A platform begins another attempt at a job only when the one before has ended, wherever that was; but two
    runs of one job on one machine, which can see one another, are both at work.
    """
    if holder.place == pid_namespace_id():
        gone = not is_alive(holder.pid) or process_start_time(holder.pid) != holder.birth
        return "that process is gone" if gone else None
    if job and holder.job == job:
        return "it was an earlier attempt at the same job"
    silent_s = time.time() - holder.refreshed
    return f"no sign of life for {silent_s / 60:.0f} minutes" if silent_s > STALE_AFTER_S else None
