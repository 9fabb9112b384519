"""A night through a fleet without a picture: what the parent, the server and the database have to bear."""

from __future__ import annotations

import asyncio
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.fleet.parent import FLEET, POOL, SHARDS_FLOW, report_of_fleet, run_parent, site
from benchmarks.fleet.relay import Relay
from benchmarks.fleet.stand_in import StandIn
from benchmarks.many_pairs.records import write_manifests

if TYPE_CHECKING:
    from prefect_site import Site

PAGE = 200


# Why so many: a field for each thing that is measured.
@dataclass(frozen=True, slots=True)
class Night:
    """What a fleet cost, and what it says of itself.

    Attributes:
        pairs: that were to do.
        shards: that were asked for.
        database: its kind, in words.
        report: the fleet's.
        states: how many flow runs of shards there are in each state.
        peak_bytes: the most memory that the parent had.
        requests: of the parent to the server.
        database_bytes: by how much the night made the database larger.
        plan_s: from the start of the parent's flow until it knows what is to do.
        submit_s: from the first flow run of a shard to the last.
        close_s: from the end of the last shard to that of the parent's flow: a look, a plan, the report.
        wall_s: of the parent's process.
        writing_s: of it, what the stand-in took to write results, which nothing but that waits for.
    """

    pairs: int
    shards: int
    database: str
    report: Mapping[str, Any]
    states: Mapping[str, int]
    peak_bytes: int
    requests: int
    database_bytes: int
    plan_s: float
    submit_s: float
    close_s: float
    wall_s: float
    writing_s: float

    @property
    def unaccounted(self) -> str:
        """What the books do not say as they should; empty if every pair and every shard is there once."""
        expected = {"planned": self.pairs, "done": self.pairs, "done_before": 0, "failed": 0, "left": 0}
        expected |= {"device_seconds": self.pairs}  # the stand-in's shards say a second for each pair
        wrong = [
            f"{key} is {self.report.get(key)}, not {value}"
            for key, value in expected.items()
            if self.report.get(key) != value
        ]
        if self.states != {"COMPLETED": self.shards}:
            wrong.append(f"flow runs of shards are {dict(self.states)}, not {self.shards} COMPLETED")
        return "; ".join(wrong)


def fleet_night(*, pairs: int, shards: int) -> Night:
    """One night, on PostgreSQL if that is installed, else on SQLite.

    Args:
        pairs: 1 or more; above a thousand, rounded up to thousands.
        shards: 1 or more, and so few that each has a pair.
    """
    with tempfile.TemporaryDirectory() as folder, site(Path(folder, "site")) as (installation, database):
        manifest, _ = write_manifests(Path(folder), pairs)
        stand_in = StandIn(installation, POOL, manifest, shards)
        before = _database_bytes(installation, database)
        with Relay(installation.port) as relay:
            server = f"http://127.0.0.1:{relay.port}/api"
            cost = run_parent(installation, server, stand_in.work, manifest=str(manifest), shards=shards)
            requests = relay.requests
        report = report_of_fleet(installation, Path(folder, "fresh"))
        (fleet,), made = installation.runs(FLEET), list(_shard_runs(installation))
        created = [_at(run["created"]) for run in made]
        return Night(
            pairs=stand_in.pairs,
            shards=shards,
            database="PostgreSQL" if database else "SQLite",
            report=report,
            states=Counter(run["state_type"] for run in made),
            peak_bytes=cost.peak_bytes,
            requests=requests,
            database_bytes=_database_bytes(installation, database) - before,
            plan_s=_logged_at(installation, fleet["id"], " pairs to do in ") - _at(fleet["start_time"]),
            submit_s=max(created) - min(created),
            close_s=_at(fleet["end_time"]) - max(_at(run["end_time"]) for run in made),
            wall_s=cost.seconds,
            writing_s=stand_in.writing_s,
        )


def _shard_runs(site: Site) -> Iterator[dict[str, Any]]:
    chosen = {"flows": {"name": {"any_": [SHARDS_FLOW]}}, "sort": "ID_DESC", "limit": PAGE}
    offset = 0
    while page := site.ask("flow_runs/filter", chosen | {"offset": offset}):
        yield from page
        offset += len(page)


def _logged_at(site: Site, run: str, words: str) -> float:
    wanted = {"logs": {"flow_run_id": {"any_": [run]}}, "sort": "TIMESTAMP_ASC", "limit": PAGE}
    lines = site.ask("logs/filter", wanted)
    return next(_at(line["timestamp"]) for line in lines if words in line["message"])


def _at(time: str) -> float:
    return datetime.fromisoformat(time).timestamp()


def _database_bytes(site: Site, database: str) -> int:
    if not database:
        return sum(file.stat().st_size for file in (site.home / "prefect").glob("prefect.db*"))

    async def asked() -> int:
        import asyncpg  # comes with Prefect

        connection = await asyncpg.connect(database.replace("+asyncpg", ""))
        try:
            return int(await connection.fetchval("SELECT pg_database_size(current_database())"))
        finally:
            await connection.close()

    return asyncio.run(asked())
