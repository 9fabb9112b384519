"""What a night through a fleet may cost at most, and its table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rich.table import Table

from benchmarks.fleet.night import Night

# Each is two to four times what was measured on a busy machine (docs/performance.md), and grows with what the
# cost grows with: so it holds for small nights as well, and a cost that grows faster is found.
PARENT_MB, PARENT_KB_PER_PAIR = 200, 6
REQUESTS, REQUESTS_PER_SHARD = 60, 6
LOOKS_PER_S, SHARDS_PER_LOOK = (
    1 / 5,
    200,
)  # how often the parent asks for its shards' flow runs, and for how many
DATABASE_MB, DATABASE_KB_PER_SHARD = 8, 100
WALL_S, WALL_MS_PER_PAIR, WALL_S_PER_SHARD = 120, 2, 2


@dataclass(frozen=True, slots=True)
class Bounded:
    """A cost, and the most that it may be, in the same unit."""

    cost: float
    most: float
    unit: str


def bounded(night: Night) -> Mapping[str, Bounded]:
    """Each cost of a night that is bounded, by its name."""
    looks = night.wall_s * LOOKS_PER_S * (1 + night.shards / SHARDS_PER_LOOK)
    return {
        "peak memory of the parent": Bounded(
            night.peak_bytes / 2**20, PARENT_MB + night.pairs * PARENT_KB_PER_PAIR / 2**10, "MB"
        ),
        "requests of the parent to the server": Bounded(
            night.requests, REQUESTS + night.shards * REQUESTS_PER_SHARD + looks, ""
        ),
        "growth of the database": Bounded(
            night.database_bytes / 2**20, DATABASE_MB + night.shards * DATABASE_KB_PER_SHARD / 2**10, "MB"
        ),
        "wall time, but for writing the results": Bounded(
            night.wall_s - night.writing_s,
            WALL_S + night.pairs * WALL_MS_PER_PAIR / 1e3 + night.shards * WALL_S_PER_SHARD,
            "s",
        ),
    }


def exceeded(night: Night) -> str:
    """Why a night is not as it should be, in a line; empty if it is."""
    beyond = [
        f"{name}: {_said(one.cost, one.unit)}, more than {_said(one.most, one.unit)}"
        for name, one in bounded(night).items()
        if one.cost > one.most
    ]
    return "; ".join([night.unaccounted, *beyond] if night.unaccounted else beyond)


def night_table(night: Night) -> Table:
    """Everything that was measured, with the bounds, for each pair and for each shard."""
    title = f"{night.pairs:,} pairs in {night.shards} shards without pictures, {night.database}"
    table = Table("cost", "measured", "at most", "per pair", "per shard", title=title)
    for name, one in bounded(night).items():
        scale, unit = {"MB": (2**10, "kB"), "s": (1e3, "ms")}.get(one.unit, (1, ""))
        shares = (f"{one.cost * scale / number:.3g} {unit}" for number in (night.pairs, night.shards))
        table.add_row(name, _said(one.cost, one.unit), _said(one.most, one.unit), *shares)
    for name, seconds in {
        "wall time of the parent, with that": night.wall_s,
        "from its start to its plan": night.plan_s,
        "from the first shard submitted to the last": night.submit_s,
        "from the end of the last shard to its own": night.close_s,
    }.items():
        table.add_row(name, f"{seconds:,.1f} s", "", f"{seconds * 1e3 / night.pairs:.3g} ms", "")
    return table


def _said(number: float, unit: str) -> str:
    return f"{number:,.0f} {unit}".strip()
