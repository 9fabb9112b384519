from __future__ import annotations

import errno
import os
import resource
import signal
from pathlib import Path

import pytest
from closed_folders import close
from processes import eventually
from small_batch import (
    FAST,
    Audience,
    manifest,
    pids_of,
    record,
    report,
    run_here,
    run_inside,
    small_batch,
    tree,
    written_at,
)

from flows.engines.local import LocalEngine
from flows.engines.supervisor import MAX_ATTEMPTS
from flows.errors import AlreadyRunning
from flows.manifest.load import load_manifest
from flows.model.events import PairProgress
from flows.model.pair import Outcome
from flows.model.shard import Shard
from flows.running.run import run_shard
from flows.storage.lock import hold_output
from flows.storage.opening import open_storage
from flows.storage.process_id import hostname, is_alive, pid_namespace_id
from flows.worker.devices import slots
from stylize_core.errors import BadWeights, DeviceUnavailable

LONG = "encoder: slim, size: 64, steps: 60"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    small_batch(tmp_path)
    return tmp_path


class Spy:
    """Knows the workers of a run, to harm them from outside."""

    def __init__(self) -> None:
        self.engines: list[LocalEngine] = []
        self.harmed: list[str] = []

    def kill_on(self, pair: str, times: int) -> Audience:
        """An audience that kills the only worker when the pair makes progress."""

        def kill(progress: PairProgress) -> None:
            if progress.pair == pair and len(self.harmed) < times and progress.step >= 2:
                self.harmed.append(pair)
                for pid in pids_of(self.engines[0]):
                    os.kill(pid, signal.SIGKILL)

        return Audience(kill)


@pytest.mark.cold
def test_a_worker_killed_under_a_pair_costs_one_attempt_and_nothing_else(home: Path) -> None:
    path = manifest(home, output="calm")
    run_inside(path, Audience())
    spy = Spy()
    audience = spy.kill_on("p1__s0", times=1)
    ended = run_here(manifest(home), audience, at_start=spy.engines.append)
    assert spy.harmed == ["p1__s0"]
    assert set(audience.statuses().values()) == {"done"}
    assert (ended.done, ended.failed, ended.exit_code) == (4, 0, 0)
    assert any("p1__s0" in note and "SIGKILL" in note and "attempt 1 of 3" in note for note in audience.notes)
    assert tree(home / "out") == tree(home / "calm")


def test_all_pairs_that_a_dead_worker_had_in_hand_are_named_and_tried_alone(home: Path) -> None:
    spy = Spy()
    audience = spy.kill_on("p0__s0", times=1)
    assert run_here(manifest(home), audience, at_start=spy.engines.append).done == 4
    (note,) = audience.notes
    named, _, how = note.partition(": ")
    # The kill follows what the worker tells, so by then it may be one pair further: at three, never more.
    assert named in ("p0__s0, p1__s0", "p0__s0, p1__s0, p0__s1")
    assert how.startswith("the worker process on cpu was killed by SIGKILL")
    assert note.endswith("attempt 1 of 3; each goes on alone")


def test_a_pair_is_told_when_its_record_is_written_while_the_next_one_is_computed(home: Path) -> None:
    events: list[str] = []

    class Diary(Audience):
        def pair_ended(self, outcome: Outcome) -> None:
            assert (home / f"out/{outcome.name}.json").exists()
            events.append(f"{outcome.name} ended")

    diary = Diary(lambda progress: events.append(f"{progress.pair} goes on"))
    first = "{content: photos/p0.png, style: paintings/s0.png, name: a}"
    second = "{content: photos/p1.png, style: paintings/s0.png, name: b, settings: {steps: 400}}"
    run_here(manifest(home, f"pairs: [{first}, {second}]"), diary)
    assert events[0] == "a goes on"
    assert events[-2:] == ["b goes on", "b ended"], "no pair is told twice"
    assert events.count("a ended") == events.count("b ended") == 1


def test_a_pair_that_kills_every_worker_is_given_up_and_the_others_are_done(home: Path) -> None:
    run_inside(manifest(home), Audience())
    newer = manifest(home, settings="encoder: slim, size: 64, steps: 6")
    for runs, done in ((1, 3), (2, 0)):
        spy = Spy()
        ended = run_here(newer, spy.kill_on("p1__s0", times=MAX_ATTEMPTS), at_start=spy.engines.append)
        assert (ended.done, ended.failed, ended.exit_code) == (done, 1, 3)
        assert ended.failures_by_kind == {"crashed": 1}
        told = record(home, "p1__s0")
        assert told.failure is not None
        assert (told.failure.kind, told.failure.attempts) == ("crashed", runs * MAX_ATTEMPTS)
        assert "SIGKILL" in told.failure.message
        assert not (home / "out/p1__s0.png").exists(), "the picture of older settings"


def test_two_workers_share_the_pairs_and_make_the_same_pictures(home: Path) -> None:
    run_inside(manifest(home, output="one"), Audience())
    ended = run_here(manifest(home, output="two"), Audience(), workers=2)
    assert len(ended.devices) == 2
    assert ended.done == 4
    pictures = [
        {name: data for name, data in tree(home / output).items() if name.endswith(".png")}
        for output in ("one", "two")
    ]
    assert pictures[0] == pictures[1]


def test_a_run_over_shards_makes_each_pair_once_and_all_of_them(home: Path) -> None:
    made = []
    for index in range(3):
        audience = Audience()
        report = run_inside(manifest(home), audience, shard=Shard(index, 3))
        assert report.exit_code == 0
        assert report.planned == report.done == len(audience.outcomes)
        made += [outcome.name for outcome in audience.outcomes]
    assert sorted(made) == ["p0__s0", "p0__s1", "p1__s0", "p1__s1"]
    assert run_inside(manifest(home), Audience()).done_before == 4


def test_a_line_that_two_entries_cannot_use_fails_once_and_leaves_nothing_to_do(home: Path) -> None:
    (home / "feed.csv").write_text("image\n~/a.png\n")
    entries = "contents: ['photos/*', {list: feed.csv}]\nstyles: [paintings/s0.png, {list: feed.csv}]"
    ended = run_inside(manifest(home, entries), Audience())
    assert (ended.planned, ended.done, ended.failed, ended.left, ended.exit_code) == (3, 2, 1, 0, 3)


def test_a_run_that_is_stopped_keeps_what_is_done_and_says_what_is_left(home: Path) -> None:
    engines: list[LocalEngine] = []
    pids: list[int] = []

    def press_ctrl_c(progress: PairProgress) -> None:
        if progress.pair == "p0__s1" and not pids:
            pids.extend(pids_of(engines[0]))
            os.kill(os.getpid(), signal.SIGINT)

    audience = Audience(press_ctrl_c)
    ended = run_here(manifest(home, settings=LONG), audience, at_start=engines.append)
    assert (ended.end, ended.exit_code, ended.done, ended.left) == ("interrupted", 130, 2, 2)
    assert report(home)["left"] == 2
    assert sorted(tree(home / "out")) == ["p0__s0.json", "p0__s0.png", "p1__s0.json", "p1__s0.png"]
    assert pids
    assert eventually(lambda: not any(map(is_alive, pids)))
    before = written_at(home / "out")
    again = run_inside(manifest(home, settings=LONG), Audience())
    assert (again.done_before, again.done, again.exit_code) == (2, 2, 0)
    assert before.items() <= written_at(home / "out").items()


def test_a_full_disk_stops_the_run_says_so_and_is_no_fault_of_the_pair(home: Path) -> None:
    engines: list[LocalEngine] = []

    def fill_up(progress: PairProgress) -> None:
        if progress.pair == "p0__s1":
            # the pair before may still be on its way to the disk
            assert eventually((home / "out/p1__s0.json").exists)
            (pid,) = pids_of(engines[0])
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (100, 100))

    ended = run_here(manifest(home), Audience(fill_up), at_start=engines.append)
    assert (ended.end, ended.exit_code, ended.done, ended.left) == ("stopped", 4, 2, 2)
    assert "p0__s1.png" in ended.reason
    assert ended.reason in ended.sentence()
    assert sorted(tree(home / "out")) == ["p0__s0.json", "p0__s0.png", "p1__s0.json", "p1__s0.png"]
    assert run_inside(manifest(home), Audience()).exit_code == 0


def test_weights_that_are_not_the_promised_ones_end_the_run_before_any_pair(home: Path) -> None:
    (home / "w.safetensors").write_bytes(b"not the weights")
    audience = Audience()
    path = manifest(home, settings=f"{FAST}, weights: {{file: w.safetensors, sha256: {'ab' * 32}}}")
    with pytest.raises(BadWeights, match="abab"):
        run_here(path, audience)
    assert audience.outcomes == []
    assert tree(home / "out") == {}


def test_a_gpu_that_is_not_there_is_named_before_anything_starts(home: Path) -> None:
    if slots("auto") != ("cpu",):
        pytest.skip("this machine has a GPU")
    with pytest.raises(DeviceUnavailable, match="cuda"):
        run_shard(load_manifest(manifest(home)), device="cuda", listener=Audience())
    assert tree(home / "out") == {}


def test_an_output_that_is_held_is_refused_and_left_alone(home: Path) -> None:
    loaded = load_manifest(manifest(home))
    with hold_output(open_storage(loaded.output)):
        with pytest.raises(AlreadyRunning, match=f"process {os.getpid()} on"):
            run_shard(loaded, device="cpu", listener=Audience())
        assert [path.name for path in (home / "out").iterdir()] == [".stylize.lock"]
    assert list((home / "out").iterdir()) == []


def test_temporary_files_of_dead_runs_are_swept_and_said(home: Path) -> None:
    dead = home / f"out/.p0__s0.png.{hostname()}-{pid_namespace_id()}-999999999-0123456789ab.stylize-tmp"
    dead.parent.mkdir()
    dead.write_bytes(b"half a picture")
    audience = Audience()
    run_inside(manifest(home), audience)
    assert not dead.exists()
    assert any("1 temporary file" in note for note in audience.notes)


def test_a_disk_that_fails_at_every_write_ends_the_run_once(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    computed = set()

    def sync(_: int) -> None:
        raise OSError(errno.EIO, "broken")

    def break_disk(progress: PairProgress) -> None:
        computed.add(progress.pair)
        monkeypatch.setattr(os, "fsync", sync)

    ended = run_inside(manifest(home), audience := Audience(break_disk))
    assert (ended.end, ended.exit_code, ended.failed, ended.left) == ("stopped", 4, 0, 4)
    assert len(computed) < 4
    assert f"{home}/out takes no file any more" in ended.reason
    assert "input/output error" in ended.reason
    assert [note for note in audience.notes if "the run stops" in note] == [f"the run stops: {ended.reason}"]


def test_a_folder_of_root_in_the_output_is_no_reason_not_to_run(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "out/lost+found").mkdir(parents=True)
    close(home / "out/lost+found", monkeypatch)
    ended = run_inside(manifest(home), Audience())
    assert (ended.done, ended.exit_code) == (4, 0)


def test_a_report_that_cannot_be_written_is_said(home: Path) -> None:
    run_inside(manifest(home), Audience())
    (home / "out/report.json").unlink()
    (home / "out/report.json").mkdir()
    audience = Audience()
    ended = run_here(manifest(home), audience, at_start=lambda _: pytest.fail("a worker was started"))
    assert ended.exit_code == 0
    assert any("report could not be written" in note for note in audience.notes)
