"""What the last run over an output said of itself: one report, or those of all its shards as one."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from flows.errors import BatchError
from flows.model.shard import WHOLE, Shard
from flows.records.report import FAILURES_LISTED, REPORT, Failed, report_name, report_shard
from flows.storage.base import Storage

_SUMS = (
    "planned", "not_asked", "done_before", "done", "double_work", "failed", "left", "storage_retries",
    "device_seconds", "machine_seconds",
)  # fmt: skip
_ENDS = ("finished", "stopped", "interrupted")


def last_report(storage: Storage) -> dict[str, Any]:
    """The report of the last run; where that was one over shards, the reports of its shards added up.

    Empty if there is none. What stands there is somebody else's text until it is looked at.
    """
    try:
        names = [item.name for item in storage.list(REPORT)]
    except BatchError:
        return {}
    divisions: dict[int, list[dict[str, Any]]] = {}
    for name in names:
        shard = report_shard(name)
        if shard is not None and (found := _read(storage, name)):
            divisions.setdefault(shard.count, []).append(found)
    if not divisions:
        return {}
    count, newest = max(divisions.items(), key=lambda division: max(map(_finished, division[1])))
    return newest[0] if count == WHOLE.count else _added(newest, count)


def report_on(storage: Storage, shard: Shard) -> dict[str, Any]:
    """What the last run over a shard said of itself; empty if it said nothing."""
    return _read(storage, report_name(shard))


def added_up(storage: Storage, shards: Iterable[Shard]) -> dict[str, Any]:
    """The reports on these shards as one; nothing but sums of nothing where there is none."""
    reports = [found for shard in shards if (found := report_on(storage, shard))]
    return _added(reports, len(reports)) if reports else dict.fromkeys(_SUMS, 0) | {"devices": []}


def failures_of(storage: Storage, shards: Iterable[Shard]) -> Iterator[Failed]:
    """What the last runs over these shards tried in vain, as far as their reports list it."""
    for shard in shards:
        for one in _joined([report_on(storage, shard)], "failures"):
            if isinstance(one, dict):
                yield Failed(*(str(one.get(key, "")) for key in ("name", "kind", "message")))


def _read(storage: Storage, name: str) -> dict[str, Any]:
    try:
        report = json.loads(storage.read(name))
    except (BatchError, ValueError, RecursionError):
        return {}
    return report if isinstance(report, dict) else {}


def _finished(report: Mapping[str, Any]) -> str:
    return str(report.get("finished_at", ""))


def _added(reports: list[dict[str, Any]], count: int) -> dict[str, Any]:
    """One report of several; the time is that of the slowest, as they run beside one another."""
    ended = max(reports, key=lambda report: _ENDS.index(end) if (end := report.get("end")) in _ENDS else 0)
    kinds: Counter[str] = Counter()
    for report in reports:
        if isinstance(given := report.get("failures_by_kind"), dict):
            kinds.update({kind: number for kind, number in given.items() if isinstance(number, int)})
    return ended | {
        **{key: sum(_numbers(reports, key)) for key in _SUMS},
        "seconds": max(_numbers(reports, "seconds"), default=0),
        "failures": _joined(reports, "failures")[:FAILURES_LISTED],
        "failures_by_kind": dict(kinds.most_common()),
        "devices": _joined(reports, "devices"),
        "warnings": list(dict.fromkeys(map(str, _joined(reports, "warnings")))),
        "started_at": min(str(report.get("started_at", "")) for report in reports),
        "finished_at": max(map(_finished, reports)),
        "exit_code": max(_numbers(reports, "exit_code"), default=0),
        "shard": f"{len(reports)} of {count} shards",
    }


def _numbers(reports: Iterable[Mapping[str, Any]], key: str) -> list[float]:
    return [value for report in reports if isinstance(value := report.get(key), int | float)]


def _joined(reports: Iterable[Mapping[str, Any]], key: str) -> list[Any]:
    return [item for report in reports if isinstance(items := report.get(key), list) for item in items]
