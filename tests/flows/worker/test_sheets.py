from __future__ import annotations

import json
from pathlib import Path

import pytest
from object_store import ObjectStore
from PIL import Image
from small_batch import Audience, draw, manifest, record, run_inside, small_batch, stylize, tree, written_at

from flows.manifest.load import load_manifest
from flows.model.sheet import DIGEST_FACT, Cell, Sheet, SheetJob
from flows.planning.plan import make_plan
from flows.planning.sheets import is_current
from flows.planning.sheets_due import sheet_facts, sheet_line
from flows.storage.opening import open_storage
from stylize_core.image.decode import embedded_facts
from stylize_core.image.facts import facts_text

TINY = "encoder: slim, size: 64"
SWEEP = "sweep: {steps: [1, 2], style_weight: [1, 50]}\ncontents: [photos/p0.png]\nstyles: [paintings/s0.png]"
ALL = [f"p0__s0__steps={steps},style_weight={weight}" for steps in (1, 2) for weight in (1, 50)]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    small_batch(tmp_path, photos=1, paintings=1)
    return tmp_path


def sheets(path: Path) -> tuple[Sheet, ...]:
    return make_plan(load_manifest(path)).sheets


def cells(home: Path, name: str = "p0__s0__sheet") -> list[str]:
    return embedded_facts((home / f"out/{name}.png").read_bytes())["stylize:cells"].split()


def test_a_sweep_makes_a_record_for_each_variant_and_one_sheet_of_them_all(home: Path) -> None:
    ended = run_inside(manifest(home, SWEEP, settings=TINY), Audience())
    assert (ended.done, ended.exit_code) == (4, 0)
    made = {name for name in tree(home / "out") if not name.startswith(".")}
    assert made == {f"{name}{suffix}" for name in ALL for suffix in (".png", ".json")} | {"p0__s0__sheet.png"}
    identities = [record(home, name).identity for name in ALL]
    assert len(set(identities)) == 4
    assert cells(home) == [identity[:16] for identity in identities]
    assert len({(home / f"out/{name}.png").read_bytes() for name in ALL}) == 4, "settings without effect"


def test_a_sheet_is_drawn_again_only_when_a_variant_changes_or_it_is_gone(home: Path) -> None:
    path = manifest(home, SWEEP, settings=TINY)
    run_inside(path, Audience())
    first, before = tree(home / "out"), written_at(home / "out")
    run_inside(path, again := Audience())
    assert (written_at(home / "out"), again.notes) == (before, [])
    (home / "out/p0__s0__sheet.png").unlink()
    run_inside(path, again := Audience())
    assert again.notes == ["contact sheet p0__s0__sheet.png"]
    assert tree(home / "out") == first, "the same bytes"
    redone = written_at(home / "out")["p0__s0__sheet.png"]
    (home / "out" / f"{ALL[0]}.json").unlink()
    run_inside(path, Audience())
    assert written_at(home / "out")["p0__s0__sheet.png"] == redone, "the variant was made again, and the same"
    draw(home / "photos/p0.png", 7)
    run_inside(path, again := Audience())
    assert again.notes == ["contact sheet p0__s0__sheet.png"]
    assert cells(home) == [record(home, name).identity[:16] for name in ALL]


def test_a_failed_variant_leaves_an_empty_cell_that_a_later_run_fills(home: Path) -> None:
    entries = SWEEP.replace("style_weight: [1, 50]", "init: [content, ./start.png]")
    (home / "start.png").write_bytes(b"no picture")
    ended = run_inside(manifest(home, entries, settings=TINY), Audience())
    assert (ended.done, ended.failed, ended.exit_code) == (2, 2, 3)
    assert [cell == "-" for cell in cells(home)] == [False, True, False, True]
    draw(home / "start.png", 5)
    assert run_inside(manifest(home, entries, settings=TINY), Audience()).exit_code == 0
    assert "-" not in cells(home)
    assert (home / "out/p0__s0__steps=2,init=start.png").exists()


def test_a_sheet_that_cannot_be_made_is_a_note_and_costs_nothing(home: Path) -> None:
    (home / "out/p0__s0__sheet.png").mkdir(parents=True)
    ended = run_inside(manifest(home, SWEEP, settings=TINY), audience := Audience())
    assert (ended.done, ended.failed, ended.exit_code) == (4, 0, 0)
    (note,) = audience.notes
    assert "the contact sheet p0__s0__sheet.png was not made" in note


def test_sheets_are_left_out_on_request_and_where_there_is_nothing_to_compare(home: Path) -> None:
    assert len(sheets(manifest(home, SWEEP, settings=TINY))) == 1
    assert sheets(manifest(home, f"sheet: false\n{SWEEP}", settings=TINY)) == ()
    assert (
        sheets(manifest(home, SWEEP.replace("[1, 2]", "[1]").replace("[1, 50]", "[1]"), settings=TINY)) == ()
    )
    assert sheets(manifest(home)) == ()


def test_the_first_setting_runs_down_the_second_across_and_others_make_further_tables(home: Path) -> None:
    entries = SWEEP.replace(
        "steps: [1, 2]", "steps: [1, 2], style_layers: [[relu1_1], [relu1_1, relu2_1], {relu1_1: 2}]"
    )
    (sheet,) = sheets(manifest(home, entries, settings=TINY))
    assert sheet.columns == 3
    said = ("relu1_1", "relu1_1, relu2_1", "relu1_1: 2 (v3)")
    assert sheet.column_labels == tuple(f"style_layers = {value}" for value in said)
    assert sheet.row_labels == tuple(f"steps = {a}\nstyle_weight = {b}" for b in (1, 50) for a in (1, 2))
    assert sheet.pairs[4] == "p0__s0__steps=2,style_layers=relu1_1-relu2_1,style_weight=1"
    assert sheet.title == "p0 in the style of s0"


def test_a_single_setting_makes_rows_of_even_length_with_captions(home: Path) -> None:
    entries = SWEEP.replace("steps: [1, 2], style_weight: [1, 50]", "seed: [0, 1, 2, 3, 4, 5, 6]")
    (sheet,) = sheets(manifest(home, entries, settings=TINY))
    assert (sheet.columns, sheet.column_labels, sheet.row_labels) == (4, (), ())
    assert sheet.captions[6] == "seed = 6"


def test_the_digest_tells_any_two_sheets_apart() -> None:
    sheet = Sheet("a.png", "t", 1, (), (), (), ("p",))
    jobs = [
        SheetJob("/out", sheet, (Cell("1", "p.png"),)),
        SheetJob("/out", sheet, (Cell("2", "p.png"),)),
        SheetJob("/out", sheet, (Cell(words="failed: bad_image"),)),
        SheetJob("/out", Sheet("a.png", "u", 1, (), (), (), ("p",)), (Cell("1", "p.png"),)),
    ]
    assert len({job.digest for job in jobs}) == 4
    assert SheetJob("/elsewhere", sheet, jobs[0].cells).digest == jobs[0].digest


def test_thumbnails_of_pictures_of_several_sizes_are_of_one_size(home: Path) -> None:
    entries = SWEEP.replace("steps: [1, 2], style_weight: [1, 50]", "size: [64, 200]")
    run_inside(manifest(home, entries, settings="encoder: slim, steps: 1"), Audience())
    with Image.open(home / "out/p0__s0__sheet.png") as image:
        assert 2 * 200 < image.width < 2 * 200 + 100


def test_sheets_go_to_s3_and_are_found_again_there(home: Path, object_store: ObjectStore) -> None:
    path = manifest(home, SWEEP, settings=TINY, output=f"{object_store.root}/swept")
    first, second = Audience(), Audience()
    assert run_inside(path, first).exit_code == 0
    assert run_inside(path, second).exit_code == 0
    assert (first.notes, second.notes) == (["contact sheet p0__s0__sheet.png"], [])


def test_a_picture_that_was_damaged_since_keeps_the_sheet_from_being_made_and_no_more(home: Path) -> None:
    path = manifest(home, SWEEP, settings=TINY)
    run_inside(path, Audience())
    picture = home / f"out/{ALL[0]}.png"
    picture.write_bytes(bytes(picture.stat().st_size))  # of the recorded size, and no picture
    (home / "out/p0__s0__sheet.png").unlink()
    ended = run_inside(path, audience := Audience())
    assert (ended.exit_code, ended.done_before) == (0, 4)
    assert f"{ALL[0]}.png: this is nothing but zeros" in audience.notes[0]
    assert not (home / "out/p0__s0__sheet.png").exists()


def planned_sheets(path: Path) -> tuple[list[str], str]:
    plan = make_plan(load_manifest(path))
    return sheet_facts(plan)["todo"], sheet_line(plan)


def test_a_plan_knows_which_sheets_the_next_run_will_draw(home: Path) -> None:
    path = manifest(home, SWEEP, settings=TINY)
    name = "p0__s0__sheet.png"
    assert planned_sheets(path) == ([name], f"1 contact sheet, 0 done, 1 to do: {name}")
    run_inside(path, Audience())
    assert planned_sheets(path) == ([], "1 contact sheet, 1 done, 0 to do")
    draw(home / "photos/p0.png", 7)
    assert planned_sheets(path)[0] == [name], "one of its pictures is to be made again"
    run_inside(path, Audience())
    (home / "out" / name).write_bytes((home / f"out/{ALL[0]}.png").read_bytes())
    assert planned_sheets(path)[0] == [name], "another picture stands in its place"
    (home / "out" / name).unlink()
    (home / "out" / name).mkdir()
    assert planned_sheets(path)[0] == [name]


def test_plan_and_status_tell_of_sheets_and_only_where_there_are_any(home: Path) -> None:
    path = manifest(home, SWEEP, settings=TINY)
    for name in ("plan", "status"):
        told, facts = stylize(name, path), stylize(name, path, "--json")
        assert "1 contact sheet, 0 done, 1 to do: p0__s0__sheet.png" in told.stdout
        assert json.loads(facts.stdout)["sheets"] == {"planned": 1, "todo": ["p0__s0__sheet.png"]}
        assert "sheet" not in stylize(name, manifest(home, settings=TINY)).stdout
        manifest(home, SWEEP, settings=TINY)


def test_no_sheet_in_a_bucket_is_fetched_whole_to_see_whether_it_is_new(object_store: ObjectStore) -> None:
    sheet = Sheet("a.png", "t", 1, (), (), (), ("p",))
    job = SheetJob(f"{object_store.root}/out", sheet, (Cell("1", "p.png"),))
    object_store.put("out/a.png", facts_text({DIGEST_FACT: job.digest}).encode() + bytes(400_000))
    assert is_current(job, open_storage(job.output))
    assert [(key, span != "") for key, span in object_store.ranges] == [("out/a.png", True)] * 2
