"""The figures at the head of a page: what there is, how fast it came, and what it took."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flows.model.durations import LONGEST_S
from flows.pages.entries import Entry
from flows.pages.wording import amount_of_bytes, length_of_time


@dataclass(frozen=True, slots=True)
class Figure:
    """A number with its name; `note` says what it is about."""

    name: str
    value: str
    note: str = ""


def figures(
    report: Mapping[str, Any], entries: Sequence[Entry], *, cost_per_hour: float | None
) -> list[Figure]:
    """What is known; a figure that nobody knows is left out.

    Args:
        report: of the last run, somebody's JSON until it is looked at; empty if there is none.
        cost_per_hour: of the machine; None for what the report says, if it does.
    """
    found = [*_of_run(report), *_cost(report, cost_per_hour)]
    device_s = sum(entry.timings_s.get("optimise", 0.0) / max(1, entry.batch) for entry in entries)
    if device_s > 0:
        found.append(Figure("Device time", length_of_time(device_s), "for all pictures on this page"))
    evaluations = sum(entry.evaluations for entry in entries)
    if evaluations:
        found.append(Figure("Evaluations", f"{evaluations:,}", "of loss and gradient"))
    if peak := max((entry.memory_bytes or 0 for entry in entries), default=0):
        found.append(Figure("Peak memory", amount_of_bytes(peak), "of a device"))
    return found


def _of_run(report: Mapping[str, Any]) -> list[Figure]:
    done, took_s = _number(report, "done"), _number(report, "seconds")
    found = []
    if done and took_s:
        pace = 3600 * done / took_s
        found.append(
            Figure("Throughput", f"{pace:,.0f} / h" if pace >= 10 else f"{pace:.1f} / h", "last run")
        )
    if took_s:
        found.append(Figure("Duration", length_of_time(took_s), "last run"))
    if device_s := _number(report, "device_seconds"):
        found.append(Figure("Device-hours", f"{device_s / 3600:.3g}", "last run, start and waits included"))
    return found


def _cost(report: Mapping[str, Any], cost_per_hour: float | None) -> list[Figure]:
    machine_s = _number(report, "machine_seconds")
    if cost_per_hour is not None and machine_s:
        return [
            Figure("Cost", f"{machine_s / 3600 * cost_per_hour:,.2f}", f"last run, at {cost_per_hour:g} / h")
        ]
    cost = _number(report, "cost")
    return [Figure("Cost", f"{cost:,.2f}", "last run")] if cost else []


def _number(report: Mapping[str, Any], key: str) -> float:
    """A number that a run may have written; 0 for anything else."""
    value = report.get(key)
    if not isinstance(value, int | float) or isinstance(value, bool):
        return 0.0
    return float(value) if 0 <= value <= max(LONGEST_S * 1e6, sys.maxsize) else 0.0
