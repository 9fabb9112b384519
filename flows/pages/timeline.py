"""When each worker of the last run was busy, as bars of a drawing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from flows.model.shard import WHOLE, Shard
from flows.records.trace import TraceRow

BUCKETS = 240
"""In how many parts the time is divided; the drawing is as wide."""

MOST_WORKERS = 32


@dataclass(slots=True)
class Lane:
    """One worker: its name, its device, and the bars of its time.

    Attributes:
        bars: begin and length in buckets, and the share of that time in which it was busy, in tenths.
        failures: the buckets in which pairs failed.
        pairs: how many it ended.
        busy_s: seconds in which its device was at work.
    """

    name: str
    device: str
    bars: list[tuple[int, int, int]] = field(default_factory=list)
    failures: list[int] = field(default_factory=list)
    pairs: int = 0
    busy_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Timeline:
    """All workers of a run.

    Attributes:
        seconds: from the first beginning to the last end.
        lanes: the first workers; `more` is how many there are beside them.
        busy: the share of the time in which the devices of all workers were at work, 0..1.
    """

    began: str
    ended: str
    seconds: float
    lanes: tuple[Lane, ...]
    more: int
    busy: float


def timeline(traces: Mapping[Shard, Sequence[TraceRow]]) -> Timeline | None:
    """The time of all workers that left a trace; None if none did."""
    workers: dict[tuple[Shard, int], list[TraceRow]] = {}
    for shard, rows in traces.items():
        for row in rows:
            if row.worker is not None and row.span_s is not None:
                workers.setdefault((shard, row.worker), []).append(row)
    spans = [span for rows in workers.values() for row in rows if (span := row.span_s)]
    if not spans:
        return None
    first, last = min(began for began, _ in spans), max(ended for _, ended in spans)
    length = max(last - first, 1e-3)
    lanes = [_lane(shard, number, rows, first, length) for (shard, number), rows in sorted_by(workers)]
    busy = sum(lane.busy_s for lane in lanes) / (length * len(lanes))
    shown = tuple(lanes[:MOST_WORKERS])
    return Timeline(_clock(first), _clock(last), length, shown, len(lanes) - len(shown), min(1.0, busy))


def sorted_by(
    workers: Mapping[tuple[Shard, int], list[TraceRow]],
) -> Iterable[tuple[tuple[Shard, int], list[TraceRow]]]:
    """The workers in the order of their shards and numbers."""
    return sorted(workers.items(), key=lambda item: (item[0][0].index, item[0][1]))


def _lane(shard: Shard, number: int, rows: Sequence[TraceRow], first: float, length: float) -> Lane:
    name = f"worker {number}" if shard == WHOLE else f"shard {shard}, worker {number}"
    lane = Lane(name, next((row.device for row in rows if row.device), ""), pairs=len(rows))
    share = [0.0] * BUCKETS
    size = length / BUCKETS
    for began, ended in _merged(span for row in rows if (span := row.span_s)):
        lane.busy_s += ended - began
        _fill(share, (began - first) / size, (ended - first) / size)
    for row in rows:
        if row.state == "failed" and (span := row.span_s):
            lane.failures.append(min(BUCKETS - 1, int((span[1] - first) / size)))
    lane.bars = list(_bars([round(min(1.0, one) * 10) for one in share]))
    lane.failures = sorted(set(lane.failures))
    return lane


def _merged(spans: Iterable[tuple[float, float]]) -> Iterable[tuple[float, float]]:
    """The spans without overlaps: a batch's pairs are computed at the same time."""
    found: list[tuple[float, float]] = []
    for began, ended in sorted(spans):
        if found and began <= found[-1][1]:
            found[-1] = found[-1][0], max(found[-1][1], ended)
        else:
            found.append((began, ended))
    return found


def _fill(share: list[float], began: float, ended: float) -> None:
    """Add a span, in buckets, to the share of each bucket that it covers."""
    for at in range(int(began), min(BUCKETS, int(ended) + 1)):
        share[at] += max(0.0, min(ended, at + 1) - max(began, at))


def _bars(tenths: Sequence[int]) -> Iterable[tuple[int, int, int]]:
    """Neighbours of one height as one bar; what is idle is none."""
    at = 0
    while at < len(tenths):
        end = at
        while end < len(tenths) and tenths[end] == tenths[at]:
            end += 1
        if tenths[at]:
            yield at, end - at, tenths[at]
        at = end


def _clock(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
