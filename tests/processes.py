"""Programs that tests start, stop and kill, and whatever those programs start in turn."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest
from commands import ROOT

MARK = "STYLIZE_TEST_FAMILY"
PATIENCE_S = 60.0

needs_proc = pytest.mark.skipif(
    not Path("/proc/self/environ").exists(), reason="finds left-over processes in Linux's /proc"
)


class Family:
    """A running Python program in a process group of its own, and all its descendants."""

    def __init__(self, mark: str, program: subprocess.Popen[str]) -> None:
        self.mark, self.program = mark, program

    def wait_for(self, line: str) -> str:
        """Read the program's output up to the line that begins so; the rest of that line."""
        others = []
        for seen in _lines(self.program.stdout):
            if seen.startswith(line):
                return seen.removeprefix(line).strip()
            others.append(seen)
        raise AssertionError(f"ended without printing {line!r}: {''.join(others)}{self.errors()}")

    def signal(self, number: int) -> None:
        """Send a signal to the process group, as a terminal does."""
        os.killpg(self.program.pid, number)

    def end(self) -> int:
        """Wait for the program itself; its exit code."""
        return self.program.wait(PATIENCE_S)

    def errors(self) -> str:
        """What it wrote to standard error; waits for its end."""
        self.end()
        assert self.program.stderr
        return self.program.stderr.read()

    def members(self, words: str = "") -> list[int]:
        """The ids of all living processes of the family whose command line contains `words`."""
        return [int(folder.name) for folder in Path("/proc").glob("[0-9]*") if self._owns(folder, words)]

    def _owns(self, process: Path, words: str) -> bool:
        try:
            environment = (process / "environ").read_bytes()
            command = (process / "cmdline").read_bytes()
        except OSError:
            return False
        return f"{MARK}={self.mark}".encode() in environment and words.encode() in command


def _lines(stream: IO[str] | None) -> Iterator[str]:
    assert stream
    yield from iter(stream.readline, "")


@contextmanager
def family(script: str, **environment: str) -> Iterator[Family]:
    """Start a Python script that finds our packages; afterwards nothing of it is left."""
    mark = uuid.uuid4().hex
    scrubbed = {key: value for key, value in os.environ.items() if not key.startswith("PREFECT")}
    with subprocess.Popen(
        [sys.executable, "-u", "-c", script],
        env={**scrubbed, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}", **environment, MARK: mark},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as program:
        ours = Family(mark, program)
        try:
            yield ours
        finally:
            for pid in ours.members():
                os.kill(pid, 9)


def why_no_mount(folder: Path) -> str:
    """Why `unshare -rm` lets nobody mount a small file system here; empty if it does. Makes the folder.

    Asked beforehand, so that what goes wrong inside a test is that test's failure and no reason to skip it.
    """
    if not shutil.which("unshare"):
        return "there is no unshare"
    folder.mkdir()
    tried = subprocess.run(
        ["unshare", "-rm", "mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return tried.stderr.strip()


def why_no_trace(folder: Path) -> str:
    """Why strace follows no process here; empty if it does. Asked beforehand, as `why_no_mount` is."""
    if not shutil.which("strace"):
        return "strace is not installed"
    tried = subprocess.run(
        ["strace", "-f", "-o", str(folder / "probe.trace"), "true"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return tried.stderr.strip() if tried.returncode else ""


def eventually(condition: Callable[[], bool], *, every_s: float = 0.1) -> bool:
    """Whether the condition comes true before the test's patience ends.

    It is asked for at once, and then less and less often: to ask costs those time who are asked.
    """
    deadline, wait_s = time.monotonic() + PATIENCE_S, 0.02
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(wait_s)
        wait_s = min(every_s, 1.1 * wait_s)
    return True
