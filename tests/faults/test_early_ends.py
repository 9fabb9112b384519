"""Rows 6 and 15: runs that are told to stop, or that cannot go on, at any moment of theirs."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from object_store import ObjectStore
from processes import Family, eventually, needs_proc
from small_batch import (
    ABOUT_RUNS,
    Audience,
    manifest,
    report,
    run_here,
    run_inside,
    small_batch,
    stylize_family,
    tree,
)

from flows.model.events import PairProgress

pytestmark = [pytest.mark.slow, needs_proc]
LONG = "encoder: slim, size: 64, steps: 100"
CPU = ("--device", "cpu", "--workers", "1")
CODES = {signal.SIGINT: 130, signal.SIGTERM: 4, signal.SIGHUP: 4}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    small_batch(tmp_path, photos=2, paintings=4)
    return tmp_path


def nothing_is_left(program: Family, home: Path) -> bool:
    """Whether all processes end and nothing lies in the output but whole pictures with their records."""
    names = {Path(name) for name in tree(home / "out")}
    stems = {name.stem for name in names}
    return (
        eventually(lambda: not program.members())
        and {name.suffix for name in names} <= {".png", ".json"}
        and names == {Path(stem + suffix) for stem in stems for suffix in (".png", ".json")}
    )


# ---- told to stop


@pytest.mark.parametrize("number", CODES)
@pytest.mark.usefixtures("hearing_hangups")
def test_row_06_two_busy_workers_stop_and_leave_whole_pairs_only(
    tmp_path: Path, number: signal.Signals
) -> None:
    home, pairs = tmp_path, 24  # so many that plenty is left when two are done
    small_batch(home, photos=4, paintings=6)
    with stylize_family("run", manifest(home, settings=LONG), *CPU, "--workers", "2") as program:
        program.wait_for(f"[2/{pairs}]")
        program.signal(number)
        assert program.end() == CODES[number]
        assert nothing_is_left(program, home)
    facts = report(home)
    assert facts["exit_code"] == CODES[number]
    assert facts["failed"] == 0
    assert facts["left"] == pairs - facts["done"] > 0
    assert len(tree(home / "out")) == 2 * facts["done"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_row_06_a_run_that_is_about_to_start_stops_as_well(home: Path, number: signal.Signals) -> None:
    with stylize_family("run", manifest(home), *CPU) as program:
        assert eventually((home / "out/.stylize.lock").exists)
        program.signal(number)
        assert program.end() == CODES[number]
        assert nothing_is_left(program, home)
    assert tree(home / "out") == {}


def test_row_06_a_second_ctrl_c_ends_a_run_whose_worker_is_far_from_its_next_look_around(home: Path) -> None:
    huge = "{content: photos/p1.png, style: paintings/s0.png, settings: {size: 2048}}"
    path = manifest(home, f"pairs: [{{content: photos/p0.png, style: paintings/s0.png}}, {huge}]")
    with stylize_family("run", path, *CPU) as program:
        assert eventually((home / "out/p0__s0.json").exists)  # the worker is at the other one
        program.signal(signal.SIGINT)
        assert program.program.stderr is not None
        assert program.program.stderr.readline() == "\n"
        assert "Ctrl-C again ends at once" in program.program.stderr.readline()
        program.signal(signal.SIGINT)
        assert program.end() == 130
        assert nothing_is_left(program, home)
    assert not (home / "out/report.json").exists(), "it was not broken off but ended by itself"


def test_row_06_ctrl_c_during_the_report_loses_nothing(home: Path, object_store: ObjectStore) -> None:
    path = manifest(
        home, "pairs: [{content: photos/p0.png, style: paintings/s0.png}]", output=f"{object_store.root}/out"
    )
    object_store.fail("PUT", "out/report.json", "hang")
    with stylize_family("run", path, *CPU) as program:
        assert eventually(lambda: object_store.count("PUT", "out/report.json") > 0)
        program.signal(signal.SIGINT)
        assert program.program.stderr is not None
        assert program.program.stderr.readline() == "\n"
        object_store.heal()
        assert program.end() == 0, "everything was done"
        assert eventually(lambda: not program.members())
    assert b'"end": "finished"' in object_store.get("out/report.json")
    listed = object_store.client.list_objects_v2(Bucket=object_store.bucket)["Contents"]
    names = ("p0__s0.png", "p0__s0.json", *(ABOUT_RUNS - {"report.html"}))
    assert {item["Key"] for item in listed} == {f"out/{name}" for name in names}, "nobody waits for a page"


# ---- unable to go on


def test_row_15_credentials_that_expire_stop_the_run_once_and_clearly(
    home: Path, object_store: ObjectStore
) -> None:
    path = manifest(
        home,
        "contents: [photos/p0.png]\nstyles: ['paintings/*']",
        settings="encoder: slim, size: 64, steps: 60",
        output=f"{object_store.root}/out",
    )
    with stylize_family("run", path, *CPU) as program:
        program.wait_for("[1/4]")
        object_store.fail("*", "*", "expired_token")
        before = len(object_store.hits)
        said = program.wait_for("the run stops:")
        assert "no usable credentials (ExpiredToken); renew or provide them" in said
        assert program.program.stdout is not None
        rest = program.program.stdout.read()
        assert program.end() == 4
        assert eventually(lambda: not program.members())
    # of the worker a pair on the device, one that is written and one that is read; the report and the lock
    assert len(object_store.hits) - before < 10
    assert "failed" not in rest
    assert "the run stops" not in rest
    assert rest.count("run the same command again to go on") == 1
    object_store.heal()
    ended = run_inside(path, Audience())
    assert (ended.done_before + ended.done, ended.exit_code) == (4, 0)


def bucket_gone(home: Path, store: ObjectStore) -> None:
    store.fail("*", "*", "no_such_bucket")


def writes_refused(home: Path, store: ObjectStore) -> None:
    store.fail("PUT", "*", "access_denied")


def disk_gone(home: Path, store: ObjectStore) -> None:
    (home / "out").rename(home / "unplugged")
    (home / "out").write_text("no folder any more")


@pytest.mark.parametrize(
    ("harm", "output", "words"),
    [
        (bucket_gone, "s3://stylize-test/out", "NoSuchBucket: the bucket does not exist"),
        (writes_refused, "s3://stylize-test/out", "s3://stylize-test/out takes no file any more"),
        (disk_gone, "out", "not a directory; choose an output that this user can write to"),
    ],
)
def test_row_15_a_place_that_vanishes_stops_the_run_and_blames_no_pair(
    home: Path,
    object_store: ObjectStore,
    harm: Callable[[Path, ObjectStore], None],
    output: str,
    words: str,
) -> None:
    harmed: list[str] = []
    computed = set()

    def vanish(progress: PairProgress) -> None:
        computed.add(progress.pair)
        if progress.pair != "p0__s0" and not harmed:
            harmed.append(progress.pair)
            harm(home, object_store)

    audience = Audience(vanish)
    ended = run_here(manifest(home, output=output), audience)
    assert (ended.end, ended.exit_code, ended.failed) == ("stopped", 4, 0)
    assert 0 < ended.left == 8 - ended.done
    assert len(computed) <= 4, "one is done, one is not written, and one is on the device meanwhile"
    assert words in ended.reason
    assert [note for note in audience.notes if words in note] == [f"the run stops: {ended.reason}"]
    assert set(audience.statuses().values()) <= {"done", "stopped"}
