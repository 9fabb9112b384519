"""deploy/slurm/stylize.sbatch, run by a real bash with what Slurm sets."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from pathlib import Path

import pytest
from deployed import CODES, DEPLOY, batch_in, put_stylize_into, told_of_ends
from object_store import ObjectStore
from processes import eventually
from small_batch import manifest, small_batch

from flows.running.platforms import shard_of

SCRIPT = DEPLOY / "slurm/stylize.sbatch"
OPTIONS = re.findall(r"^#SBATCH (--[a-z-]+)(?:=(\S+))?$", SCRIPT.read_text(), re.MULTILINE)
# What `man sbatch` accepts, of the options that the script uses.
ACCEPTED = {
    "--job-name": r"\S+",
    "--array": r"\d+-\d+(%\d+)?",
    "--gpus": r"([a-z0-9]+:)?\d+",
    "--cpus-per-task": r"\d+",
    "--mem": r"\d+[KMGT]?",
    "--time": r"(\d+-)?\d{2}:\d{2}:\d{2}",
    "--signal": r"([RB]+:)?[A-Z]+\d*(@\d{1,5})?",
    "--requeue": "",
    "--open-mode": "append|truncate",
    "--output": r"\S+",
}


def test_sbatch_knows_every_option_and_takes_every_value() -> None:
    text = SCRIPT.read_text()
    assert text.startswith("#!/bin/bash\n")
    assert len(OPTIONS) == text.count("\n#SBATCH"), "a line that is read as a comment"
    assert all(re.fullmatch(ACCEPTED[name], value) for name, value in OPTIONS)
    assert text.rindex("\n#SBATCH") < text.index("\nset -eu"), "sbatch reads no option after a command"


def test_the_run_itself_is_told_a_minute_before_the_limit() -> None:
    assert dict(OPTIONS)["--signal"] == "B:TERM@60"
    assert re.search(r"^exec stylize run ", SCRIPT.read_text(), re.MULTILINE)


def test_slurm_starts_again_what_it_lost_and_nothing_by_its_exit_code() -> None:
    told = told_of_ends("Slurm")
    assert "--requeue" in dict(OPTIONS)
    assert told.pop("host") == "again"
    assert told.pop(str(CODES["ALL_DONE"])) == "done"
    assert told.keys() == {str(code) for code in CODES.values() if code} | {"killed"}
    assert set(told.values()) == {"failed"}


def test_the_array_counts_as_the_shards_do() -> None:
    first, last = (int(end) for end in dict(OPTIONS)["--array"].partition("%")[0].split("-"))
    shards = [shard_of("auto", task(index, last=last)) for index in range(first, last + 1)]
    assert [(shard.index, shard.count) for shard in shards] == [(i, last + 1) for i in range(last + 1)]


def test_without_a_manifest_it_says_how_it_is_used() -> None:
    ended = subprocess.run(["bash", SCRIPT], capture_output=True, text=True, check=False)
    assert ended.returncode != 0
    assert "usage: sbatch deploy/slurm/stylize.sbatch MANIFEST" in ended.stderr


@pytest.mark.slow
def test_the_tasks_of_an_array_make_the_whole_manifest(object_store: ObjectStore, tmp_path: Path) -> None:
    uri = batch_in(object_store, tmp_path)
    for index in range(2):
        with started(tmp_path, uri, index=index) as script:
            assert script.wait(120) == 0
    made = [key for method, key in object_store.hits if method == "PUT" and key.endswith("png")]
    assert len(made) == len(set(made)) == 4


@pytest.mark.slow
def test_sigterm_reaches_the_run_which_reports_and_gives_its_lock_back(tmp_path: Path) -> None:
    small_batch(tmp_path, photos=6, paintings=6)  # so many that plenty is left when one is done
    batch, out = manifest(tmp_path, settings="encoder: slim, size: 64, steps: 100"), tmp_path / "out"
    with started(tmp_path, batch, "--device", "cpu", "--workers", "1", index=0) as script:
        assert eventually(lambda: bool(list(out.glob("*.png"))))
        script.send_signal(signal.SIGTERM)
        assert script.wait(120) == CODES["STOPPED_EARLY"]
    assert not list(out.glob(".stylize.lock*"))
    told = json.loads((out / "report-0-of-2.json").read_text())
    assert (told["end"], told["left"] > 0) == ("stopped", True)


def started(home: Path, *arguments: str | Path, index: int) -> subprocess.Popen[bytes]:
    """The script as one of two tasks, as slurmd starts it."""
    path = f"{put_stylize_into(home / 'bin')}{os.pathsep}{os.environ['PATH']}"
    return subprocess.Popen(
        ["bash", SCRIPT, *arguments], env=os.environ | task(index, last=1) | {"PATH": path}
    )


def task(index: int, *, last: int) -> dict[str, str]:
    """What Slurm sets in a task of an array: `Job Array Support`, "Environment Variables"."""
    return {
        "SLURM_JOB_ID": str(77 + index),
        "SLURM_ARRAY_JOB_ID": "77",
        "SLURM_ARRAY_TASK_ID": str(index),
        "SLURM_ARRAY_TASK_COUNT": str(last + 1),
        "SLURM_ARRAY_TASK_MIN": "0",
        "SLURM_ARRAY_TASK_MAX": str(last),
    }
