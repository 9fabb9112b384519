"""Runs over a part of a manifest's pairs, and over previews of them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import pytest
from PIL import Image
from small_batch import (
    Audience,
    draw,
    manifest,
    record,
    report,
    run_inside,
    small_batch,
    tree,
    written_at,
)

from flows.errors import BadArguments
from flows.manifest.load import load_manifest
from flows.manifest.preview import preview_of, previewed
from flows.model.selection import Selection
from flows.model.shard import Shard
from flows.planning.plan import make_plan
from flows.planning.selecting import FORCED
from flows.records.report import Report
from flows.running.options import selection_of

T = TypeVar("T")
SWEPT = "contents: ['photos/*']\nstyles: ['paintings/*']\nsweep: {style_weight: [1, 1000]}"


def run(home: Path, **selection: object) -> Report:
    return run_inside(home / "m.yaml", Audience(), selection=Selection(**selection))  # type: ignore[arg-type]


def results(folder: Path, look: Callable[[Path], dict[str, T]]) -> dict[str, T]:
    """What `look` says of an output, but for what tells of runs."""
    return {name: one for name, one in look(folder).items() if not name.startswith(("report", "trace"))}


def todo(home: Path, **selection: object) -> dict[str, str]:
    plan = make_plan(load_manifest(home / "m.yaml"), selection=Selection(**selection))  # type: ignore[arg-type]
    return {one.pair.name: one.reason for one in plan.todo}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    small_batch(tmp_path)
    return tmp_path


def test_a_run_for_some_names_makes_those_and_is_done(home: Path) -> None:
    made = run(home, only=("p0*", "p1__s1"))
    assert (made.exit_code, made.planned, made.done, made.left, made.not_asked) == (0, 3, 3, 0, 1)
    assert sorted(path.stem for path in (home / "out").glob("p*.png")) == ["p0__s0", "p0__s1", "p1__s1"]
    assert made.sentence().endswith("1 not asked for (--only p0* --only p1__s1)")
    assert report(home)["not_asked"] == 1
    assert run(home).done == 1


def test_a_name_that_no_pair_has_is_refused_with_those_that_come_near(home: Path) -> None:
    with pytest.raises(BadArguments, match=r"called 'po\*'; the nearest are p1__s0, p1__s1, p0__s0, p0__s1"):
        todo(home, only=("p1*", "po*"))


def test_pictures_that_are_not_asked_for_are_not_even_looked_at(home: Path) -> None:
    (home / "photos/p1.png").unlink()
    manifest(home, "contents: [photos/p0.png, photos/p1.png]\nstyles: ['paintings/*']")
    plan = make_plan(load_manifest(home / "m.yaml"), selection=Selection(("p0*",)))
    assert plan.warnings == ()


def test_a_limit_counts_what_is_to_do_and_goes_on_the_next_time(home: Path) -> None:
    first, second = run(home, limit=3), run(home, limit=3)
    assert (first.exit_code, first.done, first.not_asked) == (0, 3, 1)
    assert (second.exit_code, second.done, second.done_before, second.not_asked) == (0, 1, 3, 0)


def test_what_failed_is_tried_again_alone(home: Path) -> None:
    assert (run(home, failed=True).planned, (home / "out/report.json").exists()) == (0, True)
    broken = home / "photos/p1.png"
    broken.write_bytes(b"no photo")
    assert run(home, only=("*s0",)).failed == 1
    assert todo(home, failed=True) == {"p1__s0": "failed before: bad_image"}
    draw(broken, 1)
    again = run(home, failed=True)
    assert (again.exit_code, again.planned, again.done, again.not_asked) == (0, 1, 1, 3)


def test_what_is_done_is_made_again_when_asked_and_comes_out_the_same(home: Path) -> None:
    run(home)
    before, pictures = results(home / "out", written_at), results(home / "out", tree)
    assert todo(home, force=True, only=("p0*",)) == {"p0__s0": FORCED, "p0__s1": FORCED}
    again = run(home, force=True, only=("p0*",))
    after = results(home / "out", written_at)
    assert (again.exit_code, again.done, again.done_before) == (0, 2, 0)
    assert {name[:2] for name in after if after[name] != before[name]} == {"p0"}
    assert results(home / "out", tree) == pictures
    assert todo(home) == {}


def test_a_night_that_could_not_make_all_again_is_gone_on_with_by_the_next_one(home: Path) -> None:
    run(home)
    for hours, name in enumerate(("p1__s0", "p0__s1", "p1__s1", "p0__s0")):
        made = record(home, name)
        older = made.model_copy(update={"finished_at": made.finished_at - timedelta(hours=hours)})
        (home / f"out/{name}.json").write_bytes(older.to_bytes())
    assert list(todo(home, force=True, limit=3)) == ["p0__s0", "p1__s1", "p0__s1"]
    (home / "out/p1__s0.json").unlink()
    assert list(todo(home, force=True, limit=2)) == ["p1__s0", "p0__s0"], "what there is none of goes first"


def test_a_picture_that_cannot_be_made_again_stays_and_the_failure_is_told(home: Path) -> None:
    run(home)
    before = results(home / "out", tree)
    audience = Audience()
    forced = Selection(("p0__s0",), force=True)

    def spoil(_: object) -> None:
        raise ArithmeticError("spoilt")

    audience.on_progress = spoil
    again = run_inside(home / "m.yaml", audience, selection=forced)
    assert (again.exit_code, again.failed) == (3, 1)
    assert results(home / "out", tree) == before


def test_a_sheet_is_left_to_a_run_for_all_of_its_pairs(home: Path) -> None:
    manifest(home, SWEPT)
    plan = make_plan(load_manifest(home / "m.yaml"), selection=Selection(("p0__s0*", "p1__s0*1000*")))
    assert [sheet.name.partition("_sheet")[0][:6] for sheet in plan.sheets] == ["p0__s0"]
    assert "3 contact sheets with pairs that are not asked for" in plan.warnings[-1]


def test_names_may_be_chosen_in_a_shard_and_a_limit_may_not(home: Path) -> None:
    loaded = load_manifest(home / "m.yaml")
    parts = [make_plan(loaded, shard=Shard(i, 2), selection=Selection(("p0*",))) for i in (0, 1)]
    assert sum(part.counts["planned"] for part in parts) == 2
    assert sum(part.not_asked for part in parts) == 2
    with pytest.raises(BadArguments, match="a shard knows its own"):
        selection_of(Shard(0, 2), limit=3)


@pytest.mark.parametrize(
    ("given", "words"), [({"limit": 0}, "--limit: 0 is"), ({"only": [""]}, "empty pattern")]
)
def test_a_selection_that_means_nothing_is_refused(given: dict[str, object], words: str) -> None:
    with pytest.raises(BadArguments, match=words):
        selection_of(Shard(), **given)  # type: ignore[arg-type]


def test_a_preview_is_small_and_leaves_the_real_results_alone(home: Path) -> None:
    draw(home / "photos/p0.png", 3, width=640, height=480)
    manifest(home, settings="encoder: vgg19, size: 600, steps: 3, snapshot_every: 1, animation: gif")
    loaded = preview_of(load_manifest(home / "m.yaml"))
    audience = Audience()
    made = run_inside(loaded, audience, selection=Selection(("p0__s0",)))
    assert (made.exit_code, made.output) == (0, str(home / "out-preview"))
    with Image.open(home / "out-preview/p0__s0.png") as picture:
        assert max(picture.size) == 256
    assert sorted(results(home / "out-preview", written_at)) == ["p0__s0.json", "p0__s0.png"]
    assert not (home / "out").exists()
    assert make_plan(loaded, selection=Selection(("p0__s0",))).counts["done"] == 1
    assert make_plan(load_manifest(home / "m.yaml")).counts["done"] == 0


def test_a_preview_keeps_what_is_small_already_and_the_network_that_its_layers_need() -> None:
    own = {"encoder": "vgg19", "style_layers": ("relu5_1",), "size": 64, "steps": 5}
    assert previewed(own) == own
    assert previewed({"preset": "final"})["encoder"] == "slim"
    assert previewed({"megapixels": 8.0})["size"] == previewed({"size": "original"})["size"] == 256


def test_previews_are_no_inputs_of_the_real_run(home: Path) -> None:
    manifest(home, "contents: ['**/*.png']\nstyles: [paintings/s0.png]\nexclude: [paintings]")
    run_inside(preview_of(load_manifest(home / "m.yaml")), Audience())
    plan = make_plan(load_manifest(home / "m.yaml"))
    assert sorted(one.pair.name for one in plan.pairs) == ["p0__s0", "p1__s0"]
    assert {item.why for item in plan.left_out} == {"ours", "excluded"}
