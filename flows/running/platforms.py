"""What the platform of a job array says of this process: which part of the work it is, and of which job.

Sources: AWS Batch, "Job environment variables"; Slurm, "Job Array Support"; Kubernetes, "Indexed Job";
SkyPilot, "Distributed jobs".
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from flows.errors import BadArguments
from flows.model.shard import WHOLE, Shard

JOB_VARIABLE = "STYLIZE_JOB"
"""Whatever is equal for all attempts at one job, for platforms that say nothing of it by themselves."""
EXPECTED = "i/n, such as 0/4, or in a job array `auto`, or `auto/n` where that does not tell its size"


@dataclass(frozen=True, slots=True)
class Platform:
    """The variables that a platform sets in every task of an array.

    Attributes:
        name: as people know it.
        index: which task this is.
        count: how many there are; empty where the platform does not say.
        job: what is equal for all attempts at this task, and for no other task; empty where nothing is.
        lowest: the index of the first task; empty where that is 0.
        highest: the index of the last one; empty where all numbers up to the count are tasks.
    """

    name: str
    index: str
    count: str = ""
    job: tuple[str, ...] = ()
    lowest: str = ""
    highest: str = ""


PLATFORMS = (
    Platform(
        "AWS Batch", "AWS_BATCH_JOB_ARRAY_INDEX", count="AWS_BATCH_JOB_ARRAY_SIZE", job=("AWS_BATCH_JOB_ID",)
    ),
    Platform(
        "Slurm",
        "SLURM_ARRAY_TASK_ID",
        count="SLURM_ARRAY_TASK_COUNT",
        job=("SLURM_ARRAY_JOB_ID", "SLURM_ARRAY_TASK_ID"),
        lowest="SLURM_ARRAY_TASK_MIN",
        highest="SLURM_ARRAY_TASK_MAX",
    ),
    Platform("Kubernetes", "JOB_COMPLETION_INDEX"),
    Platform(
        "SkyPilot",
        "SKYPILOT_NODE_RANK",
        count="SKYPILOT_NUM_NODES",
        job=("SKYPILOT_TASK_ID", "SKYPILOT_NODE_RANK"),
    ),
)


def job_of_this_process(environ: Mapping[str, str] = os.environ) -> str:
    """What names the job that this process is an attempt at; empty if nothing does."""
    if given := environ.get(JOB_VARIABLE):
        return given
    for platform in PLATFORMS:
        parts = [environ.get(variable, "") for variable in platform.job]
        if parts and all(parts):
            return f"{platform.name}:{':'.join(parts)}"
    return ""


def shard_of(text: str | None, environ: Mapping[str, str] = os.environ) -> Shard:
    """The shard that `i/n`, `auto` or `auto/n` names; the whole for None.

    Raises:
        BadArguments: it is none of these, there is no such shard, or no platform says which one this is.
    """
    if text is None:
        return WHOLE
    word, slash, count = text.partition("/")
    try:
        if word != "auto":
            return Shard.parse(text)
        return _of_platform(count if slash else None, environ)
    except ValueError:
        raise BadArguments(f"--shard: {text[:80]!r} is not accepted; it must be {EXPECTED}") from None


def _of_platform(count: str | None, environ: Mapping[str, str]) -> Shard:
    platform = next((platform for platform in PLATFORMS if environ.get(platform.index)), None)
    if platform is None:
        known = ", ".join(f"{platform.name} ({platform.index})" for platform in PLATFORMS)
        raise BadArguments(f"--shard auto: this is no task of a job array that is known: {known}; give i/n")
    index = environ[platform.index]
    if count is not None:
        return Shard.parse(f"{index}/{count}")
    if not (count := environ.get(platform.count, "")):
        raise BadArguments(f"--shard auto: {platform.name} does not say how many tasks there are; use auto/n")
    first = _first_of_all(platform, count, environ)
    return Shard.parse(f"{int(index) - first}/{count}")


def _first_of_all(platform: Platform, count: str, environ: Mapping[str, str]) -> int:
    """The index of the first task, where the tasks are all that there are."""
    first = int(environ.get(platform.lowest) or 0)
    last = int(environ.get(platform.highest) or first + int(count) - 1)
    if first not in (0, 1) or last - first + 1 != int(count):
        raise BadArguments(
            f"--shard auto: {platform.name} runs {count} tasks, {first} to {last}, which may be "
            "a part of an array; say how many shards there are, with indices from 0: --shard auto/n"
        )
    return first
