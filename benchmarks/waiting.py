"""How OpenMP's threads wait for one another: what an evaluation takes alone, and beside others."""

from __future__ import annotations

from functools import partial

import torch
from rich.table import Table

from benchmarks.evaluation import chain
from benchmarks.pictures import benchmark_settings
from benchmarks.turns import Way, take_turns
from flows.worker.torch_environment import WANTED

OURS = {"GOMP_SPINCOUNT": WANTED["GOMP_SPINCOUNT"]}
POLICIES = (
    {"OMP_WAIT_POLICY": "PASSIVE"},
    OURS,
    {"GOMP_SPINCOUNT": "10000"},
    {"GOMP_SPINCOUNT": "100000"},
)
CROWDS = (1, 2, 4)


def waiting_table(*, size: int, rounds: int) -> Table:
    """Median milliseconds of one evaluation by the number of processes that make one at the same time."""
    settings = benchmark_settings(size=size)
    threads = torch.get_num_threads()
    table = Table(
        "waiting", *(f"{crowd} at once, ms" for crowd in CROWDS),
        title=f"one loss and gradient, slim, {size} px, bfloat16, {threads} threads each",
    )  # fmt: skip
    for policy in POLICIES:
        (word,) = (f"{name}={value}" for name, value in policy.items())
        cells = []
        for crowd in CROWDS:
            way = Way(partial(chain, settings, None, "bfloat16"), environment=policy, copies=crowd)
            found = take_turns({word: way}, rounds=rounds, threads=threads)
            cells.append(f"{1e3 * found[word].median:.1f}")
        table.add_row(word + (" (ours)" if policy is OURS else ""), *cells)
    return table
