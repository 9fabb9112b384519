"""Plans and states for people and scripts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.table import Column, Table

from flows.cli.counts import rounded
from flows.cli.estimates import columns_of, pair_facts, prospect_facts, prospect_lines
from flows.model.estimate import Prospect
from flows.model.shard import WHOLE
from flows.planning.plan import Plan
from flows.planning.sheets_due import sheet_facts, sheet_line
from flows.records.report import Failed
from flows.running.status import Status
from flows.text import safe_text

ROWS_SHOWN = 20


def plan_facts(
    planned: Plan, prospect: Prospect, kept: Mapping[str, int], per_hour: float | None = None
) -> dict[str, Any]:
    """A plan as `stylize plan --json` prints it, with what it will take.

    Args:
        kept: after how many planned evaluations the pairs were that have a checkpoint, by name.
        per_hour: the price of this machine with all its devices; None if nobody asks for a cost.
    """
    return {
        "output": planned.output,
        "counts": planned.counts,
        "sheets": sheet_facts(planned),
        "not_asked": planned.not_asked,
        "reasons": planned.reasons,
        "warnings": list(planned.warnings),
        "refused": [asdict(one) for one in planned.refused],
        "left_out": [{"file": safe_text(one.uri), "why": one.why} for one in planned.left_out],
        "todo": [
            {"name": p.pair.name, "reason": p.reason, "checkpoint": kept.get(p.pair.name)}
            | pair_facts(one, prospect, per_hour)
            for p, one in zip(planned.todo, prospect.pairs, strict=True)
        ],
        "estimate": prospect_facts(prospect, per_hour),
    }


def print_plan(
    planned: Plan, prospect: Prospect, kept: Mapping[str, int], per_hour: float | None = None
) -> None:
    """A plan for people: warnings, counts, and the first of the pairs to do, each with its reason."""
    console = Console(soft_wrap=True)
    for warning in planned.warnings:
        console.print(safe_text(f"warning: {warning}"), markup=False, highlight=False)
    counts = planned.counts
    pairs = "pair" if counts["planned"] == 1 else "pairs"
    refused = f", {len(planned.refused)} refused" if planned.refused else ""
    line = f"{counts['planned']} {pairs}, {counts['done']} done, {counts['todo']} to do{refused}"
    line += f"; {planned.not_asked} more not asked for" if planned.not_asked else ""
    line += f", in {planned.output}"
    console.print(safe_text(line), markup=False, highlight=False)
    if planned.sheets:
        console.print(safe_text(sheet_line(planned)), markup=False, highlight=False)
    if planned.todo:
        # without soft wrapping, for which a table would be cut off at the console's width
        console.print(_todo_table(planned, prospect, kept), markup=False, highlight=False, soft_wrap=False)
    if (left := len(planned.todo) - ROWS_SHOWN) > 0:
        console.print(f"and {left} more; --json lists all", highlight=False)
    for line in prospect_lines(planned, prospect, per_hour):
        console.print(line, markup=False, highlight=False)
    _print_failures(planned.refused, "refused", console)


def _print_failures(failures: Sequence[Failed], header: str, console: Console) -> None:
    """A table of the first failures, and how many more there are."""
    if failures:
        columns = [Column(title, overflow="fold") for title in (header, "kind", "message")]
        table = Table(*columns, box=None, pad_edge=False)
        for failure in failures[:ROWS_SHOWN]:
            table.add_row(*map(safe_text, (failure.name, failure.kind, failure.message)))
        console.print(table, markup=False, highlight=False, soft_wrap=False)
    if (left := len(failures) - ROWS_SHOWN) > 0:
        console.print(f"and {left} more; --json lists all", highlight=False)


def _todo_table(planned: Plan, prospect: Prospect, kept: Mapping[str, int]) -> Table:
    columns = [Column(header, overflow="fold") for header in ("pair", "why")]
    columns += [Column(header, justify="right", no_wrap=True) for header in ("time", "memory", "file")]
    table = Table(*columns, box=None, pad_edge=False)
    for item, one in list(zip(planned.todo, prospect.pairs, strict=True))[:ROWS_SHOWN]:
        why = item.reason
        if (step := kept.get(item.pair.name)) is not None:
            why += f"; goes on from a checkpoint after {step} evaluations"
        table.add_row(safe_text(item.pair.name), safe_text(why), *columns_of(one))
    return table


def print_status(found: Status, console: Console) -> None:
    """The status for people: counts, who is at work, and the failures."""
    counts = found.facts()["counts"]
    line = f"{counts['done']} of {counts['planned']} done, {counts['failed']} failed"
    line += f"; {found.plan.not_asked} more not asked for" if found.plan.not_asked else ""
    line += f", in {found.plan.output}"
    console.print(safe_text(line), markup=False, highlight=False, soft_wrap=True)
    if found.plan.sheets:
        console.print(safe_text(sheet_line(found.plan)), markup=False, highlight=False, soft_wrap=True)
    if found.seconds_left is not None:
        pace = f"about {rounded(found.seconds_left)} for the rest by {found.prospect.source}"
        console.print(pace, markup=False, highlight=False)
    if isinstance(twice := found.last_report.get("double_work"), int) and twice > 0:
        line = f"another run meanwhile made {twice} of the last run's pairs as well"
        console.print(line, markup=False, highlight=False)
    if names := list(found.kept):
        others = f" and {len(names) - 1} more" if len(names) > 1 else ""
        line = f"with a checkpoint to go on from: {names[0]} after {found.kept[names[0]]} evaluations{others}"
        console.print(safe_text(line), markup=False, highlight=False, soft_wrap=True)
    for holder in found.holders:
        part = "" if holder.shard == str(WHOLE) else f"shard {holder.shard} "
        since = f"{holder.started:%Y-%m-%d %H:%M:%S %Z}"
        line = f"{part}running on {holder.host}, pid {holder.pid}, since {since}"
        console.print(safe_text(line), markup=False, highlight=False)
    if not found.holders and found.plan.todo and found.last_report.get("end") in ("stopped", "interrupted"):
        last = f"the last run ended early: {found.last_report.get('reason')}"
        console.print(safe_text(last), markup=False, highlight=False, soft_wrap=True)
    _print_failures(found.failed, "failed pair", console)
