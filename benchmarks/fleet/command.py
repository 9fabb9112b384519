"""The part of `python -m benchmarks` that is about fleets."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Container

from rich.console import Console

from benchmarks.fleet.bounds import exceeded, night_table
from benchmarks.fleet.load import add_options as add_options_of_load
from benchmarks.fleet.load import fleet_tables
from benchmarks.fleet.night import fleet_night
from benchmarks.fleet.scaling import WORTH_IT, efficiency, fleet_scaling_table, fleet_speeds

NAMES = ("fleet", "fleet-load", "fleet-scaling")


def add_options(parser: ArgumentParser) -> None:
    """What these benchmarks take as given."""
    parser.add_argument("--shards", type=int, default=500, help="of the fleet's pairs (--pairs)")
    add_options_of_load(parser)


def print_tables(wanted: Container[str], options: Namespace, console: Console) -> None:
    """Print what was asked for; one that costs more than it may ends the program, exit code 1."""
    if "fleet-load" in wanted:
        console.print(*fleet_tables(options), sep="\n")
    if "fleet-scaling" in wanted:
        speeds = fleet_speeds(rounds=options.rounds)
        console.print(fleet_scaling_table(speeds))
        if (found := efficiency(speeds)) < WORTH_IT:
            sys.exit(
                f"fleet-scaling: an efficiency of {found:.2f}, less than {WORTH_IT}; is the machine busy?"
            )
    if "fleet" in wanted:
        night = fleet_night(pairs=options.pairs, shards=options.shards)
        console.print(night_table(night))
        if trouble := exceeded(night):
            sys.exit(f"fleet: {trouble}")
