"""One manifest on several machines: each makes its shard, together all of it, and none what another makes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from commands import ROOT
from processes import eventually
from small_batch import small_batch, stylize

SHARDS = 4


@pytest.mark.slow
def test_four_runs_beside_one_another_make_each_pair_once_and_status_adds_them_up(tmp_path: Path) -> None:
    batch = small_batch(tmp_path, photos=4, paintings=3)

    def shard(index: int) -> str:
        ended = stylize("run", batch, "--device", "cpu", "--shard", f"{index}/{SHARDS}", "--json")
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    with ThreadPoolExecutor(2) as two:
        reports = [json.loads(text) for text in two.map(shard, range(SHARDS))]
    assert sum(report["done"] for report in reports) == sum(report["planned"] for report in reports) == 12
    assert len(list((tmp_path / "out").glob("*.png"))) == 12
    status = json.loads(stylize("status", batch, "--json").stdout)
    assert status["counts"]["done"] == status["last_report"]["done"] == 12
    assert status["last_report"]["shard"] == "4 of 4 shards"
    whole = stylize("run", batch, "--device", "cpu")
    assert (whole.returncode, whole.stdout.partition("\n")[0]) == (0, "12 of 12 done (0 now, 12 before)")


@pytest.mark.slow
def test_a_killed_shard_goes_on_at_once_under_its_job_in_another_namespace_and_another_job_is_refused(
    tmp_path: Path,
) -> None:
    if why := why_no_namespace():
        pytest.skip(f"no process can be given a namespace of its own here: {why}")
    batch = small_batch(tmp_path, photos=4, paintings=3)
    lock = tmp_path / "out" / ".stylize.lock-2-of-4"
    command = ("run", str(batch), "--device", "cpu", "--shard", "auto/4")
    task = {"JOB_COMPLETION_INDEX": "2"}
    with in_a_namespace(*command, **task, STYLIZE_JOB="night/2") as first:
        assert eventually(lock.exists)
        first.kill()
    assert lock.exists(), "a run that is killed with -9 leaves its lock"
    with in_a_namespace(*command, "--wait", "1s", **task, STYLIZE_JOB="other/2") as other:
        assert other.wait() == 11
    with in_a_namespace(*command, **task, STYLIZE_JOB="night/2") as second:
        assert second.wait() == 0
    assert not lock.exists()


def in_a_namespace(*arguments: str, **environment: str) -> subprocess.Popen[bytes]:
    """The command as the first process of a PID namespace, as in a container; ends with who started it."""
    script = "import sys; from flows.cli.app import main; sys.argv[0] = 'stylize'; main()"
    unshare = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]
    return subprocess.Popen(
        [*unshare, sys.executable, "-c", script, *arguments],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def why_no_namespace() -> str:
    """Why no PID namespace can be made here; empty if one can."""
    try:
        made = subprocess.run(
            ["unshare", "--pid", "--fork", "--mount-proc", "true"],
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError as error:
        return str(error)
    return made.stderr.strip() if made.returncode else ""
