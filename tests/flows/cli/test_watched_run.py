"""Real runs as people see them: the lines of a log, and the rows on a terminal."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from contextlib import suppress
from pathlib import Path

import pytest
from commands import ROOT
from small_batch import draw, manifest, small_batch, stylize

COMMAND = [sys.executable, "-c", "from flows.cli.app import main; main()"]
_COLOURS_AND_CURSOR = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")


def on_a_terminal(*arguments: str, home: Path, columns: int) -> str:
    """All that the command writes on a terminal of that width."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm", "COLUMNS": str(columns)}
    program = subprocess.Popen(
        [*COMMAND, *arguments], stdin=theirs, stdout=theirs, stderr=theirs, cwd=home, env=environment
    )
    os.close(theirs)
    written = b""
    with suppress(OSError), os.fdopen(ours, "rb", buffering=0) as screen:  # it ends by an error on Linux
        while block := screen.read(65536):
            written += block
    assert program.wait(60) == 0, written
    return written.decode()


@pytest.mark.slow(15)
def test_a_run_is_told_from_its_start_to_its_end_and_the_next_plan_knows_its_pace(tmp_path: Path) -> None:
    path = small_batch(tmp_path)
    done = stylize("run", path, "--device", "cpu", "--workers", "1")
    assert done.returncode == 0, done.stderr
    lines = done.stderr.splitlines()
    assert lines[:4] == [
        "checking inputs", "starting a worker on cpu", "loading the network slim", "4 pairs on 1 worker",
    ]  # fmt: skip
    assert [line.partition(": ")[0] for line in lines[4:]] == [
        "[1/4] p0__s0", "[2/4] p1__s0", "[3/4] p0__s1", "[4/4] p1__s1",
    ]  # fmt: skip
    assert all(re.search(r": done in \d+\.\d s$", line) for line in lines[4:])
    sentence, last = done.stdout.splitlines()
    assert sentence == "4 of 4 done (4 now, 0 before)"
    out = re.escape(str(tmp_path / "out"))
    assert re.fullmatch(rf"took .+ \(\d+ pairs per hour\); pictures in {out}; report report.html there", last)

    draw(tmp_path / "photos/p2.png", 7)
    manifest(tmp_path, settings="encoder: slim, size: 64, steps: 200")
    facts = json.loads(stylize("plan", path, "--json", "--cost-per-hour", "3600").stdout)
    assert (facts["counts"]["todo"], facts["reasons"]["new"]) == (6, 2)
    estimate, first = facts["estimate"], facts["todo"][0]
    assert estimate["source"] == "earlier runs on this machine"
    assert estimate["cost"] == pytest.approx(estimate["seconds"])
    assert 0 < first["seconds"] < estimate["seconds"]
    assert first["output_bytes"] > 100

    screen = on_a_terminal("run", "m.yaml", "--device", "cpu", "--workers", "1", home=tmp_path, columns=80)
    shown = _COLOURS_AND_CURSOR.sub("", screen)
    for words in ("checking inputs", "starting a worker on cpu", "loading the network slim"):
        assert words in shown
    assert re.search(r"\d+% \d done, \d left, \S+ left", shown)
    assert re.search(r"p\d__s\d +step \d+/200 +\d+x\d+ +loss \S+ +\S+ left", shown)
    assert "6 of 6 done (6 now, 0 before)" in shown
    assert max(map(len, re.split(r"[\r\n]+", shown.partition("6 of 6 done")[0]))) <= 80
