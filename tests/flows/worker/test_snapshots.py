"""Snapshots and animations: what they show, when they are written, and what is left of them."""

from __future__ import annotations

import gc
import hashlib
import os
import signal
import sys
import threading
import weakref
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import av
import numpy as np
import pytest
import torch
import worker_here as worker
from object_store import ObjectStore
from PIL import Image
from processes import eventually
from small_batch import (
    Audience,
    draw,
    manifest,
    record,
    run_here,
    run_inside,
    small_batch,
    stylize_family,
    tree,
)
from typer.testing import CliRunner

from flows.cli.app import app
from flows.manifest.load import load_manifest
from flows.model.events import PairProgress
from flows.model.pair import Job, Outcome, Pair
from flows.model.selection import Selection
from flows.planning.plan import make_plan
from flows.records.record import Extra, Record
from flows.storage.base import BINARY
from flows.storage.local import LocalStorage
from flows.storage.opening import open_storage
from flows.worker.snapshots import FRAMES_WAITING, SnapshotWriter, film_steps
from stylize_core.errors import MissingExtra
from stylize_core.image.decode import embedded_facts
from stylize_core.image.metadata.reading import NOTHING

PLAIN = "encoder: slim, size: 64, steps: 30, scales: 1"
WATCHED = PLAIN + ", snapshot_every: 7, animation: webp"
NUMBERS = ("0007", "0014", "0021", "0028")


@pytest.fixture(autouse=True)
def _device() -> None:
    worker.start("cpu")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder with one photo, one painting and a manifest for them."""
    small_batch(tmp_path, photos=1, paintings=1)
    return tmp_path


def job_of(home: Path, settings: str) -> Job:
    plan = make_plan(load_manifest(manifest(home, settings=settings)))
    (planned,) = plan.todo
    return Job(planned.pair, plan.output, planned.identity, planned.attempts)


def make(home: Path, settings: str) -> Outcome:
    return worker.run_pair(job_of(home, settings))


def files(home: Path) -> set[str]:
    return {path.name for path in (home / "out").iterdir()}


def pixels(path: Path) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def film(path: Path) -> Iterator[Image.Image]:
    with Image.open(path) as opened:
        for number in range(getattr(opened, "n_frames", 1)):
            opened.seek(number)
            yield opened.convert("RGB")


def test_snapshots_and_an_animation_lie_beside_the_picture_and_stand_in_its_record(home: Path) -> None:
    assert make(home, WATCHED).status == "done"
    names = {"p0__s0.png", "p0__s0.json", "p0__s0.webp", *(f"p0__s0.{number}.png" for number in NUMBERS)}
    assert files(home) == names
    told = record(home, "p0__s0")
    assert told.animation is not None
    assert [shot.name for shot in told.snapshots] == [f"p0__s0.{number}.png" for number in NUMBERS]
    for extra in (*told.snapshots, told.animation):
        data = (home / "out" / extra.name).read_bytes()
        assert extra == Extra(name=extra.name, size_bytes=len(data), sha256=hashlib.sha256(data).hexdigest())
    assert told.unfinished == ()
    assert embedded_facts((home / "out/p0__s0.0014.png").read_bytes())["stylize:step"] == "14"


def test_the_frames_of_an_animation_are_the_start_the_snapshots_and_the_result(home: Path) -> None:
    make(home, WATCHED)
    frames = [np.asarray(frame) for frame in film(home / "out/p0__s0.webp")]
    shown = [home / "photos/p0.png", *(home / f"out/p0__s0.{number}.png" for number in NUMBERS)]
    shown.append(home / "out/p0__s0.png")
    assert len(frames) == len(shown)
    for frame, path in zip(frames, shown, strict=True):
        assert np.array_equal(frame, pixels(path)), path


def test_the_frames_of_an_mp4_are_the_same_but_for_its_loss(home: Path) -> None:
    draw(home / "photos/p0.png", 3, width=96, height=72)
    make(home, WATCHED.replace("webp", "mp4").replace("64", "96"))
    told = record(home, "p0__s0").animation
    assert told is not None
    assert told.name == "p0__s0.mp4"
    with av.open(str(home / "out/p0__s0.mp4")) as opened:
        frames = [frame.to_ndarray(format="rgb24") for frame in opened.decode(video=0)]
    shown = [home / "photos/p0.png", *(home / f"out/p0__s0.{number}.png" for number in NUMBERS)]
    wanted = [pixels(path).astype(float) for path in (*shown, home / "out/p0__s0.png")]
    for number in range(len(wanted)):
        apart = [np.sqrt(np.mean((frames[number] - other) ** 2)) for other in wanted]
        assert apart[number] < 1.05 * min(apart)  # the last two of them hardly differ
        assert apart[number] < 12  # of 255; colours are stored by halves


def test_an_mp4_is_refused_before_anything_starts_where_its_library_is_not_installed(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "av", None)  # as for Python where it is not installed
    path = manifest(home, settings=PLAIN + ", animation: mp4")
    with pytest.raises(MissingExtra, match="pip install av"):
        make_plan(load_manifest(path))
    told = CliRunner().invoke(app, ["run", str(path), "--device", "cpu"])
    assert (told.exit_code, told.stdout) == (1, "")
    assert "pip install av" in told.stderr
    assert not list((home / "out").glob("p0*")) if (home / "out").exists() else True
    assert make_plan(load_manifest(manifest(home, settings=PLAIN + ", animation: gif"))).todo


def test_every_picture_on_the_way_differs_from_the_one_before(home: Path) -> None:
    make(home, WATCHED)
    seen = [pixels(home / f"out/p0__s0.{number}.png").tobytes() for number in NUMBERS]
    assert len(set(seen)) == len(NUMBERS)


def test_the_snapshot_of_the_last_step_is_the_result(home: Path) -> None:
    make(home, PLAIN + ", snapshot_every: 15")
    assert np.array_equal(pixels(home / "out/p0__s0.0030.png"), pixels(home / "out/p0__s0.png"))


def test_a_snapshot_is_the_result_of_fewer_steps_and_the_result_that_of_no_snapshots(home: Path) -> None:
    make(home, WATCHED)
    watched, at_14 = pixels(home / "out/p0__s0.png"), pixels(home / "out/p0__s0.0014.png")
    make(home, PLAIN)
    assert np.array_equal(pixels(home / "out/p0__s0.png"), watched)
    make(home, PLAIN.replace("30", "14"))
    assert np.array_equal(pixels(home / "out/p0__s0.png"), at_14)


def test_the_same_pair_gives_the_same_files(home: Path) -> None:
    make(home, WATCHED)
    first = tree(home / "out")
    for path in (home / "out").iterdir():
        path.unlink()
    make(home, WATCHED)
    assert tree(home / "out") == first


@pytest.mark.parametrize(
    ("settings", "suffix", "mode"),
    [("format: jpeg", "jpg", "JPEG"), ("format: tiff, bit_depth: 16", "tif", "TIFF")],
)
def test_snapshots_have_the_format_of_the_picture_and_8_bits(
    home: Path, settings: str, suffix: str, mode: str
) -> None:
    make(home, f"{PLAIN}, {settings}, snapshot_every: 20, animation: gif")
    assert files(home) == {f"p0__s0.{suffix}", "p0__s0.json", f"p0__s0.0020.{suffix}", "p0__s0.gif"}
    with Image.open(home / f"out/p0__s0.0020.{suffix}") as image:
        assert (image.format, image.mode, image.size) == (mode, "RGB", (64, 48))


def test_transparency_comes_with_the_snapshots(home: Path) -> None:
    alpha = Image.new("L", (64, 48), 255)
    alpha.paste(0, (0, 0, 20, 48))
    with Image.open(home / "photos/p0.png") as photo:
        photo.putalpha(alpha)
        photo.save(home / "photos/p0.png")
    make(home, WATCHED)
    with Image.open(home / "out/p0__s0.0014.png") as image:
        assert np.array_equal(np.asarray(image)[..., 3], np.asarray(alpha))
    assert all(np.asarray(frame)[:, :20].min() == 255 for frame in film(home / "out/p0__s0.webp"))


def test_what_newer_settings_do_not_make_any_more_is_deleted(home: Path) -> None:
    make(home, WATCHED)
    make(home, PLAIN + ", snapshot_every: 14, animation: gif")
    assert files(home) == {
        "p0__s0.png", "p0__s0.json", "p0__s0.0014.png", "p0__s0.0028.png", "p0__s0.gif",
    }  # fmt: skip
    make(home, PLAIN)
    assert files(home) == {"p0__s0.png", "p0__s0.json"}


def test_a_pair_that_fails_leaves_no_snapshot_behind(home: Path) -> None:
    make(home, WATCHED)
    (home / "photos/p0.png").write_bytes(b"no picture")
    assert make(home, WATCHED).kind == "bad_image"
    assert files(home) == {"p0__s0.json"}


def test_a_pair_that_is_stopped_leaves_nothing_behind(home: Path) -> None:
    def stop_late(progress: PairProgress) -> None:
        if progress.step >= 20:
            assert "p0__s0.0007.png" in files(home)
            os.kill(os.getpid(), signal.SIGTERM)

    audience = Audience(on_progress=stop_late)
    path = manifest(home, settings=WATCHED.replace("30", "3000"))
    run_here(path, audience)
    assert audience.statuses() == {"p0__s0": "stopped"}
    assert {name for name in files(home) if not name.startswith("report")} <= {".stylize.lock", "trace.csv"}


class Failing(LocalStorage):
    """A folder that takes only so many snapshots."""

    def __init__(self, root: str, error: Exception, *, after: int) -> None:
        super().__init__(root)
        self.error, self.left = error, after

    def write(self, name: str, data: bytes, *, content_type: str = BINARY) -> None:
        if name.endswith(".png"):
            if self.left == 0:
                raise self.error
            self.left -= 1
        super().write(name, data, content_type=content_type)


def writer(pair: Pair, storage: LocalStorage, announced: list[tuple[str, ...]]) -> SnapshotWriter:
    return SnapshotWriter(pair, storage, alpha=None, facts={}, metadata=NOTHING, announce=announced.append)


def watched_pair(home: Path, **settings: object) -> Pair:
    pair = job_of(home, WATCHED).pair
    return replace(pair, style_settings=replace(pair.style_settings, **settings))  # type: ignore[arg-type]


def show_everything(pair: Pair, storage: LocalStorage) -> None:
    with writer(pair, storage, []) as made:
        assert made.frames is not None
        for step in range(pair.style_settings.steps):
            made.frames.offer(step, torch.rand(1, 3, 48, 64))
        made.finish(torch.rand(3, 48, 64))


def test_a_failed_write_reaches_the_optimiser_with_its_own_words(home: Path) -> None:
    storage = Failing(str(home / "out"), OSError("the disk is full"), after=2)
    with pytest.raises(OSError, match="the disk is full"):
        show_everything(watched_pair(home, steps=3000), storage)
    assert storage.left == 0
    assert not [thread for thread in threading.enumerate() if thread.name == "evolution"]


def test_all_names_are_announced_before_the_first_file_is_there(home: Path) -> None:
    announced: list[tuple[str, ...]] = []
    with writer(watched_pair(home), LocalStorage(str(home / "out")), announced) as made:
        assert made.frames is not None
        made.frames.offer(7, torch.rand(1, 3, 48, 64))
        made.finish(torch.rand(3, 48, 64))
    assert announced == [(*(f"p0__s0.{number}.png" for number in NUMBERS), "p0__s0.webp")]


def test_only_a_few_pictures_are_ever_in_memory(home: Path) -> None:
    pair = watched_pair(home, steps=1000, snapshot_every=5)
    alive: list[weakref.ref[torch.Tensor]] = []
    most = 0
    with writer(pair, LocalStorage(str(home / "out")), []) as made:
        assert made.frames is not None
        for step in range(1, 1001):
            image = torch.rand(1, 3, 48, 64)
            if step in made.frames.steps:
                row = image.clamp(0, 1)
                alive.append(weakref.ref(row))
                made.frames.show(step, row)
                del row
            gc.collect(0)
            most = max(most, sum(ref() is not None for ref in alive))
        snapshots, animation = made.finish(torch.rand(3, 48, 64))
    assert len(snapshots) == 200
    assert animation is not None
    assert most <= FRAMES_WAITING + 2  # one in work, one at the door


def test_nothing_is_started_where_nothing_is_wanted(home: Path) -> None:
    pair = job_of(home, PLAIN).pair
    with writer(pair, LocalStorage(str(home / "out")), []) as made:
        assert made.frames is None
        assert not [thread for thread in threading.enumerate() if thread.name == "evolution"]
        assert made.finish(torch.rand(3, 48, 64)) == ((), None)


@pytest.mark.parametrize(
    ("steps", "every", "expected"),
    [
        (200, 20, range(0, 200, 20)),
        (200, 0, range(0, 200, 4)),
        (5, 0, range(5)),
        (1, 0, range(1)),
        (1000, 1, range(0, 1000, 6)),
        (7, 100, range(1)),
        (199, 1, range(199)),
        (200, 1, range(0, 200, 2)),
    ],
)
def test_an_animation_has_frames_enough_and_not_too_many(
    home: Path, steps: int, every: int, expected: range
) -> None:
    found = film_steps(watched_pair(home, steps=steps, snapshot_every=every))
    assert found == expected
    assert len(found) < 200


def killed_at(home: Path, name: str) -> None:
    """Run the manifest in a process of its own and kill all of it as soon as the file is there."""
    with stylize_family("run", home / "m.yaml", "--device", "cpu"):
        assert eventually((home / "out" / name).exists)


@pytest.mark.slow
def test_a_killed_run_leaves_nothing_stale_whatever_comes_next(home: Path) -> None:
    draw(home / "photos/p0.png", 0, width=640, height=480)
    slow = "encoder: slim, size: 256, steps: 5000, snapshot_every: 5, animation: gif"
    manifest(home, settings=slow)
    killed_at(home, "p0__s0.0010.png")
    left = Record.parse((home / "out/p0__s0.json").read_bytes())
    assert left.failure is not None
    assert left.failure.kind == "unfinished"
    assert files(home) & set(left.unfinished) >= {"p0__s0.0005.png", "p0__s0.0010.png"}
    run_inside(manifest(home, settings=WATCHED), Audience())
    resumed = tree(home / "out")
    run_inside(manifest(home, settings=WATCHED, output="other"), Audience())
    assert resumed == tree(home / "other")


@pytest.mark.parametrize(("number", "code"), [(None, 3), (signal.SIGTERM, 4), (signal.SIGINT, 130)])
def test_a_picture_that_is_made_again_in_vain_stays_with_all_that_its_record_speaks_of(
    home: Path, number: signal.Signals | None, code: int
) -> None:
    manifest(home, settings=WATCHED)
    run_inside(home / "m.yaml", Audience())
    (home / "out/p0__s0.0007.png").unlink()  # so that the new try leaves something of its own
    before, told = pictures_and_records(home), record(home, "p0__s0")

    def end(progress: PairProgress) -> None:
        if progress.step:
            assert "p0__s0.0007.png" in files(home)
            if number is None:
                raise ArithmeticError("spoilt")
            os.kill(os.getpid(), number)

    again = run_inside(home / "m.yaml", Audience(end), selection=Selection(("p0__s0",), force=True))
    assert again.exit_code == code
    assert pictures_and_records(home).items() >= before.items()
    assert record(home, "p0__s0") == told


def test_a_picture_that_is_made_again_has_what_is_asked_for_beside_it_and_nothing_else(home: Path) -> None:
    run_inside(manifest(home, settings=WATCHED.replace("7", "5")), Audience())
    path = manifest(home, settings=WATCHED)
    again = run_inside(path, Audience(), selection=Selection(("p0__s0",), force=True))
    assert (again.exit_code, again.done, again.double_work) == (0, 1, 0)
    run_inside(manifest(home, settings=WATCHED, output="other"), Audience())
    assert pictures_and_records(home) == pictures_and_records(home, "other")
    assert record(home, "p0__s0").unfinished == ()


def pictures_and_records(home: Path, output: str = "out") -> dict[str, bytes]:
    return {name: data for name, data in tree(home / output).items() if name.startswith("p0__s0")}


def test_on_s3_the_files_are_the_same_and_older_ones_go_too(home: Path, object_store: ObjectStore) -> None:
    root = f"{object_store.root}/out"
    make(home, WATCHED)
    wanted = {path.name: path.read_bytes() for path in (home / "out").iterdir() if path.suffix != ".json"}
    for settings in (WATCHED.replace("7", "5"), WATCHED):
        (planned,) = make_plan(load_manifest(manifest(home, settings=settings, output=root))).todo
        assert worker.run_pair(Job(planned.pair, root, planned.identity)).status == "done"
    storage = open_storage(root)
    assert {
        item.name: storage.read(item.name) for item in storage.list() if ".json" not in item.name
    } == wanted
