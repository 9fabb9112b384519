"""A million pairs on many GPUs, by arithmetic: what the shards ask of storage, of Prefect and of themselves.

The terms are measured in the same run on this machine; what cannot be measured here is an option, and said.
"""

from __future__ import annotations

import tempfile
import time
from argparse import ArgumentParser, Namespace
from dataclasses import dataclass
from pathlib import Path

from rich.table import Table

from benchmarks.fleet.server import ServerTerms, server_terms
from benchmarks.fleet.store import StoreTerms, store_terms
from benchmarks.many_pairs.batch import Cost, stylize
from benchmarks.many_pairs.records import write_manifests
from flows.model.shard import Shard
from flows.planning.output import asking_is_cheaper
from flows.planning.threads import REMOTE_THREADS
from flows.running.sizing import Sizing, choose_shards
from flows.storage.lock import REFRESH_S

FEW_NAMES = 1000
TOLD_EVERY_S = 30.0  # a count in the log, and a heartbeat
FILES_PER_PAIR = 2


def add_options(parser: ArgumentParser) -> None:
    """What the arithmetic takes as given."""
    given = parser.add_argument_group("fleet-load")
    given.add_argument("--fleet-pairs", type=int, default=1_000_000, help="pairs, none of them done")
    given.add_argument("--fleet-slots", type=int, nargs="+", default=[64, 1000], help="GPUs")
    given.add_argument("--fleet-contents", type=int, default=100_000, help="files that are listed for them")
    given.add_argument(
        "--seconds-per-pair", type=float, default=3.0, help="of one GPU; nobody measured it yet"
    )
    given.add_argument("--list-s", type=float, default=0.1, help="seconds for a page of a listing")


@dataclass(frozen=True, slots=True)
class PlanTerms:
    """What a shard's plan costs for the names of the whole manifest, and what it costs anyway."""

    base: Cost
    s_per_name: float
    bytes_per_name: float
    filter_s_per_name: float

    def of(self, names: int) -> Cost:
        """The plan of a manifest of so many names."""
        peak = self.base.peak_bytes + round(names * self.bytes_per_name)
        return Cost(self.base.seconds + names * self.s_per_name, peak)


def fleet_tables(options: Namespace) -> tuple[Table, Table]:
    """The terms, and what follows from them for each number of GPUs."""
    plan, store, server = plan_terms(options.pairs), store_terms(), server_terms()
    return _terms(plan, store, server), _load(options, plan, store, server)


def plan_terms(names: int) -> PlanTerms:
    """Two plans of one shard of 500 over local files, of few names and of many."""
    few, many = _plan(FEW_NAMES), _plan(names)
    began = time.perf_counter()
    shard = Shard(0, 500)
    for number in range(names):
        shard.holds(f"content{number}__style")
    filter_s = time.perf_counter() - began
    more = names - FEW_NAMES
    return PlanTerms(
        few, (many.seconds - few.seconds) / more, (many.peak_bytes - few.peak_bytes) / more, filter_s / names
    )


def _plan(names: int) -> Cost:
    with tempfile.TemporaryDirectory() as folder:
        fresh, _ = write_manifests(Path(folder), names)
        return stylize("plan", str(fresh), "--shard", "0/500")


def _terms(plan: PlanTerms, store: StoreTerms, server: ServerTerms) -> Table:
    table = Table("term", "measured here", title="the terms")
    for term, value in {
        "plan of a shard, per 100,000 names": _cost(plan.s_per_name * 1e5, plan.bytes_per_name * 1e5),
        "plan of a shard, beside that": _cost(plan.base.seconds, plan.base.peak_bytes),
        "choosing a shard's names, per 100,000": f"{plan.filter_s_per_name * 1e5:.2f} s",
        "requests to storage per pair": _methods(store.per_pair),
        "requests to storage per shard, beside that": _methods(store.per_shard),
        f"requests per refresh of the lock, every {REFRESH_S:g} s": f"{store.per_refresh:g}",
        "names per page of a listing": f"{store.names_per_list:g}",
        "state changes per shard": f"{server.states:g}",
        "requests to Prefect per shard": f"{server.requests:.0f}",
        "requests to Prefect of an idle worker": f"{server.idle_per_s:.2g}/s",
    }.items():
        table.add_row(term, value)
    return table


def _load(options: Namespace, plan: PlanTerms, store: StoreTerms, server: ServerTerms) -> Table:
    counts = options.fleet_slots
    head = (
        f"{options.fleet_pairs:,} pairs, {options.seconds_per_pair:g} s each",
        *(f"{n} GPUs" for n in counts),
    )
    table = Table(*head, title="what follows")
    found = [of_fleet(options, slots, plan, store, server) for slots in counts]
    for line in found[0]:
        table.add_row(line, *(facts[line] for facts in found))
    return table


def of_fleet(
    options: Namespace, slots: int, plan: PlanTerms, store: StoreTerms, server: ServerTerms
) -> dict[str, str]:
    """The load of a fleet of so many GPUs, each with a worker of its own."""
    pairs: int = options.fleet_pairs
    sizing = choose_shards(pairs, slots=slots, seconds_per_pair=options.seconds_per_pair)
    shard_s, wall_s = 60 * (sizing.minutes_per_shard or 0), sizing.wall_s or 0
    pages, asked = _looks(options, pairs, sizing.shards, store.names_per_list)
    planned = plan.of(pairs)
    begins_s = planned.seconds + (pages + asked / REMOTE_THREADS) * options.list_s
    refreshes = shard_s / REFRESH_S * store.per_refresh
    per_shard = (
        pairs / sizing.shards * sum(store.per_pair.values())
        + sum(store.per_shard.values())
        + pages
        + asked
        + refreshes
    )
    told = server.requests + 2 * shard_s / TOLD_EVERY_S
    at_work = min(slots, sizing.shards)
    return {
        "shards": f"{sizing.shards}",
        "pairs per shard": f"{pairs / sizing.shards:.0f}",
        "minutes per shard": f"{shard_s / 60:.1f}",
        "wall time, hours": f"{wall_s / 3600:.1f}",
        "plan of a shard": _cost(planned.seconds, planned.peak_bytes),
        "of it choosing names": f"{pairs * plan.filter_s_per_name:.1f} s",
        f"plan and listings at {options.list_s:g} s a page, of a shard's time": f"{begins_s / shard_s:.0%}",
        "requests to storage per shard": f"{per_shard:,.0f}",
        "of them pages of listings": f"{pages:,.0f}",
        "of them for its own names in the output": f"{asked:,.0f}",
        "of them for the lock": f"{refreshes:.0f}",
        "requests to storage per pair, all included": f"{per_shard * sizing.shards / pairs:.1f}",
        "requests to storage per second": f"{per_shard * at_work / shard_s:,.0f}",
        "state changes per second": f"{server.states * sizing.shards / wall_s:.2f}",
        "requests to Prefect per shard": f"{told:.0f}",
        "requests to Prefect per second": _server_rate(sizing, told, server.idle_per_s),
    }


def _looks(options: Namespace, pairs: int, shards: int, names_per_list: float) -> tuple[float, float]:
    """Pages that a shard lists when it begins, and names in the output that it asks for instead.

    Where the output is listed, half of the results lie there on average.
    """
    contents, own = options.fleet_contents / names_per_list, FILES_PER_PAIR * pairs / shards
    if asking_is_cheaper(round(own), FILES_PER_PAIR * pairs, remote=True):
        return contents, own
    return contents + FILES_PER_PAIR * pairs / 2 / names_per_list, 0.0


def _server_rate(sizing: Sizing, told: float, idle_per_s: float) -> str:
    """Of the shards and, with a worker for each GPU, of the workers' questions for work."""
    wall_s = sizing.wall_s or 0
    return f"{told * sizing.shards / wall_s:.1f} + {idle_per_s * sizing.slots:.1f} of workers"


def _methods(requests: dict[str, float]) -> str:
    found = {method: number for method, number in requests.items() if number}
    return f"{sum(found.values()):.1f}: " + ", ".join(f"{n:.1f} {method}" for method, n in found.items())


def _cost(seconds: float, memory: float) -> str:
    return f"{seconds:.1f} s, {memory / 2**20:.0f} MB"
