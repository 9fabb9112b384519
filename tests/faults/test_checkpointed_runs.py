"""A long pair whose run is killed and stopped is finished by the same command, from where it was."""

from __future__ import annotations

import json
import random
import re
import signal
import time
from pathlib import Path

import pytest
from processes import Family, eventually, needs_proc
from small_batch import Audience, manifest, run_inside, small_batch, stylize_family

from flows.records.checkpoints import PREFIX

pytestmark = pytest.mark.slow(60)
LONG = "encoder: slim, size: 64, steps: 1500"
ENTRIES = "contents: ['photos/*']\nstyles: ['paintings/*']\ncheckpoint: 1s"
CPU = ("--device", "cpu", "--workers", "1")


def disturbed(program: Family, output: Path, number: signal.Signals) -> bool:
    """Whether the signal met the run after a new checkpoint, at a random moment; else it has ended."""
    before = {file: file.stat().st_mtime_ns for file in output.glob(PREFIX + "*")}

    def is_new() -> bool:
        now = {file: file.stat().st_mtime_ns for file in output.glob(PREFIX + "*")}
        return program.program.poll() is not None or (now != before and bool(now))

    assert eventually(is_new)
    time.sleep(random.uniform(0, 0.9))
    if program.program.poll() is not None:
        return False
    if number == signal.SIGKILL:
        program.signal(number)
    else:
        program.program.terminate()
    assert program.end() == {signal.SIGKILL: -9, signal.SIGTERM: 4}[number]
    return True


@needs_proc
def test_sigterm_and_sigkill_at_any_moment_cost_no_more_than_the_last_interval(tmp_path: Path) -> None:
    small_batch(tmp_path, photos=1, paintings=1)
    calm = manifest(tmp_path, ENTRIES, settings=LONG, output="calm")
    assert run_inside(calm, Audience()).exit_code == 0
    path, output = manifest(tmp_path, ENTRIES, settings=LONG), tmp_path / "out"
    met = 0
    for number in (signal.SIGKILL, signal.SIGTERM):
        with stylize_family("run", path, *CPU) as program:
            met += disturbed(program, output, number)
            program.end()
    assert met > 0, "the pair is too short to be met"
    with stylize_family("run", path, *CPU) as program:
        assert program.end() == 0, program.errors()
        assert not met or "goes on from a checkpoint" in program.errors()
    assert (output / "p0__s0.png").read_bytes() == (tmp_path / "calm/p0__s0.png").read_bytes()
    record = json.loads((output / "p0__s0.json").read_text())
    went_on = [int(n) for text in record["decisions"] for n in re.findall(r"checkpoint after (\d+)", text)]
    assert len(went_on) == met
    assert went_on == sorted(went_on)
    assert record["optimisation"]["evaluations"] == 1500
    assert list(output.glob(".*")) == []
