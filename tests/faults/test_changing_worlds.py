"""Rows 5, 19, 41, 45 to 48: inputs, settings, clocks, records and names that are not what they seem."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from unicodedata import normalize

import pytest
from commands import ROOT
from processes import eventually
from small_batch import (
    ABOUT_RUNS,
    Audience,
    draw,
    manifest,
    record,
    report,
    run_here,
    run_inside,
    small_batch,
    stylize,
    tree,
    written_at,
)

from flows.engines.process import WorkerProcess
from flows.manifest.load import load_manifest
from flows.model.events import PairProgress
from flows.model.pair import Job
from flows.planning.plan import make_plan
from flows.records.record import Record
from flows.storage.local import LocalStorage
from flows.text import MESSAGE_BYTES
from flows.worker import calls as worker_calls

pytestmark = pytest.mark.slow
CPU = ("--device", "cpu", "--workers", "1")
SLOWER = "encoder: slim, size: 64, steps: 6"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    small_batch(tmp_path)
    return tmp_path


def to_do(path: Path) -> dict[str, str]:
    return {one.pair.name: one.reason for one in make_plan(load_manifest(path)).todo}


def test_row_05_beginnings_of_records_and_reports_leave_a_run_that_finishes(home: Path) -> None:
    path = manifest(home, "contents: [photos/p0.png]\nstyles: [paintings/s0.png]")
    run_inside(path, Audience())
    place, whole = home / "out/p0__s0.json", (home / "out/p0__s0.json").read_bytes()
    for length in range(0, len(whole), 53):  # every single one: tests/flows/records/test_record.py
        place.write_bytes(whole[:length])
        assert list(to_do(path)) == ["p0__s0"], length
    (home / "out/report.json").write_bytes(b'{"done": 1')
    audience = Audience()
    ended = run_inside(path, audience)
    assert (ended.done, ended.exit_code) == (1, 0)
    assert any("no record of this version, to be replaced" in text for text in ended.warnings)
    assert report(home)["done"] == 1
    assert stylize("status", path).returncode == 0


def test_row_19_what_counts_is_the_bytes_that_were_used(home: Path) -> None:
    """A photo is replaced after the plan, and again after the run."""
    photo, path = home / "photos/p0.png", home / "m.yaml"
    before = hashlib.sha256(photo.read_bytes()).hexdigest()

    def replace_photo(_: object) -> None:
        draw(photo, 77)

    run_inside(path, Audience(), at_start=replace_photo)
    used = hashlib.sha256(photo.read_bytes()).hexdigest()
    for pair in ("p0__s0", "p0__s1"):
        content = record(home, pair).content
        assert content is not None
        assert content.sha256 == used != before
    assert to_do(path) == {}
    draw(photo, 78)
    assert to_do(path) == {"p0__s0": "content changed", "p0__s1": "content changed"}
    kept = written_at(home / "out")
    assert run_inside(path, Audience()).done == 2
    same = {name for name, moment in written_at(home / "out").items() if kept[name] == moment}
    assert same == {"p1__s0.png", "p1__s0.json", "p1__s1.png", "p1__s1.json"}


def test_row_41_changed_settings_are_said_before_and_old_pictures_never_pass_for_new_ones(home: Path) -> None:
    run_inside(home / "m.yaml", Audience())
    path = manifest(home, settings=SLOWER)
    planned = stylize("plan", path)
    assert planned.returncode == 0
    assert "4 pairs, 0 done, 4 to do" in planned.stdout
    assert re.search(r"p1__s1 +.*steps.* 5.* 6", planned.stdout), planned.stdout

    def stop(progress: PairProgress) -> None:
        if progress.pair == "p0__s1":
            os.kill(os.getpid(), signal.SIGTERM)

    run_here(path, Audience(stop))
    for pair in ("p0__s0", "p1__s0", "p0__s1", "p1__s1"):
        made = record(home, pair)
        picture = (home / f"out/{pair}.png").read_bytes()
        assert made.output is not None
        assert made.ingredients is not None
        assert hashlib.sha256(picture).hexdigest() == made.output.sha256, "a record beside another picture"
    assert set(to_do(path)) >= {"p1__s1"}, "stopped before, so still of the old settings and known as such"
    assert run_inside(path, Audience()).exit_code == 0
    run_inside(manifest(home, settings=SLOWER, output="fresh"), Audience())
    assert tree(home / "out") == tree(home / "fresh")


def start_in_step(meetings: str) -> None:
    """A worker that writes no picture before another worker has the same one in its hands."""
    write = LocalStorage.write

    def write_together(storage: LocalStorage, name: str, data: bytes, **options: str) -> None:
        if name.endswith(".png"):
            meeting = Path(meetings, name)
            meeting.mkdir(exist_ok=True)
            (meeting / str(os.getpid())).touch()
            assert eventually(lambda: len(list(meeting.iterdir())) == 2)
        write(storage, name, data, **options)

    LocalStorage.write = write_together  # type: ignore[method-assign, assignment]
    worker_calls.start("cpu", 1, None, 30)


def test_row_45_a_pair_delivered_to_two_workers_at_once_is_made_as_if_once(home: Path) -> None:
    """Both workers have every picture made before either writes it."""
    run_inside(manifest(home, output="calm"), Audience())
    plan = make_plan(load_manifest(manifest(home)))
    jobs = [Job(one.pair, plan.output, one.identity) for one in plan.todo]
    (home / "meetings").mkdir()

    def deliver_all(name: str) -> list[str]:
        given = (str(home / "meetings"),)
        with WorkerProcess(name, initializer=start_in_step, initargs=given) as child:
            return [child.call(worker_calls.run_pairs, [job], ())[0].status for job in jobs]

    with ThreadPoolExecutor(2) as threads:
        statuses = list(threads.map(deliver_all, ("one", "two")))
    assert [sorted(both) for both in zip(*statuses, strict=True)] == [["done", "skipped"]] * 4
    assert tree(home / "out") == tree(home / "calm")
    with WorkerProcess("again", initializer=worker_calls.start, initargs=("cpu", 1, None, 30)) as child:
        kept = written_at(home / "out")
        assert [child.call(worker_calls.run_pairs, [job], ())[0].status for job in jobs] == ["skipped"] * 4
    assert written_at(home / "out") == kept


# ---- row 46: the clock

MAD_CLOCK = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>
static time_t mad(void) { return (time_t)(random() % (10L * 365 * 86400)) - 5L * 365 * 86400; }
int clock_gettime(clockid_t id, struct timespec *at) {
  static int (*real)(clockid_t, struct timespec *);
  if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
  int result = real(id, at);
  if (!result && id == CLOCK_REALTIME) at->tv_sec += mad();
  return result;
}
int gettimeofday(struct timeval *at, void *zone) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  at->tv_sec = now.tv_sec;
  at->tv_usec = now.tv_nsec / 1000;
  return 0;
}
time_t time(time_t *at) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (at) *at = now.tv_sec;
  return now.tv_sec;
}
"""
RUN_TWICE = """
import json, sys, time
from pathlib import Path
from small_batch import Audience, run_here
assert abs(time.time() - time.time()) > 3600, "the clock is sane"
reports = [run_here(Path(sys.argv[1]), Audience()) for _ in range(2)]
print(json.dumps([(one.done, one.done_before, one.exit_code, one.seconds) for one in reports]))
"""


def test_row_46_a_clock_that_jumps_by_years_at_every_look_has_no_effect(home: Path) -> None:
    """For the run and its workers alike: the C library's clocks are replaced."""
    if shutil.which("cc") is None or not sys.platform.startswith("linux"):
        pytest.skip("needs a C compiler and Linux to replace the system's clock")
    run_inside(manifest(home, output="calm"), Audience())
    (home / "mad.c").write_text(MAD_CLOCK)
    subprocess.run(["cc", "-shared", "-fPIC", "-o", "mad.so", "mad.c", "-ldl"], cwd=home, check=True)
    done = subprocess.run(
        [sys.executable, "-c", RUN_TWICE, str(manifest(home))],
        env={
            **os.environ,
            "LD_PRELOAD": str(home / "mad.so"),
            "TZ": "Pacific/Chatham",
            "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    first, second = json.loads(done.stdout)
    assert (first[:3], second[:3]) == ([4, 0, 0], [0, 4, 0])
    assert all(0 <= seconds < 3600 for *_, seconds in (first, second)), "durations are monotonic"
    assert tree(home / "out") == tree(home / "calm")


# ---- row 47: what is not ours


def test_row_47_foreign_files_are_neither_touched_nor_taken_for_ours(home: Path) -> None:
    run_inside(manifest(home, output="calm"), Audience())
    newer = json.loads((home / "calm/p0__s0.json").read_text()) | {"record_version": 99}
    foreign = {
        "notes.txt": b"mine",
        "00001.json": b'{"successes": 1}',
        "00001_stats.json": b'{"count": 1}',
        "p9__s9.json": json.dumps(newer).encode(),
        "p9__s9.png": b"not yours",
        ".p0__s0.png.stylize-tmp": b"almost named like a temporary file of ours",
        ".hidden/deep.json": b"{}",
        "sub/p0__s0.json": b"[]",
        "p0__s0.png~": b"a backup",
    }
    for name, data in foreign.items():
        (home / "out" / name).parent.mkdir(parents=True, exist_ok=True)
        (home / "out" / name).write_bytes(data)
        os.utime(home / "out" / name, (0, 0))
    (home / "out/p1__s1.json").mkdir()
    ended = run_inside(manifest(home), Audience())
    assert (ended.done, ended.failed) == (3, 1), "a folder where a record belongs costs its own pair"
    assert ended.failures[0].name == "p1__s1"
    left = tree_of_bytes(home / "out")
    assert {name: left.get(name) for name in foreign} == foreign
    assert (home / "out/p1__s1.json").is_dir()


def test_row_47_a_newer_record_in_a_pairs_own_place_costs_that_pair_alone_and_stays(home: Path) -> None:
    run_inside(home / "m.yaml", Audience())
    place = home / "out/p0__s0.json"
    newer = json.loads(place.read_text()) | {"record_version": 99}
    place.write_text(json.dumps(newer) + "\n")
    planned = stylize("plan", home / "m.yaml")
    assert "1 refused" in planned.stdout
    ended = run_inside(home / "m.yaml", Audience())
    assert (ended.exit_code, [one.kind for one in ended.failures]) == (3, ["foreign_file"])
    assert json.loads(place.read_text()) == newer


def test_row_47_what_comes_between_plan_and_pair_stays_and_costs_that_pair_alone(home: Path) -> None:
    """A newer program's record and somebody's picture, put down after the plan."""
    run_inside(manifest(home, output="newer"), Audience())
    newer = json.loads((home / "newer/p0__s0.json").read_text()) | {"record_version": 99}
    foreign = {"p0__s0.json": json.dumps(newer).encode() + b"\n", "p1__s1.png": b"not yours"}

    def put_down(_: object) -> None:
        for name, data in foreign.items():
            (home / "out").mkdir(exist_ok=True)
            (home / "out" / name).write_bytes(data)

    ended = run_inside(manifest(home), Audience(), at_start=put_down)
    told = {one.name: one.message for one in ended.failures}
    assert (ended.done, ended.exit_code, ended.failures_by_kind) == (2, 3, {"foreign_file": 2})
    assert "out/p0__s0.json stands where a result goes, and it is from a newer version" in told["p0__s0"]
    assert "out/p1__s1.png stands where a result goes, and stylize did not make it" in told["p1__s1"]
    left = tree_of_bytes(home / "out")
    assert {name: left[name] for name in foreign} == foreign
    assert {"p0__s0.png", "p1__s1.json"}.isdisjoint(left)


def tree_of_bytes(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


# ---- row 48 (and 38): names that are meant to act

HOSTILE = [
    "$(touch canary)",
    "`touch canary`",
    "; touch canary #",
    "| touch canary",
    "-rf",
    "--help",
    "%s%n%x",
    "{content}{0.__class__}",
    "{{braces}}",
    "[bold red]markup[bold red]",
    "[link=javascript:alert(1)]",
    "<script>alert(1)",
    "<img src=x onerror=alert(1)>",
    "' OR 1=1 --",
    '"quoted"',
    "\u202egnp.exe",
    "\u200bzero\u200bwidth",
    "\ufeffmark",
    "Z\u0351\u036b\u0343a\u0360\u0321lgo",
    "\U0001f469\u200d\U0001f4bb",
    "\ud55c\uad6d\uc5b4",
    "CON",
    "NUL.txt",
    "~",
    "~root",
    "a:b",
    "trailing dot.",
    "trailing space ",
    "w" * 190,
    "\u00e9" * 95,
]


def test_row_48_hostile_names_act_nowhere_and_come_out_whole(tmp_path: Path) -> None:
    """Each name on a sound and on a broken photo: in records, report, terminal and log, and as files."""
    good, bad = tmp_path / "good", tmp_path / "bad"
    draw(tmp_path / "s.png", 1)
    data = draw(tmp_path / "p.png", 2).read_bytes()
    for name in HOSTILE:
        for folder, content in ((good, data), (bad, name.encode() * 200)):
            folder.mkdir(exist_ok=True)
            (folder / f"{name}.png").write_bytes(content)
    fast = "encoder: slim, size: 32, steps: 1"
    entries = "name: '{content}'\nstyles: [s.png]\ncontents: "
    path = manifest(tmp_path, entries + "[good/*]", settings=fast)
    done = stylize("-v", "run", path, *CPU)
    assert done.returncode == 0, done.stderr
    names = [normalize("NFC", name) for name in HOSTILE]
    files = {*ABOUT_RUNS, *(f"{name}.png" for name in names), *(f"{name}.json" for name in names)}
    assert {p.name for p in (tmp_path / "out").iterdir()} == files
    path = manifest(tmp_path, entries + "[bad/*]", settings=fast, output="bad-out")
    refused = stylize("-v", "run", path, *CPU)
    assert refused.returncode == 3, refused.stderr
    for text in (done.stdout, done.stderr, refused.stdout, refused.stderr):
        assert all(line.isprintable() for line in text.splitlines())
    assert "\u202e" not in refused.stderr
    facts = report(tmp_path, "bad-out")
    assert facts["failed"] == len(HOSTILE)
    for failed in (tmp_path / "bad-out").glob("*.json"):
        if failed.name != "report.json":
            told = Record.parse(failed.read_bytes()).failure
            assert told is not None
            assert told.message.isprintable()
            assert len(told.message.encode()) <= MESSAGE_BYTES
    assert not list(tmp_path.rglob("canary")), "a name was run by a shell"
    assert not list(Path.cwd().glob("canary"))
