"""Pairs that are stopped on their way and gone on with: the same bytes, and nothing left behind."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import worker_here as worker
from object_store import ObjectStore
from small_batch import Audience, draw, manifest, record, run_inside, small_batch, tree
from typer.testing import CliRunner

from flows.cli.app import app
from flows.errors import StorageFatal
from flows.manifest.load import load_manifest
from flows.model.pair import Job
from flows.model.shard import Shard
from flows.planning.plan import make_plan
from flows.records.checkpoints import PREFIX, CheckpointShelf
from flows.records.record import Record
from flows.running.under_way import steps_kept
from flows.running.upkeep.leftovers import Leftover, find_leftovers
from flows.storage.base import Storage
from flows.storage.opening import open_storage
from flows.worker import link
from flows.worker.keeping import checkpoints
from flows.worker.keeping.shown import Shown, with_shown
from stylize_core.optim.state import Saved

SIXTY = "encoder: slim, size: 64, steps: 60"
Trouble = Callable[[Path, pytest.MonkeyPatch], None]


class Killed(BaseException):
    """The worker ends without a chance to do anything."""


@pytest.fixture(autouse=True)
def _every_stop_is_worth_it(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(checkpoints, "WORTHWHILE", 0.0)
    yield
    link.connect(lambda _: None, lambda: False)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """One photo, one painting."""
    small_batch(tmp_path, photos=1, paintings=1)
    return tmp_path


def jobs(path: Path, checkpoint_s: float = 60.0) -> list[Job]:
    plan = make_plan(load_manifest(path))
    return [
        Job(p.pair, plan.output, p.identity, manifest=plan.source, checkpoint_s=checkpoint_s)
        for p in plan.todo
    ]


def stop_after(steps: int) -> Callable[[], bool]:
    """Somebody who wants the run to end at that step, and asks for nothing before."""
    asked = iter(range(1_000_000))
    return lambda: next(asked) + 1 >= steps


def went_on_after(decision: str) -> int:
    """After how many evaluations; after the last one of a size nobody asks."""
    words, _, rest = decision.partition("went on from a checkpoint after ")
    assert words == ""
    return int(rest.split()[0])


def left_in(home: Path, output: str = "out") -> list[Path]:
    return sorted((home / output).glob(PREFIX + "*"))


def run(
    todo: list[Job], *, stop: Callable[[], bool] = lambda: False, batch: int | None = None
) -> dict[str, str]:
    """The jobs in a fresh worker, which knows nothing of the one before."""
    worker.start("cpu", batch=batch)
    link.connect(lambda _: None, stop)
    return {outcome.name: outcome.status for outcome in worker.run_pairs(todo)}


_calm: dict[str, dict[str, bytes]] = {}


def calm(home: Path, settings: str = SIXTY) -> bytes:
    """The picture of a run that nobody disturbs; what it leaves is in `calm`. Tests share each such run."""
    path, folder = manifest(home, settings=settings, output="calm"), home / "calm"
    if settings not in _calm:
        assert run(jobs(path)) == {"p0__s0": "done"}
        _calm[settings] = tree(folder)
    for name, data in _calm[settings].items():
        folder.mkdir(exist_ok=True)
        (folder / name).write_bytes(data)
    return _calm[settings]["p0__s0.png"]


@pytest.mark.parametrize("step", [1, 33])
def test_a_pair_that_is_stopped_goes_on_where_it_was_and_says_so(
    home: Path, step: int, caplog: pytest.LogCaptureFixture
) -> None:
    undisturbed, path = calm(home), manifest(home, settings=SIXTY)
    assert run(jobs(path), stop=stop_after(step)) == {"p0__s0": "stopped"}
    assert len(left_in(home)) == 1
    assert run(jobs(path)) == {"p0__s0": "done"}
    assert (home / "out/p0__s0.png").read_bytes() == undisturbed
    (decision,) = record(home, "p0__s0").decisions
    assert went_on_after(decision) in (step, step + 1)
    assert "pair=p0__s0 goes on from a checkpoint" in caplog.text
    assert left_in(home) == []


def test_checkpoints_follow_one_another_and_the_last_one_counts(home: Path) -> None:
    """Without a stop, as before a kill: the worker's end takes with it what came after the last one."""
    undisturbed, path = calm(home), manifest(home, settings=SIXTY)

    def killed() -> bool:
        if len(left_in(home)) and next(asked) == 40:
            raise Killed
        return False

    asked = iter(range(1000))
    with pytest.raises(Killed):
        run(jobs(path, checkpoint_s=1e-9), stop=killed)
    assert run(jobs(path)) == {"p0__s0": "done"}
    assert (home / "out/p0__s0.png").read_bytes() == undisturbed
    assert left_in(home) == []


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda data: data[:-1], "it is not whole"),
        (lambda data: data[:500] + b"?" + data[501:], "it is not whole"),
        (lambda data: b"", "it is not whole"),
    ],
    ids=["cut", "altered", "empty"],
)
def test_a_broken_checkpoint_is_said_and_costs_nothing_else(
    home: Path, spoil: Callable[[bytes], bytes], why: str
) -> None:
    undisturbed, path = calm(home), manifest(home, settings=SIXTY)
    run(jobs(path), stop=stop_after(20))
    (kept,) = left_in(home)
    kept.write_bytes(spoil(kept.read_bytes()))
    assert run(jobs(path)) == {"p0__s0": "done"}
    (decision,) = record(home, "p0__s0").decisions
    assert decision.startswith(f"a checkpoint was not used: {why}")
    assert (home / "out/p0__s0.png").read_bytes() == undisturbed
    assert left_in(home) == []


def test_without_memory_for_a_checkpoint_the_pair_is_made_without(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoints, "free_memory", lambda: 1000)
    assert run(jobs(manifest(home, settings=SIXTY), checkpoint_s=1e-9)) == {"p0__s0": "done"}
    said = r"a checkpoint could not be written: it takes \d+ [kM]B of memory, and 1 kB are free"
    assert all(re.fullmatch(said, decision) for decision in record(home, "p0__s0").decisions)
    assert left_in(home) == []


@pytest.mark.parametrize("label", ["algorithm", "precision", "identity"])
def test_what_is_of_something_else_is_not_gone_on_from(
    home: Path, label: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = manifest(home, settings=SIXTY)
    with monkeypatch.context() as older:
        labels = checkpoints._labels
        older.setattr(checkpoints, "_labels", lambda prepared: labels(prepared) | {label: "0"})
        run(jobs(path), stop=stop_after(20))
    assert run(jobs(path)) == {"p0__s0": "done"}
    (decision,) = record(home, "p0__s0").decisions
    assert decision.startswith(f"a checkpoint was not used: its {label} is 0, not ")
    assert left_in(home) == []


def no_room(home: Path, patch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(home)._replace(free=1000)
    patch.setattr(shutil, "disk_usage", lambda _: usage)


def full(home: Path, patch: pytest.MonkeyPatch) -> None:
    def put(*_: object) -> None:
        raise StorageFatal("the disk is full")

    patch.setattr(CheckpointShelf, "put", put)


def a_folder_there(home: Path, patch: pytest.MonkeyPatch) -> None:
    (planned,) = make_plan(load_manifest(home / "m.yaml")).pairs
    (home / "out" / (PREFIX + planned.identity)).mkdir(parents=True)


@pytest.mark.parametrize(
    ("trouble", "why"),
    [
        (full, "the disk is full"),
        (no_room, r".*it takes \d+ [kM]B of the disk at \S*/out, and 1 kB are free"),
        (a_folder_there, r".*: is a directory; check .*"),
    ],
)
def test_what_cannot_be_written_costs_the_pair_a_line(
    home: Path, trouble: Trouble, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    undisturbed = calm(home)
    path = manifest(home, settings=SIXTY)
    trouble(home, monkeypatch)
    assert run(jobs(path, checkpoint_s=1e-9)) == {"p0__s0": "done"}
    for decision in record(home, "p0__s0").decisions:
        assert re.fullmatch(f"a checkpoint could not be written: {why}", decision)
    assert record(home, "p0__s0").decisions != ()
    assert (home / "out/p0__s0.png").read_bytes() == undisturbed


def test_a_store_that_takes_none_costs_the_pair_a_line(home: Path, object_store: ObjectStore) -> None:
    object_store.fail("PUT", "*.stylize-checkpoint-*", "access_denied")
    root = f"{object_store.root}/out"
    assert run(jobs(manifest(home, settings=SIXTY, output=root), checkpoint_s=1e-9)) == {"p0__s0": "done"}
    decisions = Record.parse(open_storage(root).read("p0__s0.json")).decisions
    assert {one.partition(":")[0] for one in decisions} == {"a checkpoint could not be written"}


def test_what_a_kill_costs_is_an_interval_at_most(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a clock that goes on by a second with every step: a checkpoint every ten seconds."""
    path = manifest(home, settings=SIXTY)
    seconds = [0.0]
    monkeypatch.setattr(checkpoints, "time", SimpleNamespace(monotonic=lambda: seconds[0]))

    def killed() -> bool:
        seconds[0] += 1
        if seconds[0] == 48:
            raise Killed
        return False

    with pytest.raises(Killed):
        run(jobs(path, checkpoint_s=10.0), stop=killed)
    assert run(jobs(path)) == {"p0__s0": "done"}
    (decision,) = record(home, "p0__s0").decisions
    assert 48 - 10 <= went_on_after(decision) < 48


def test_a_short_pair_and_one_that_wants_none_leave_and_ask_nothing(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = manifest(home, settings=SIXTY)
    monkeypatch.setattr(checkpoints, "WORTHWHILE", 1 / 12)
    assert run(jobs(path), stop=stop_after(20)) == {"p0__s0": "stopped"}
    assert left_in(home) == []
    monkeypatch.setattr(CheckpointShelf, "_of", lambda *_: pytest.fail("the output was listed"))
    assert run(jobs(path, checkpoint_s=0.0)) == {"p0__s0": "done"}


def test_each_row_of_a_batch_goes_on_alone(tmp_path: Path) -> None:
    small_batch(tmp_path, photos=2, paintings=1)
    path = manifest(tmp_path, settings=SIXTY)
    assert set(run(jobs(path), stop=stop_after(25), batch=2).values()) == {"stopped"}
    assert len(left_in(tmp_path)) == 2
    assert set(run(jobs(path), batch=2).values()) == {"done"}
    for name in ("p0__s0", "p1__s0"):
        made = record(tmp_path, name)
        assert made.batch == 1
        alone, went_on = made.decisions
        assert alone == "computed alone, not in a batch: it goes on from a checkpoint"
        assert went_on_after(went_on) == 25
    assert left_in(tmp_path) == []


def files_in(folder: Path) -> dict[str, bytes]:
    """All but the record, which says that the pair was gone on with."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix != ".json"}


@pytest.mark.parametrize("kind", ["gif", "webp", "mp4", "none"])
def test_snapshots_and_films_go_on_as_if_nothing_had_happened(home: Path, kind: str) -> None:
    watched = f"{SIXTY}, snapshot_every: 7, animation: {kind}"
    calm(home, watched)
    path = manifest(home, settings=watched)
    for step in (20, 33):
        assert run(jobs(path), stop=stop_after(step)) == {"p0__s0": "stopped"}
        assert len(left_in(home)) == 1
        assert (home / "out/p0__s0.0014.png").exists(), "its checkpoint needs it"
    assert run(jobs(path)) == {"p0__s0": "done"}
    assert files_in(home / "out") == files_in(home / "calm")
    made, undisturbed = record(home, "p0__s0"), Record.parse((home / "calm/p0__s0.json").read_bytes())
    assert (made.snapshots, made.animation) == (undisturbed.snapshots, undisturbed.animation)
    assert [went_on_after(one) for one in made.decisions] == [20, 54]
    assert left_in(home) == []


def _altered(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-20] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize("spoil", [Path.unlink, _altered], ids=["gone", "altered"])
def test_without_the_snapshots_that_were_there_a_pair_begins_anew(
    home: Path, spoil: Callable[[Path], object]
) -> None:
    watched = SIXTY + ", snapshot_every: 7, animation: gif"
    calm(home, watched)
    path = manifest(home, settings=watched)
    run(jobs(path), stop=stop_after(33))
    spoil(home / "out/p0__s0.0014.png")
    assert run(jobs(path)) == {"p0__s0": "done"}
    (decision,) = record(home, "p0__s0").decisions
    assert decision == "a checkpoint was not used: the snapshot p0__s0.0014.png is not there any more"
    assert files_in(home / "out") == files_in(home / "calm")


@pytest.mark.parametrize(
    ("key", "value"), [("shown.ends", [9]), ("shown.snapshots", [[1]]), ("step", None), ("step", 0)]
)
def test_a_film_that_cannot_have_been_shown_costs_the_restart_alone(
    home: Path, key: str, value: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched = SIXTY + ", snapshot_every: 30, animation: webp"
    calm(home, watched)
    path = manifest(home, settings=watched)
    with monkeypatch.context() as other:

        def spoilt(state: Saved, shown: Shown) -> Saved:
            made = with_shown(state, shown)
            return replace(made, facts={**made.facts, key: value})

        other.setattr(checkpoints, "with_shown", spoilt)
        run(jobs(path), stop=stop_after(33))
    assert run(jobs(path)) == {"p0__s0": "done"}
    assert record(home, "p0__s0").decisions[0].startswith("a checkpoint was not used: ")
    assert files_in(home / "out") == files_in(home / "calm")


def test_a_dream_goes_on_and_its_film_as_well(home: Path) -> None:
    dream = "encoder: slim, mode: dream, size: 64, steps: 30, octaves: 2, animation: gif"
    calm(home, dream)
    path = manifest(home, settings=dream)
    for step in (9, 12):
        assert run(jobs(path), stop=stop_after(step)) == {"p0__s0": "stopped"}
    assert run(jobs(path)) == {"p0__s0": "done"}
    assert files_in(home / "out") == files_in(home / "calm")
    assert [went_on_after(one) for one in record(home, "p0__s0").decisions] == [9, 21]


def test_a_checkpoint_of_a_pair_that_is_done_goes_with_the_next_run(home: Path) -> None:
    """As if the run that made it had been killed between the record and the checkpoint's end."""
    path = manifest(home, settings=SIXTY)
    run(jobs(path), stop=stop_after(20))
    (kept,) = left_in(home)
    data = kept.read_bytes()
    assert run_inside(path, Audience()).done == 1
    kept.write_bytes(data)
    other = kept.with_name(PREFIX + "0" * 64)
    other.write_bytes(data)
    assert run_inside(path, Audience()).exit_code == 0
    assert left_in(home) == [other], "that of a pair of which nothing is known stays"


def test_another_machine_goes_on_with_what_a_shard_was_at(tmp_path: Path, object_store: ObjectStore) -> None:
    root = f"{object_store.root}/{tmp_path.name}"
    for name in ("photo", "painting"):
        object_store.put(
            f"{tmp_path.name}/{name}.png", draw(tmp_path / f"{name}.png", len(name)).read_bytes()
        )
    entries = f"contents: [{root}/photo.png]\nstyles: [{root}/painting.png]"

    def made(output: str) -> tuple[Storage, Path]:
        path = tmp_path / f"{output}.yaml"
        path.write_text(manifest(tmp_path, entries, settings=SIXTY, output=f"{root}/{output}").read_text())
        return open_storage(f"{root}/{output}"), path

    there, path = made("calm")
    assert run_inside(path, Audience()).exit_code == 0
    undisturbed = there.read("photo__painting.png")
    there, path = made("out")
    first = next(
        shard for index in range(2) if make_plan(load_manifest(path), shard=(shard := Shard(index, 2))).todo
    )
    audience = Audience(on_progress=lambda progress: link.stop_here(stopped=progress.step >= 30))
    assert run_inside(path, audience, shard=first).exit_code != 0
    (kept,) = (item.name for item in there.list(PREFIX))
    again = load_manifest(path)
    assert list(steps_kept(make_plan(again), again)) == ["photo__painting"], "by what was read for it"
    assert find_leftovers(again).found == []
    object_store.put(f"{tmp_path.name}/photo.png", draw(tmp_path / "photo.png", 9).read_bytes())
    assert steps_kept(make_plan(again), again) == {}
    assert find_leftovers(again).found == [], "nobody knows yet what the photograph is"
    object_store.put(f"{tmp_path.name}/photo.png", draw(tmp_path / "photo.png", len("photo")).read_bytes())
    assert run_inside(path, Audience(), shard=first).exit_code == 0
    assert there.read("photo__painting.png") == undisturbed
    written = Record.parse(there.read("photo__painting.json"))
    assert written.decisions[0].startswith("went on from a checkpoint after ")
    assert kept not in {item.name for item in there.list()}


def told(command: str, path: Path, *options: str) -> str:
    """What the command prints."""
    made = CliRunner().invoke(app, [command, str(path), *options], env={"COLUMNS": "200"})
    assert made.exit_code == 0, made.stderr
    return made.stdout


def test_plan_and_status_say_where_a_pair_will_go_on_and_clean_removes_what_nobody_will(home: Path) -> None:
    path = manifest(home, settings=SIXTY)
    run(jobs(path), stop=stop_after(20))
    (kept,) = left_in(home)
    assert "new; goes on from a checkpoint after 20 evaluations" in told("plan", path)
    assert json.loads(told("plan", path, "--json"))["todo"][0]["checkpoint"] == 20
    assert "with a checkpoint to go on from: p0__s0 after 20 evaluations" in told("status", path)
    assert json.loads(told("status", path, "--json"))["checkpoints"] == {"p0__s0": 20}
    assert find_leftovers(load_manifest(path)).found == []
    draw(home / "photos/p0.png", 77)
    assert json.loads(told("plan", path, "--json"))["todo"][0]["checkpoint"] is None
    size = kept.stat().st_size
    nobody_s = [Leftover("p0__s0", "checkpoint", (kept.name,), size)]
    assert find_leftovers(load_manifest(path)).found == nobody_s, "the photograph is another one"
    draw(home / "photos/p0.png", 0)
    other = home / "other.yaml"
    other.write_text(manifest(home, settings=SIXTY.replace("60", "61")).read_text())
    assert find_leftovers(load_manifest(other)).found == [], "it is another manifest's"
    broken = kept.with_name(PREFIX + "1" * 64)
    broken.write_bytes(kept.read_bytes()[:300])
    manifest(home, settings=SIXTY, entries="contents: ['photos/*']\nstyles: [photos/p0.png]")
    assert find_leftovers(load_manifest(path)).found == nobody_s, "another pair is named"
    told("clean", path, "--delete")
    assert left_in(home) == [broken], "what does not say whose it is stays"


def test_no_pattern_takes_a_checkpoint_for_a_picture(home: Path) -> None:
    run(jobs(manifest(home, settings=SIXTY)), stop=stop_after(20))
    assert len(left_in(home)) == 1
    entries = "contents: ['out/.*', 'out/**', 'photos/*']\nstyles: ['paintings/*']\nallow_empty: true"
    plan = make_plan(load_manifest(manifest(home, entries, settings=SIXTY)))
    assert [one.pair.name for one in plan.pairs] == ["p0__s0"]
    assert replace(plan, pairs=()).refused == ()
