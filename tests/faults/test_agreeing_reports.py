"""However a run ends, its report, its last line, its records and the next status say the same."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from commands import ROOT
from processes import eventually, needs_proc
from small_batch import manifest, report, small_batch

from flows.manifest.load import load_manifest
from flows.records.record import Record
from flows.records.report import REPORT_NAME
from flows.running.status import look

PAIRS = 12
RUN = ("run", "m.yaml", "--device", "cpu", "--workers", "1")


@pytest.mark.slow
@needs_proc
@pytest.mark.parametrize("seed", range(6))
def test_all_that_speak_of_a_run_agree_whenever_it_is_interrupted(tmp_path: Path, seed: int) -> None:
    small_batch(tmp_path, photos=3, paintings=3)
    (tmp_path / "photos/bad.png").write_text("no photo")
    path = manifest(tmp_path, settings="encoder: slim, size: 64, steps: 20")
    sentence, log = interrupted(tmp_path, random.Random(seed))
    told, found = report(tmp_path), records(tmp_path)
    now = look(load_manifest(path)).facts()["counts"]
    assert (told["done"], told["failed"]) == (found["done"], found["failed"]), log
    assert told["left"] == PAIRS - found.total()
    assert (now["done"], now["failed"], now["planned"]) == (told["done"], told["failed"], PAIRS)
    assert sentence.startswith(f"{told['done']} of {PAIRS} done ({told['done']} now, 0 before)")
    assert (f"; {told['failed']} failed (" in sentence) == (told["failed"] > 0)
    counted = [line for line in log.splitlines() if line.startswith("[")]
    assert len(counted) == told["done"] + told["failed"]
    assert not counted or counted[-1].startswith(f"[{len(counted)}/{PAIRS}] ")


def interrupted(home: Path, chance: random.Random) -> tuple[str, str]:
    """A run that meets a random fault after a random number of its records; its answer, and its log."""
    at, fault = chance.randrange(PAIRS), chance.choice(("interrupt", "terminate", "kill a worker"))
    log = home / "log.txt"
    with log.open("wb") as written, subprocess.Popen(
        [sys.executable, "-c", "from flows.cli.app import main; main()", *RUN],
        cwd=home, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, stderr=written,
    ) as program:  # fmt: skip
        assert eventually(lambda: records(home).total() >= at)
        assert eventually(lambda: bool(workers(program.pid)) or program.poll() is not None)
        if fault == "kill a worker":
            for pid in workers(program.pid):
                os.kill(pid, signal.SIGKILL)
        else:
            # before its workers are there a run has nothing to bring into order
            assert eventually(lambda: (home / "out/.stylize.lock").exists() or program.poll() is not None)
            program.send_signal(signal.SIGINT if fault == "interrupt" else signal.SIGTERM)
        answer, _ = program.communicate(timeout=120)
    return answer.decode().splitlines()[0], log.read_text()


def records(home: Path) -> Counter[str]:
    """How many records say so, of those that are there and whole."""
    files = [file for file in (home / "out").glob("*.json") if file.name != REPORT_NAME]
    return Counter(Record.parse(file.read_bytes()).status for file in files)


def workers(pid: int) -> list[int]:
    """The processes that compute for a run; another one keeps account of them."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return [int(child) for child in children if _is_worker(int(child))]
    except OSError:
        return []


def _is_worker(pid: int) -> bool:
    return b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()
