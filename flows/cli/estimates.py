"""What is expected of a plan, for people and scripts."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from typing import Any

from flows.cli.counts import rounded
from flows.errors import BadArguments
from flows.model.estimate import Expected, Prospect
from flows.planning.plan import Plan
from flows.text import bytes_in_words, safe_text
from stylize_core.demand.rungs import WHOLE

NO_ESTIMATE = "no estimate of the time: run `stylize plan --calibrate`, or a first pair"
TROUBLES_SHOWN = 20


def check_price(per_hour: float | None) -> None:
    """Refuse a price that is none.

    Raises:
        BadArguments: it is not above 0.
    """
    if per_hour is not None and not 0 < per_hour < math.inf:
        raise BadArguments(f"--cost-per-hour: {per_hour:g} is not accepted; it must be above 0")


def prospect_facts(prospect: Prospect, per_hour: float | None) -> dict[str, Any]:
    """The totals as `stylize plan --json` prints them; None for what nobody knows."""
    return {
        "seconds": prospect.seconds,
        "device_seconds": prospect.device_s,
        "start_seconds": prospect.start_s,
        "pairs_without_estimate": prospect.unknown,
        "source": prospect.source,
        "workers": prospect.workers,
        "memory_bytes": prospect.memory_bytes,
        "output_bytes": prospect.output_bytes,
        "cost": None if per_hour is None else prospect.cost(per_hour),
        "cannot_fit": dict(prospect.troubles),
    }


def pair_facts(one: Expected, prospect: Prospect, per_hour: float | None) -> dict[str, Any]:
    """The same of one pair."""
    share = None if per_hour is None or one.device_s is None else one.device_s / prospect.workers / 3600
    return {
        "width": one.width,
        "height": one.height,
        "seconds": one.seconds,
        "memory_bytes": one.memory_bytes,
        "output_bytes": one.output_bytes,
        "cost": None if share is None else share * (per_hour or 0.0),
        "way": one.rung.words(),
        "trouble": one.trouble,
    }


def columns_of(one: Expected) -> tuple[str, str, str]:
    """Time, memory and file of a pair, for a table."""
    time = "?" if one.seconds is None else rounded(one.seconds)
    file = "?" if one.output_bytes is None else bytes_in_words(one.output_bytes)
    memory = "?" if one.memory_bytes is None else bytes_in_words(one.memory_bytes)
    return time, memory + (" !" if one.trouble else ""), file


def prospect_lines(plan: Plan, prospect: Prospect, per_hour: float | None) -> Iterator[str]:
    """The totals: why pairs are to do, what they take, and which of them cannot fit."""
    if not plan.todo:
        return
    reasons = [f"{count} {reason}" for reason, count in plan.reasons.items()]
    reasons += [f"{len(plan.left_out)} left out"] if plan.left_out else []
    yield safe_text(", ".join(reasons))
    yield _totals(prospect, per_hour)
    for way, count in Counter(one.rung.words() for one in prospect.pairs if one.rung != WHOLE).items():
        yield f"memory is short: {count} of {len(prospect.pairs)} will be made {way}"
    for name, trouble in list(prospect.troubles.items())[:TROUBLES_SHOWN]:
        yield safe_text(f"{name} cannot fit: {trouble}")
    if (more := len(prospect.troubles) - TROUBLES_SHOWN) > 0:
        yield f"and {more} more that cannot fit; --json lists all"


def _totals(prospect: Prospect, per_hour: float | None) -> str:
    workers = f"{prospect.workers} workers" if prospect.workers > 1 else "1 worker"
    parts = [f"{bytes_in_words(prospect.memory_bytes)} of memory on {workers}"]
    if (written := prospect.output_bytes) is not None:
        parts.append(f"{bytes_in_words(written)} of pictures")
    if per_hour is not None and (cost := prospect.cost(per_hour)) is not None:
        parts.append(f"a cost of {cost:.2f} at {per_hour:g} per hour")
    if prospect.seconds is None:
        few = f"{prospect.unknown} of {len(prospect.pairs)} pairs have "
        few = few if prospect.unknown < len(prospect.pairs) else ""
        return f"{few}{NO_ESTIMATE}; {', '.join(parts)}"
    return f"about {rounded(prospect.seconds)} by {prospect.source}; {', '.join(parts)}"
