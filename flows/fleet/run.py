"""A night over many machines: plan, divide, submit the shards, and say from the records what became of it.

The parent makes no picture. What it counts, it reads from storage: flow runs tell only when to look.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Protocol

from flows.engines.local import LocalEngine
from flows.errors import BadArguments
from flows.fleet.division import Division, divided
from flows.fleet.locks import count_at_work
from flows.fleet.submissions import Ended
from flows.manifest.model import Manifest
from flows.model.pair import Outcome
from flows.model.shard import WHOLE, Shard
from flows.planning.plan import Plan, make_plan
from flows.planning.selecting import without_failed
from flows.records.last_report import added_up, failures_of, last_report, report_on
from flows.records.report import REPORT_NAME, Failed, Report, RunFacts, Tally, summed_up
from flows.running.reporting import write_report
from flows.running.sheets import make_sheets
from flows.running.sizing import MOST_SHARDS, choose_shards, pilot_shard, seconds_per_pair_of
from flows.storage.base import Storage
from flows.storage.opening import open_storage

REASONS_TOLD = 10
REPORTED = ("Completed", "PartialFailure")
"""The states of flow runs that have come to their own end."""

Submit = Callable[[Iterable[Shard]], Iterable[Ended]]
"""Has shards made elsewhere, and tells how each ended, as they end."""


class Shown(Protocol):
    """Who is told how a fleet goes."""

    def note(self, text: str) -> None:
        """Something worth a line in the log."""

    def show(self, ended: int, expected: int) -> None:
        """So many of the pairs to do are in shards that have ended."""


@dataclass(frozen=True, slots=True)
class Fleet:
    """What a fleet is told when it starts.

    Attributes:
        manifest: of the night.
        slots: how many shards are at work at the same time.
        shards: how many there are; None for what was measured to be best.
        skip_failed: as for `run_shard`.
    """

    manifest: Manifest
    slots: int
    shards: int | None = None
    skip_failed: bool = False

    def plan(self) -> Plan:
        """What the manifest asks for, and what of it is to do now."""
        plan = make_plan(self.manifest)
        return without_failed(plan) if self.skip_failed else plan


def run_fleet(fleet: Fleet, submit: Submit, shown: Shown) -> Report:
    """Have everything made that the manifest asks for and is not done; the report is written and returned.

    Raises:
        ManifestError: the manifest cannot be expanded.
        StorageError: the output cannot be reached.
        BadArguments: there cannot be so many shards or slots.
    """
    began, at = time.monotonic(), datetime.now(UTC)
    storage = open_storage(fleet.manifest.output)
    before = fleet.plan()
    for warning in before.warnings:
        shown.note(f"warning: {warning}")
    warnings, done_before = before.warnings, before.counts["done"]
    attempts = {one.pair.name: one.attempts for one in before.todo}
    ends, after = Ends(), before
    if before.todo:
        _make(fleet, before, storage, submit, shown, ends)
        del before, after  # two plans of a million pairs need not fit into memory
        after = fleet.plan()
    reported = failures_of(storage, ends.reported)
    tally = _tally(after, attempts, reported, made=after.counts["done"] - done_before)
    _draw_sheets(after, tally, storage, shown)
    left = after.counts["planned"] - done_before - tally.ended
    unmade = ends.unmade if left else []  # what records have is done, whatever became of its flow run
    told = added_up(storage, ends.reported)
    facts = RunFacts(
        manifest=fleet.manifest.source,
        output=after.output,
        shard=str(WHOLE),
        planned=after.counts["planned"],
        done_before=done_before,
        end="stopped" if unmade else "finished",
        reason="; ".join(unmade[:REASONS_TOLD]),
        devices=tuple(dict.fromkeys(map(str, told["devices"]))),
        warnings=warnings,
        storage_retries=told["storage_retries"],
        seconds=time.monotonic() - began,
        started_at=at,
    )
    report = replace(
        summed_up(facts, tally),
        device_seconds=round(told["device_seconds"], 3),
        machine_seconds=round(told["machine_seconds"], 3),
        double_work=told["double_work"],
    )
    write_report(report, REPORT_NAME, storage, shown.note, replace_foreign=after.replace_foreign)
    return report


@dataclass(slots=True)
class Ends:
    """How tonight's shards ended.

    Attributes:
        reported: those that ended by themselves and left a report; that of a lost one may be an old one.
        unmade: for each of the others, why it was not made.
    """

    reported: list[Shard] = field(default_factory=list)
    unmade: list[str] = field(default_factory=list)

    def add(self, ended: Ended) -> None:
        """Take note of one more."""
        if ended.lost:
            self.unmade.append(f"shard {ended.shard} was lost {ended.attempts} times ({ended.message})")
        elif ended.state in REPORTED:
            self.reported.append(ended.shard)
        else:
            self.unmade.append(f"shard {ended.shard} is {ended.state} ({ended.message})")


def _make(fleet: Fleet, before: Plan, storage: Storage, submit: Submit, shown: Shown, ends: Ends) -> None:
    """Have what is to do made."""
    division = _division(fleet, before, storage, submit, shown, ends)
    shown.note(f"{len(before.todo)} pairs to do in {len(division.todo)} of {division.count} shards")
    pairs = 0
    for ended in submit(division.shards):
        ends.add(ended)
        if ended.state != "Completed":
            shown.note(f"shard {ended.shard}: {ended.state}: {ended.message}")
        pairs += division.todo[ended.shard.index]
        shown.show(pairs, len(before.todo))


def _division(
    fleet: Fleet, plan: Plan, storage: Storage, submit: Submit, shown: Shown, ends: Ends
) -> Division:
    """The division that the user chose, else the one at work, else the best for what was measured."""
    if fleet.shards is not None and not 1 <= fleet.shards <= MOST_SHARDS:
        raise BadArguments(f"shards: {fleet.shards} is not accepted; it must be from 1 to {MOST_SHARDS}")
    count = fleet.shards or count_at_work(storage)
    if count is None:
        count = _measured(fleet, plan, storage, submit, shown, ends)
    return divided(plan, count)


def _measured(fleet: Fleet, plan: Plan, storage: Storage, submit: Submit, shown: Shown, ends: Ends) -> int:
    """The best number of shards for what a pair took in the last run, else in a pilot."""
    seconds, pairs = seconds_per_pair_of(last_report(storage)), len(plan.todo)
    sizing = choose_shards(pairs, slots=fleet.slots, seconds_per_pair=seconds)
    if seconds is None and sizing.shards < pairs:  # else nothing is to choose
        pilot = pilot_shard(pairs)
        shown.note(f"nothing was measured yet: shard {pilot} goes first, as a pilot")
        for ended in submit([pilot]):
            ends.add(ended)
            seconds = seconds_per_pair_of(report_on(storage, ended.shard))
        sizing = choose_shards(pairs, slots=fleet.slots, seconds_per_pair=seconds)
    return sizing.shards


def _tally(plan: Plan, attempts: Mapping[str, int], reported: Iterable[Failed], *, made: int) -> Tally:
    """How the pairs ended that were to do, as their records say; failures of before do not count.

    A picture that was there stays with its record where its input cannot be read: what became of that pair
    stands in its shard's report alone.

    Args:
        attempts: how often each of them had been tried in vain before.
        reported: what tonight's shards tried in vain.
    """
    tally = Tally(made=max(0, made))
    for one in plan.todo:
        if one.failure and one.attempts > attempts.get(one.pair.name, 0):
            tally.add(Outcome(one.pair.name, "failed", one.failure.kind, one.failure.message))
    without = {one.pair.name for one in plan.todo if not one.failure and one.pair.name in attempts}
    for told in reported:
        if told.name in without:
            without.remove(told.name)  # a pilot may tell of it as well
            tally.add(Outcome(told.name, "failed", told.kind, told.message))
    for refused in plan.refused:
        tally.add(Outcome(refused.name, "failed", refused.kind, refused.message))
    return tally


def _draw_sheets(plan: Plan, tally: Tally, storage: Storage, shown: Shown) -> None:
    """Contact sheets may show pairs of several shards, so they are drawn here, once all have ended."""
    if plan.sheets:
        with closing(LocalEngine(on_progress=lambda _: None, note=shown.note)) as engine:
            make_sheets(plan, tally, engine, storage, shown.note)
