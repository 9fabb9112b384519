"""Which shard a task of a job array makes, and which job it belongs to, told by its platform's variables."""

from __future__ import annotations

import pytest

from flows.errors import BadArguments
from flows.model.shard import WHOLE, Shard
from flows.running.platforms import job_of_this_process, shard_of

BATCH = {
    "AWS_BATCH_JOB_ID": "f00d:2",
    "AWS_BATCH_JOB_ARRAY_INDEX": "2",
    "AWS_BATCH_JOB_ARRAY_SIZE": "4",
    "AWS_BATCH_JOB_ATTEMPT": "3",
}
SLURM = {
    "SLURM_ARRAY_JOB_ID": "77",
    "SLURM_ARRAY_TASK_ID": "16",
    "SLURM_ARRAY_TASK_COUNT": "16",
    "SLURM_ARRAY_TASK_MIN": "1",
    "SLURM_ARRAY_TASK_MAX": "16",
}
INDEXED = {"JOB_COMPLETION_INDEX": "5"}
SKY = {"SKYPILOT_NODE_RANK": "1", "SKYPILOT_NUM_NODES": "2", "SKYPILOT_TASK_ID": "sky-2026-x"}


def test_without_a_word_a_run_makes_everything_whatever_platform_it_is_on() -> None:
    assert shard_of(None, BATCH) == WHOLE


def test_a_shard_is_named_by_hand() -> None:
    assert shard_of("1/4", {}) == Shard(1, 4)


@pytest.mark.parametrize(
    ("environ", "shard"),
    [(BATCH, Shard(2, 4)), (SLURM, Shard(15, 16)), (SKY, Shard(1, 2))],
    ids=["AWS Batch", "Slurm", "SkyPilot"],
)
def test_auto_is_what_the_platform_says(environ: dict[str, str], shard: Shard) -> None:
    assert shard_of("auto", environ) == shard


def test_an_array_that_counts_from_0_is_as_good_as_one_from_1() -> None:
    from_zero = SLURM | {
        "SLURM_ARRAY_TASK_MIN": "0",
        "SLURM_ARRAY_TASK_MAX": "15",
        "SLURM_ARRAY_TASK_ID": "3",
    }
    assert shard_of("auto", from_zero) == Shard(3, 16)


def test_kubernetes_is_told_how_many_there_are() -> None:
    assert shard_of("auto/8", INDEXED) == Shard(5, 8)
    with pytest.raises(BadArguments, match="Kubernetes does not say how many tasks there are; use auto/n"):
        shard_of("auto", INDEXED)


def test_a_part_of_an_array_is_not_taken_for_the_whole_of_one() -> None:
    again = SLURM | {"SLURM_ARRAY_TASK_COUNT": "1", "SLURM_ARRAY_TASK_MIN": "3", "SLURM_ARRAY_TASK_MAX": "3"}
    with pytest.raises(BadArguments, match="1 tasks, 3 to 3, which may be a part of an array"):
        shard_of("auto", again | {"SLURM_ARRAY_TASK_ID": "3"})
    assert shard_of("auto/16", again | {"SLURM_ARRAY_TASK_ID": "3"}) == Shard(3, 16)


def test_outside_of_any_array_auto_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(BadArguments, match=r"no task of a job array .* Slurm \(SLURM_ARRAY_TASK_ID\)"):
        shard_of("auto", {})


@pytest.mark.parametrize("text", ["4/4", "1", "1/0", "-1/4", "a/b", "", "auto/", "auto/x", "auto/5"])
def test_what_names_no_shard_is_refused_with_what_does(text: str) -> None:
    with pytest.raises(BadArguments, match="it must be i/n, such as 0/4"):
        shard_of(text, INDEXED)


def test_attempts_at_one_job_have_one_name_and_its_other_tasks_another() -> None:
    later = BATCH | {"AWS_BATCH_JOB_ATTEMPT": "4"}
    assert job_of_this_process(BATCH) == job_of_this_process(later) != ""
    assert job_of_this_process(SLURM) != job_of_this_process(SLURM | {"SLURM_ARRAY_TASK_ID": "15"})
    assert job_of_this_process(INDEXED) == job_of_this_process({}) == ""


def test_whoever_knows_better_names_the_job() -> None:
    assert job_of_this_process(BATCH | {"STYLIZE_JOB": "night-7/3"}) == "night-7/3"
