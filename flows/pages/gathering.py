"""The entries of a page, from a plan and its records, or from the records alone."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from flows.errors import StorageError
from flows.model.pair import Input, Pair
from flows.pages.entries import (
    UNREADABLE,
    Entry,
    Shown,
    State,
    failed_facts,
    recorded_facts,
    source_shown,
    styles_of,
)
from flows.pages.wording import Settings, differing
from flows.planning.plan import Plan, PlannedPair
from flows.planning.threads import REMOTE_THREADS, in_threads
from flows.records.failed import as_recorded
from flows.records.record import Record, UnreadableRecord
from flows.records.report import Failed, report_shard
from flows.records.store import load_record
from flows.storage.base import Storage
from flows.storage.location import is_remote

MOST_PAIRS = 20_000
"""A page has no more; those that failed come first."""

Loaded = Record | UnreadableRecord | StorageError | None


@dataclass(frozen=True, slots=True)
class Gathered:
    """The pairs of a page.

    Attributes:
        entries: in the order of the plan, or of their names.
        counts: of all pairs there are, by state, whether the page has them or not.
        notes: what is left out, in sentences.
    """

    entries: tuple[Entry, ...]
    counts: Mapping[State, int]
    notes: tuple[str, ...] = ()


def planned_entries(
    plan: Plan,
    storage: Storage,
    *,
    failed: Container[str] = (),
    since: datetime | None = None,
    most: int = MOST_PAIRS,
) -> Gathered:
    """The pairs of a plan with what their records say now.

    Args:
        failed: the names of pairs that a run over this plan tried in vain, which the plan did not know.
        since: when a run over this plan began, whose records are newer than the plan; None if there was none.
        most: how many pairs the page may have.

    Raises:
        StorageError: the output cannot be read at all.
    """
    hurt = {one.pair.name for one in plan.pairs if one.failure is not None or one.pair.name in failed}
    chosen = _chosen(plan, hurt, most - len(plan.refused))
    read = _reader(storage, [one.pair.record_name for one in chosen])
    asked = _AskedSettings()
    entries = [_planned(one, found, storage, since, asked) for one, found in zip(chosen, read, strict=True)]
    refused = _refused(plan.refused[: max(0, most)], storage)
    everything = (*refused, *entries)
    left = len(plan.pairs) + len(plan.refused) - len(everything)
    counts = _counted(everything)
    if left:
        counts = {"failed": len(hurt) + len(plan.refused), "todo": 0, "done": 0}
        counts["todo"] = sum(one.pair.name not in hurt for one in plan.todo)
        counts["done"] = plan.counts["planned"] - counts["failed"] - counts["todo"]
    return Gathered(
        everything, counts, _notes(left, "a shard's page, by --shard i/n, has those of that shard")
    )


def recorded_entries(storage: Storage, *, most: int = MOST_PAIRS) -> Gathered:
    """The pairs that have a record in an output, whoever planned them.

    Raises:
        StorageError: the output cannot be listed or read.
    """
    closed: set[str] = set()
    names = [
        one.name
        for one in storage.list(closed=closed.add)
        if one.name.endswith(".json") and report_shard(one.name) is None
    ]
    entries, foreign = [], 0
    for name, found in zip(names[:most], _reader(storage, names[:most]), strict=True):
        if isinstance(found, UnreadableRecord) and not (found.damaged or found.newer):
            foreign += 1
            continue
        entries.append(_of_record(name, found, storage))
    said = (
        f"{foreign} JSON file{'s' * (foreign > 1)} in this folder {'are' if foreign > 1 else 'is'} no record"
    )
    notes = _notes(max(0, len(names) - most), "name a folder below it to see those")
    unseen = (f"{folder} cannot be looked into" for folder in sorted(closed))
    return Gathered(tuple(entries), _counted(entries), (*notes, *([said] if foreign else []), *unseen))


def _refused(failures: Sequence[Failed], storage: Storage) -> list[Entry]:
    """What was not even tried; a pair that failed before has a record with its pictures."""
    names = [f"{one.name}.json" for one in failures]
    entries = []
    for one, name, found in zip(failures, names, _reader(storage, names), strict=True):
        known = _of_record(name, found, storage) if isinstance(found, Record) else Entry(one.name, "failed")
        entries.append(replace(known, state="failed", kind=one.kind, message=one.message))
    return entries


def _notes(left: int, then: str) -> tuple[str, ...]:
    return (f"{left} further pair{'s' * (left > 1)} not on this page: {then}",) if left else ()


def _counted(entries: Iterable[Entry]) -> dict[State, int]:
    counts: dict[State, int] = {"done": 0, "failed": 0, "todo": 0}
    for entry in entries:
        counts[entry.state] += 1
    return counts


def _chosen(plan: Plan, hurt: set[str], most: int) -> Sequence[PlannedPair]:
    """The pairs of the page in the order of the plan: all, or the failed ones and as many others as fit."""
    if len(plan.pairs) <= most:
        return plan.pairs
    first = [one for one in plan.pairs if one.pair.name in hurt]
    others = [one for one in plan.pairs if one.pair.name not in hurt]
    return [*first, *others][: max(0, most)]


def _reader(storage: Storage, names: Sequence[str]) -> Iterable[Loaded]:
    """What is found under each name, in their order."""
    threads = REMOTE_THREADS if is_remote(storage.root) else 1
    return in_threads(_loader(storage), names, threads=threads)


def _loader(storage: Storage) -> Callable[[str], Loaded]:
    def load(name: str) -> Loaded:
        try:
            return load_record(storage, name)
        except UnreadableRecord as error:
            return error
        except StorageError as error:
            if error.fatal:
                raise
            return error

    return load


class _AskedSettings:
    """What the manifest asks for and is not the usual; most pairs share their settings with many others."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, int], Settings] = {}

    def of(self, pair: Pair) -> Settings:
        """The settings of a pair of the plan, which keeps them alive."""
        key = id(pair.style_settings), id(pair.picture_settings)
        if key not in self._known:
            self._known[key] = differing(as_recorded(pair.style_settings, pair.picture_settings))
        return self._known[key]


def _planned(
    one: PlannedPair, found: Loaded, storage: Storage, since: datetime | None, asked: _AskedSettings
) -> Entry:
    """What has become of a planned pair by its record, which a run since the plan may have written."""
    pair = one.pair
    facts: dict[str, Any] = {"name": pair.name, "record_name": pair.record_name}
    facts |= _pictures(pair, found if isinstance(found, Record) else None)
    if not isinstance(found, Record):
        return Entry(**facts, settings=asked.of(pair), **_without_record(one, found, storage))
    facts |= recorded_facts(found, picture_uri=storage.uri(found.output.name) if found.output else "")
    if found.failure is not None:
        return Entry(**facts | failed_facts(found.failure))
    made_since = since is not None and (found.finished_at >= since or found.identity == one.identity)
    if one.status == "done" or made_since:
        return Entry(**facts, state="done")
    return Entry(**facts, state="todo", message=one.reason)


def _without_record(one: PlannedPair, found: Loaded, storage: Storage) -> dict[str, Any]:
    if found is None:
        return {"state": "todo", "message": one.reason}
    return _trouble(found, storage.uri(one.pair.record_name))


def _trouble(found: UnreadableRecord | StorageError | Record, place: str) -> dict[str, Any]:
    """A record that cannot be read is a pair of which nobody knows whether it is done."""
    if isinstance(found, UnreadableRecord):
        return {"state": "failed", "kind": UNREADABLE, "message": f"{place}: {found.reason}"}
    kind = found.kind if isinstance(found, StorageError) else UNREADABLE
    return {"state": "failed", "kind": kind, "message": str(found)}


def _pictures(pair: Pair, record: Record | None) -> dict[str, Any]:
    """The pictures that the pair is made of: where the manifest has them, as the record knows them."""
    sources = {"content": record.content, "style": record.style, **record.others} if record else {}

    def shown(role: str, given: Input) -> Shown:
        known = source_shown(sources.get(role), within=given.within, uri=given.uri)
        return known or Shown(given.uri, given.sha256, given.within)

    blend = [shown(role, given) for role, given in pair.others.items() if role.startswith("style[")]
    style = [shown("style", pair.style)] if pair.style else []
    content = shown("content", pair.content) if pair.content else None
    return {"content": content, "styles": (*style, *blend)}


def _of_record(name: str, found: Loaded, storage: Storage) -> Entry:
    if not isinstance(found, Record):
        trouble = {"state": "todo"} if found is None else _trouble(found, storage.uri(name))
        return Entry(name.removesuffix(".json"), record_name=name, **trouble)
    facts = recorded_facts(found, picture_uri=storage.uri(found.output.name) if found.output else "")
    facts |= {"content": source_shown(found.content), "styles": styles_of(found), "record_name": name}
    state = failed_facts(found.failure) if found.failure else {"state": "done"}
    return Entry(**facts, name=found.name, **state)
