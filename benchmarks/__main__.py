"""`python -m benchmarks [NAME ...]`: tables of measurements, one run each.

`gpu` and `roofline` are commands of their own: `python -m benchmarks gpu --help`.
"""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Collection
from pathlib import Path

import torch
from rich.console import Console

from benchmarks.choices import colours_table, defaults_table, solvers_table
from benchmarks.estimates import estimates_table
from benchmarks.evaluation import evaluation_table
from benchmarks.fleet.command import NAMES as FLEET_NAMES
from benchmarks.fleet.command import add_options, print_tables
from benchmarks.gpu import command as gpu
from benchmarks.large import add_options as add_options_of_large
from benchmarks.large import large_rows
from benchmarks.looks.command import add_options as add_options_of_looks
from benchmarks.looks.command import looks_table
from benchmarks.many_pairs.lists import lists_table
from benchmarks.many_pairs.records import records_table
from benchmarks.many_pairs.report_page import MOST, report_page_table
from benchmarks.objective import add_options as add_options_of_objective
from benchmarks.objective import chosen_table
from benchmarks.pipeline import pipeline_table
from benchmarks.precision import precision_table
from benchmarks.products import products_table
from benchmarks.reconstructions import content_table, texture_table
from benchmarks.scaling import scaling_table
from benchmarks.throughput import throughput_table
from benchmarks.waiting import waiting_table

ALONE = {"gpu": gpu.main, "roofline": gpu.roofline}
NAMES = (
    "evaluation",
    "objective",
    "precision",
    "products",
    "reconstructions",
    "solvers",
    "colours",
    "throughput",
    "pipeline",
    "records",
    "report_page",
    "lists",
    "scaling",
    "waiting",
    "looks",
    "large",
    "estimates",
    *FLEET_NAMES,
)


def argument_parser() -> argparse.ArgumentParser:
    """The options of all tables; those of `ALONE` have their own."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="|".join(NAMES), help="all of them if left out")
    parser.add_argument("--size", type=int, default=512, help="long edge, px")
    parser.add_argument(
        "--rounds", type=int, default=3, help="rounds of each way but the objective's plain one"
    )
    parser.add_argument(
        "--pairs", type=int, default=100_000, help="pairs for records and fleet, pictures for lists"
    )
    parser.add_argument(
        "--steps", type=int, default=200, help="plain PyTorch's evaluations for the objective"
    )
    parser.add_argument("--threads", type=int, help="CPU threads; torch's choice if left out")
    parser.add_argument("--against", type=Path, help="an older checkout to compare the records with")
    parser.add_argument("--weights", help="a VGG-19 file; `slim` alone, or random weights, if left out")
    add_options(parser)
    add_options_of_looks(parser)
    add_options_of_large(parser)
    add_options_of_objective(parser)
    return parser


def main() -> None:
    """Print the tables that were asked for."""
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))  # so the servers end as well
    if sys.argv[1:2] and (alone := ALONE.get(sys.argv[1])):
        sys.exit(alone(sys.argv[2:]))
    parser = argument_parser()
    options = parser.parse_args()
    if unknown := set(options.names) - set(NAMES):
        parser.error(f"there is no benchmark {', '.join(sorted(unknown))}")
    if options.threads:
        torch.set_num_threads(options.threads)
    console = Console(width=170)  # the widest table's, whose figures would be cut otherwise
    wanted = options.names or NAMES
    if "evaluation" in wanted:
        for encoder in ("slim", "vgg19"):
            table = evaluation_table(encoder, size=options.size, rounds=options.rounds, file=options.weights)
            console.print(table)
    if "objective" in wanted:
        console.print(chosen_table(options))
    if "precision" in wanted:
        console.print(precision_table("slim", size=options.size, steps=options.steps, file=None))
    if "precision" in wanted and options.weights:
        table = precision_table("vgg19", size=options.size, steps=options.steps, file=options.weights)
        console.print(table)
    if "products" in wanted:
        console.print(products_table(size=options.size, rounds=options.rounds))
    if "reconstructions" in wanted:
        console.print(content_table(size=256, steps=100))
        console.print(texture_table(size=256, steps=300))
    if "solvers" in wanted:
        console.print(solvers_table(size=192, steps=100))
        console.print(defaults_table(sizes=options.sizes or (256, 512, 1024), steps=options.steps))
    if "colours" in wanted:
        console.print(colours_table(size=320, steps=100))
    if "throughput" in wanted:
        console.print(throughput_table(size=256, steps=50, rounds=options.rounds))
    if "pipeline" in wanted:
        for size, steps in ((256, 50), (64, 10)):
            console.print(pipeline_table(size=size, steps=steps, rounds=options.rounds))
    _print_bounds(wanted, options, console)
    if "scaling" in wanted:
        console.print(scaling_table(size=256, steps=50, rounds=options.rounds))
    if "waiting" in wanted:
        console.print(waiting_table(size=256, rounds=10 * options.rounds))
    if "looks" in wanted:
        console.print(looks_table(options))
    if "estimates" in wanted:
        console.print(estimates_table())
    print_tables(wanted, options, console)


def _print_bounds(wanted: Collection[str], options: argparse.Namespace, console: Console) -> None:
    """What very large pictures cost, and a great many pairs that are planned, listed and looked at."""
    if "large" in wanted:
        for row in large_rows(options):  # each as soon as it is there: the last ones take long
            print(row, flush=True)
    if "records" in wanted:
        console.print(records_table(pairs=options.pairs, rounds=options.rounds, against=options.against))
    if "report_page" in wanted:
        console.print(report_page_table(pairs=min(options.pairs, MOST), rounds=options.rounds))
    if "lists" in wanted:
        console.print(lists_table(pictures=options.pairs, rounds=options.rounds))


if __name__ == "__main__":
    main()
