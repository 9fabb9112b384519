"""The arithmetic of a fleet's load, worked out by hand from round terms."""

from __future__ import annotations

from argparse import ArgumentParser

from benchmarks.fleet.load import PlanTerms, add_options, of_fleet
from benchmarks.fleet.server import ServerTerms
from benchmarks.fleet.store import StoreTerms
from benchmarks.many_pairs.batch import Cost

PLAN = PlanTerms(Cost(1.0, 2**20), s_per_name=1e-4, bytes_per_name=2**20 / 1e4, filter_s_per_name=1e-6)
STORE = StoreTerms(
    {"GET": 2.0, "PUT": 2.0}, {"GET": 5.0, "LIST": 5.0}, per_refresh=2.0, names_per_list=1000.0
)
SERVER = ServerTerms(states=4.0, requests=40.0, idle_per_s=0.1)


def load(*options: str, slots: int) -> dict[str, str]:
    parser = ArgumentParser()
    add_options(parser)
    return of_fleet(parser.parse_args(options), slots, PLAN, STORE, SERVER)


def test_a_hundred_thousand_pairs_on_ten_gpus() -> None:
    found = load(
        "--fleet-pairs", "100000", "--seconds-per-pair", "10.5", "--fleet-contents", "10000", slots=10
    )
    assert found == {
        "shards": "1000",
        "pairs per shard": "100",
        "minutes per shard": "17.5",
        "wall time, hours": "29.2",
        "plan of a shard": "11.0 s, 11 MB",
        "of it choosing names": "0.1 s",
        "plan and listings at 0.1 s a page, of a shard's time": "1%",  # 11, 1 and 0.6 s of 1,050 s
        "requests to storage per shard": "830",  # 100 x 4, 10, 10 pages, 200 names and 105 x 2 for the lock
        "of them pages of listings": "10",
        "of them for its own names in the output": "200",
        "of them for the lock": "210",
        "requests to storage per pair, all included": "8.3",
        "requests to storage per second": "8",
        "state changes per second": "0.04",
        "requests to Prefect per shard": "110",  # 40, and 35 counts and heartbeats each
        "requests to Prefect per second": "1.0 + 1.0 of workers",
    }


def test_more_gpus_than_shards_ask_no_more_of_storage() -> None:
    few, many = (load("--fleet-pairs", "100", slots=slots) for slots in (100, 1000))
    assert few["requests to storage per second"] == many["requests to storage per second"]


def test_a_few_large_shards_list_their_output() -> None:
    found = load("--fleet-pairs", "100", "--fleet-contents", "0", slots=1)
    assert found["of them for its own names in the output"] == "0"
