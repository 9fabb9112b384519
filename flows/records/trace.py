"""The trace of a run, `trace.csv` beside its report: a row for each pair that ended, for those who plot."""

from __future__ import annotations

import csv
import io
import math
import tempfile
from collections.abc import Iterator
from dataclasses import astuple, dataclass, fields
from datetime import UTC, datetime
from typing import Any

from flows.model.pair import Outcome
from flows.model.shard import Shard

TRACE = "trace"
SUFFIX = ".csv"
_IN_MEMORY_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class TraceRow:
    """A pair that ended in a run; what its worker did not live to tell is empty.

    Attributes:
        worker: the number of the worker in its run, from 0.
        started: when the device turned to the pair, ISO 8601 in UTC.
        seconds: how long the device was at it, with its whole batch.
        peak_memory_bytes: what the device held at most, for its whole batch.
        evaluations: of loss and gradient.
        state: `done`, `skipped` (it was done already), `failed` or `stopped`.
        kind: of the failure.
    """

    pair: str
    worker: int | None
    device: str
    started: str
    seconds: float | None
    peak_memory_bytes: int | None
    evaluations: int | None
    state: str
    kind: str = ""

    @classmethod
    def of(cls, outcome: Outcome) -> TraceRow:
        """The row of a pair that has ended so."""
        effort = outcome.effort
        if effort is None:
            nothing = (outcome.worker, "", "", None, None, None)
            return cls(outcome.name, *nothing, outcome.status, outcome.kind)
        started = datetime.fromtimestamp(effort.began_at, UTC).isoformat(timespec="milliseconds")
        return cls(
            outcome.name,
            outcome.worker,
            effort.device,
            started,
            round(effort.seconds, 4),
            effort.peak_memory_bytes,
            effort.evaluations,
            outcome.status,
            outcome.kind,
        )

    @property
    def span_s(self) -> tuple[float, float] | None:
        """When it began and ended, in seconds since 1970; None if it did not come to a device."""
        if self.seconds is None:
            return None
        try:
            began = datetime.fromisoformat(self.started).timestamp()
        except (ValueError, OverflowError, OSError):
            return None
        return began, began + self.seconds


COLUMNS = tuple(field.name for field in fields(TraceRow))
_HEAD = ",".join(COLUMNS) + "\n"


def trace_name(shard: Shard) -> str:
    """Where the trace of a run over that shard lies, below the output."""
    return f"{TRACE}{shard.suffix}{SUFFIX}"


def trace_shard(name: str) -> Shard | None:
    """The shard whose trace has that name; None if it is the name of none.

    >>> trace_shard("trace-1-of-4.csv")
    Shard(index=1, count=4)
    """
    if not (name.startswith(TRACE) and name.endswith(SUFFIX)):
        return None
    return Shard.of_suffix(name.removeprefix(TRACE).removesuffix(SUFFIX))


def is_trace(data: bytes) -> bool:
    """Whether these bytes begin as every trace does."""
    return data.startswith(_HEAD.encode())


class TraceWriter:
    """The rows of a run that goes on. A long one lies on disk, so that it takes no memory."""

    def __init__(self) -> None:
        self._file = tempfile.SpooledTemporaryFile(  # noqa: SIM115  open as long as the run
            _IN_MEMORY_BYTES, "w+", encoding="utf-8", errors="backslashreplace", newline=""
        )
        self._file.write(_HEAD)
        self._rows = csv.writer(self._file, lineterminator="\n")

    def add(self, outcome: Outcome) -> None:
        """Note how a pair has ended.

        Raises:
            OSError: the disk of temporary files is full.
        """
        self._rows.writerow(astuple(TraceRow.of(outcome)))

    def close(self) -> None:
        """Give the place on the disk back; nothing can be asked after that."""
        self._file.close()

    def to_bytes(self) -> bytes:
        """The whole file, UTF-8."""
        self._file.seek(0)
        text = self._file.read()
        self._file.seek(0, io.SEEK_END)
        return text.encode()


def read_trace(data: bytes) -> Iterator[TraceRow]:
    """The rows of a trace; what is no row of ours is passed over, as the file is for plots alone."""
    if not is_trace(data):
        return
    lines = io.StringIO(data.decode("utf-8", "replace"), newline="")
    for values in csv.DictReader(lines):
        try:
            yield _row(values)
        except (ValueError, TypeError):
            continue


def _row(values: dict[str, Any]) -> TraceRow:
    if None in values.values():
        raise ValueError("a row that is cut short")
    seconds = float(values["seconds"]) if values["seconds"] else None
    if seconds is not None and not (math.isfinite(seconds) and seconds >= 0):
        raise ValueError("a time that nothing takes")
    return TraceRow(
        pair=str(values["pair"]),
        worker=_whole(values["worker"]),
        device=str(values["device"]),
        started=str(values["started"]),
        seconds=seconds,
        peak_memory_bytes=_whole(values["peak_memory_bytes"]),
        evaluations=_whole(values["evaluations"]),
        state=str(values["state"]),
        kind=str(values["kind"]),
    )


def _whole(text: str) -> int | None:
    return int(text) if text else None
