"""`python -m benchmarks objective` and `solvers`: who comes how far, and in which time."""

from __future__ import annotations

from pathlib import Path

import safetensors.torch
import torch
from rich.table import Table

from benchmarks.choices import DEFAULTS, MORE_PAIRS, defaults_table
from benchmarks.objective import WAYS, objective_table
from benchmarks.pictures import weights_for, whole_weights_for


def cells_of(table: Table) -> dict[str, list[str]]:
    return {str(column.header): list(map(str, column.cells)) for column in table.columns}


def test_every_way_has_a_row_for_each_goal_with_a_ratio_or_the_word_that_it_was_not_reached() -> None:
    cells = cells_of(objective_table("slim", size=48, steps=10, rounds=2, file=None))
    ours = [way.name for way in WAYS.values() if way.init == "content"]
    assert cells["way"] == ["plain PyTorch, float32", *ours] * 2
    assert [goal.split(", ")[-1] for goal in cells["goal"] if goal] == ["as saved", "raw pixels"]
    assert cells["ratio"][0] == "1.00"
    for evaluations, seconds, ratio in zip(
        cells["evaluations"], cells["seconds"], cells["ratio"], strict=True
    ):
        assert (float(ratio) > 0 and int(evaluations) <= 20) if seconds else ratio == "not reached"


def test_a_larger_network_is_begun_for_by_slim_as_well() -> None:
    table = objective_table(
        "vgg19", size=32, steps=5, rounds=1, file=None, goals=["saved"], ways=["fp32-from-slim"]
    )
    assert cells_of(table)["way"] == ["plain PyTorch, float32", WAYS["fp32-from-slim"].name]


def test_what_a_file_of_the_first_layers_lacks_is_random_and_the_same_at_each_time(tmp_path: Path) -> None:
    whole = weights_for("vgg19", None).parameters
    first = {name: torch.full_like(whole[name], 0.25) for name in ("features.0.weight", "features.0.bias")}
    file = tmp_path / "first.safetensors"
    safetensors.torch.save_file(first, file)
    found = whole_weights_for("vgg19", str(file)).parameters
    assert set(found) == set(whole)
    for name in whole:
        assert torch.equal(found[name], first.get(name, whole[name])), name


def test_only_the_counts_that_are_asked_for_are_tried() -> None:
    table = objective_table(
        "slim", size=48, steps=10, rounds=1, file=None, goals=["saved"], ways=["fp32"], tried=[20, 1]
    )
    assert cells_of(table)["evaluations"] in (["10", "1"], ["10", "20"])
    one = objective_table(
        "slim", size=48, steps=40, rounds=1, file=None, goals=["raw"], ways=["fp32"], tried=[1]
    )
    assert cells_of(one)["evaluations"] == ["40", "more than 1"]


def test_the_defaults_of_once_and_now_are_judged_by_one_objective() -> None:
    cells = cells_of(defaults_table(sizes=(48, 64), steps=3))
    assert cells["px"] == ["48"] * len(MORE_PAIRS) + ["64"] * len(MORE_PAIRS)
    assert len(set(cells["pair"])) == len(MORE_PAIRS) == 6
    for way in DEFAULTS:
        assert all(0 < float(cell) < 1e4 for cell in cells[way])
    assert cells["once"] != cells["now"]
