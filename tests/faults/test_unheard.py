"""Showing never stops the work: whatever becomes of standard output and standard error, pictures are made."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from commands import ROOT
from processes import eventually, needs_proc
from small_batch import Audience, draw, manifest, report, small_batch

from flows.manifest.load import load_manifest
from flows.model.events import PairProgress
from flows.model.pair import Outcome
from flows.running.run import run_shard

needs_full = pytest.mark.skipif(not Path("/dev/full").exists(), reason="writes to Linux's /dev/full")
RUN = "run m.yaml --device cpu --workers 1"
QUIET_ENDS = ("Traceback", "Exception ignored", "BrokenPipe", "internal error")


def shell(home: Path, line: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A line of bash, in which `$S` is the command."""
    command = f"{sys.executable} -c 'from flows.cli.app import main; main()'"
    return subprocess.run(
        ["bash", "-c", f'set -o pipefail; S() {{ {command} "$@"; }}; {line}'],
        cwd=home,
        env={**_scrubbed(), "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        errors="replace",
        timeout=120,
        check=False,
    )


def _scrubbed() -> dict[str, str]:
    return {
        key: value for key, value in os.environ.items() if not key.startswith(("PREFECT", "COV", "PYTHON"))
    }


@needs_full
@pytest.mark.slow
@pytest.mark.parametrize(
    "ends",
    [
        "2>/dev/full >/dev/full",
        "--json 2>&- >&- <&-",
        "2>&1 | head -1",
        "--json 2>/dev/full | head -c 1",
    ],
)
def test_a_run_that_nobody_hears_makes_every_picture_and_its_exit_code_says_so(home: Path, ends: str) -> None:
    draw(home / "photos/🦊.png", 5)
    (home / "photos/bad.png").write_text("no photo")
    done = shell(home, f"S {RUN} {ends}", PYTHONIOENCODING="latin-1")
    assert done.returncode == 3, done.stdout + done.stderr
    assert (report(home)["done"], report(home)["failed"], report(home)["left"]) == (6, 2, 0)
    assert not [words for words in QUIET_ENDS if words in done.stdout + done.stderr]


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ["latin-1", "ascii"])
def test_a_name_that_the_encoding_lacks_is_shown_escaped(home: Path, encoding: str) -> None:
    draw(home / "photos/🦊.png", 5)
    done = shell(
        home, "S plan m.yaml; S plan m.yaml --json; S plan '🦊'", PYTHONIOENCODING=encoding, LC_ALL="C"
    )
    assert done.returncode == 2, done.stderr
    assert "\\U0001f98a" in done.stdout
    assert "\\U0001f98a" in done.stderr
    assert not [words for words in QUIET_ENDS if words in done.stderr]


@pytest.mark.slow
@needs_proc
def test_a_reader_that_does_not_read_holds_up_no_picture_and_ctrl_c_still_works(home: Path) -> None:
    """Every line of the log would wait for ever for room in the pipe."""
    with unread_pipe() as (full, env):
        program = start(home, full, **env)
        assert eventually(lambda: (home / "out/p0__s0.json").exists())
        manifest(home)
        assert program.wait(60) == 0
    assert report(home)["done"] == 4
    manifest(home, settings="encoder: slim, size: 64, steps: 3000")
    with unread_pipe() as (full, env):
        program = start(home, full, **env)
        assert eventually(lambda: bool(list((home / "out").glob(".stylize.lock"))))
        assert eventually(lambda: len(_children(program.pid)) > 0)
        program.send_signal(signal.SIGINT)
        assert program.wait(60) == 130


FULL, CLOSED = (">/dev/full", "No space left on device"), (">&-", "Bad file descriptor")


@needs_full
@pytest.mark.parametrize(
    ("command", "ways"),
    [
        ("plan m.yaml", (FULL, CLOSED)),
        ("plan m.yaml --json", (FULL, CLOSED)),
        ("status m.yaml", (FULL, CLOSED)),
        ("weights --json", (FULL,)),  # which loads torch each time
    ],
)
def test_an_answer_that_is_lost_is_an_error_in_one_line(
    home: Path, command: str, ways: tuple[tuple[str, str], ...]
) -> None:
    for lost, why in ways:
        done = shell(home, f"S {command} {lost}")
        assert done.returncode == 1, done.stderr
        (line,) = done.stderr.splitlines()
        assert line == f"standard output could not be written: {why}; let it go to another place"


@needs_full
def test_an_answer_that_is_lost_with_every_word_about_it_is_an_error_all_the_same(home: Path) -> None:
    for lost, _ in (FULL, CLOSED):
        assert shell(home, f"S plan m.yaml {lost} 2>&-").returncode == 1


def test_a_reader_who_has_seen_enough_of_a_plan_ends_it_quietly(tmp_path: Path) -> None:
    small_batch(tmp_path, photos=40, paintings=30)
    for command in ("plan m.yaml", "plan m.yaml --json"):
        done = shell(tmp_path, f"S {command} | head -c 1")
        assert (done.returncode, done.stderr, len(done.stdout)) == (0, "", 1)


class Broken(Audience):
    """A listener of somebody's program that raises whatever it is told."""

    def expect(self, pairs: int) -> None:
        raise BrokenPipeError(pairs)

    def pair_progress(self, progress: PairProgress) -> None:
        raise SystemExit(progress.step)

    def pair_ended(self, outcome: Outcome) -> None:
        raise ValueError(outcome.name)


@pytest.mark.slow
@pytest.mark.parametrize("silent", [(), ("expect",), ("expect", "pair_progress")])
def test_a_listener_that_raises_is_told_no_more_and_the_run_goes_on(
    home: Path, silent: tuple[str, ...], caplog: pytest.LogCaptureFixture
) -> None:
    listener = Broken()
    for name in silent:
        setattr(listener, name, lambda _: None)
    ended = run_shard(load_manifest(manifest(home)), device="cpu", workers=1, listener=listener)
    assert (ended.done, ended.exit_code) == (4, 0)
    (line,) = [one.getMessage() for one in caplog.records if "listener" in one.getMessage()]
    assert line.startswith("a listener failed and hears no more of this run: Broken: ")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    small_batch(tmp_path)
    return tmp_path


@contextmanager
def unread_pipe() -> Iterator[tuple[int, dict[str, str]]]:
    """The end of a full pipe that takes not one byte more, though it is open."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    try:
        while True:
            os.write(writing, bytes(4096))
    except BlockingIOError:
        os.set_blocking(writing, True)
    try:
        yield writing, {**_scrubbed(), "PYTHONPATH": str(ROOT)}
    finally:
        os.close(reading)
        os.close(writing)


def start(home: Path, error: int, **environment: str) -> subprocess.Popen[bytes]:
    script = "from flows.cli.app import main; main()"
    return subprocess.Popen(
        [sys.executable, "-c", script, *RUN.split()], cwd=home, env=environment, stdout=subprocess.DEVNULL,
        stderr=error,
    )  # fmt: skip


def _children(pid: int) -> str:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text()
