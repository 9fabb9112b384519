"""What `stylize clean` finds and removes, and all that it lets be."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from closed_folders import close
from object_store import ObjectStore
from small_batch import Audience, draw, manifest, run_inside, small_batch
from typer.testing import CliRunner

from flows.cli.app import app
from flows.errors import AlreadyRunning, BatchError
from flows.manifest.load import load_manifest
from flows.manifest.preview import preview_of
from flows.planning.plan import make_plan
from flows.records.record import Record
from flows.running.upkeep.leftovers import UNKNOWN, Leftovers, find_leftovers, remove_leftovers
from flows.storage.lock import hold_output
from flows.storage.opening import open_storage

FILMED = "encoder: slim, size: 64, steps: 4, snapshot_every: 2, animation: gif"
ALL = "contents: ['photos/*']\nstyles: ['paintings/*']"
FEWER = "contents: ['photos/*']\nstyles: [paintings/s0.png]"


def find(home: Path, **options: object) -> Leftovers:
    return find_leftovers(load_manifest(home / "m.yaml"), **options)  # type: ignore[arg-type]


def remove(home: Path, *, earlier: tuple[str, ...] = ()) -> list[str]:
    gone: list[str] = []
    remove_leftovers(load_manifest(home / "m.yaml"), earlier=earlier, note=gone.append)
    return sorted(gone)


def names(found: Leftovers) -> dict[str, str]:
    return {one.name: one.kind for one in found.found}


def files(home: Path) -> set[str]:
    """All results, and nothing that tells of runs."""
    found = {str(path.relative_to(home / "out")) for path in (home / "out").rglob("*") if path.is_file()}
    return {name for name in found if not name.startswith(("report", "trace"))}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Two photographs in two styles, with snapshots and films; then one style is taken back."""
    small_batch(tmp_path)
    manifest(tmp_path, settings=FILMED)
    run_inside(tmp_path / "m.yaml", Audience())
    manifest(tmp_path, FEWER, settings=FILMED)
    return tmp_path


def test_results_that_are_no_longer_named_go_with_all_their_files_and_nothing_else(home: Path) -> None:
    draw(home / "out/p0__s1x.png", 5)
    (home / "out/notes.txt").write_text("mine")
    (home / "out/p0__s1.txt").write_text("mine")
    before = files(home)
    assert names(find(home)) == {"p0__s1": "result", "p1__s1": "result"}
    assert files(home) == before
    assert remove(home) == ["p0__s1", "p1__s1"]
    own = {f"p{n}__s1{end}" for n in (0, 1) for end in (".json", ".png", ".gif", ".0002.png", ".0004.png")}
    assert before - files(home) == own
    assert find(home).found == []
    assert make_plan(load_manifest(home / "m.yaml")).counts == {"planned": 2, "done": 2, "todo": 0}


def test_a_folder_that_nobody_may_look_into_is_left_alone_and_said(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "out/lost+found").mkdir()
    close(home / "out/lost+found", monkeypatch)
    said = CliRunner().invoke(app, ["clean", str(home / "m.yaml"), "--delete"]).stdout
    assert "1 folder that cannot be looked into, left alone:\n  lost+found/\n" in said
    assert "2 leftovers" in said
    assert not [name for name in files(home) if "s1" in name]


def test_a_record_goes_before_its_picture_and_that_of_a_try_after_its_files(home: Path) -> None:
    record = home / "out/p1__s1.json"
    text = json.loads(record.read_text())
    failed = {"status": "failed", "failure": {"kind": "unfinished", "message": "killed"}, "output": None}
    unfinished = {"snapshots": [], "animation": None, "unfinished": ["p1__s1.0002.png"]}
    record.write_text(json.dumps(text | failed | unfinished) + "\n")
    done, tried = find(home).found
    assert (done.kind, done.files[0], len(done.files)) == ("result", "p0__s1.json", 5)
    assert (tried.kind, tried.files) == ("failure", ("p1__s1.0002.png", "p1__s1.json"))


def test_what_was_made_for_another_manifest_stays_unless_it_was_this_one(home: Path) -> None:
    other = home / "other.yaml"
    other.write_text((home / "m.yaml").read_text().replace("contents:", "name: other/{content}\ncontents:"))
    run_inside(other, Audience())
    found = find(home)
    assert names(found) == {"p0__s1": "result", "p1__s1": "result"}
    assert {one.name: one.why for one in found.kept} == {f"other/p{n}": f"made for {other}" for n in (0, 1)}
    assert set(names(find(home, earlier={str(other)}))) == {"p0__s1", "p1__s1", "other/p0", "other/p1"}


def test_a_manifest_is_the_same_however_its_path_is_spelled(home: Path) -> None:
    loaded = load_manifest(home / "photos/../photos/../m.yaml")
    assert names(find_leftovers(loaded)) == {"p0__s1": "result", "p1__s1": "result"}


def test_a_name_of_other_case_may_be_the_same_file_and_stays(home: Path) -> None:
    entries = "pairs: [{content: photos/p0.png, style: paintings/s1.png, name: P0__S1}]"
    manifest(home, entries, settings=FILMED)
    assert "p0__s1" not in names(find(home))
    assert "p1__s1" in names(find(home))


def test_what_does_not_say_for_which_manifest_it_was_made_stays_unless_it_is_asked_for(home: Path) -> None:
    record = home / "out/p0__s1.json"
    record.write_bytes(Record.parse(record.read_bytes()).model_copy(update={"manifest": ""}).to_bytes())
    (home / "out/p1__s1.json").unlink()
    kept = {one.name for one in find(home).kept}
    strays = {"p1__s1.png", "p1__s1.gif", "p1__s1.0002.png", "p1__s1.0004.png"}
    assert (names(find(home)), kept) == ({}, {"p0__s1"} | strays)
    assert names(find(home, earlier={UNKNOWN})) == {"p0__s1": "result"} | dict.fromkeys(strays, "stray")


def test_a_picture_that_somebody_changed_is_theirs(home: Path) -> None:
    draw(home / "out/p0__s1.png", 7)
    assert "p0__s1.png" in {one.name for one in find(home).kept}
    remove(home)
    assert (home / "out/p0__s1.png").exists()
    assert not (home / "out/p0__s1.json").exists()


def test_a_sheet_that_is_no_longer_drawn_goes(tmp_path: Path) -> None:
    small_batch(tmp_path, photos=1, paintings=1)
    manifest(tmp_path, ALL + "\nsweep: {style_weight: [1, 1000]}")
    run_inside(tmp_path / "m.yaml", Audience())
    swept = {path.stem for path in (tmp_path / "out").glob("*.png")}
    manifest(tmp_path)
    run_inside(tmp_path / "m.yaml", Audience())
    found = names(find(tmp_path))
    assert found.keys() == {name + (".png" if "sheet" in name else "") for name in swept}
    assert set(found.values()) == {"result", "sheet"}
    remove(tmp_path)
    assert files(tmp_path) == {"p0__s0.png", "p0__s0.json"}


def test_what_was_copied_to_another_place_in_the_output_stays_with_its_pictures(home: Path) -> None:
    put_by = {"p0__s0.json", "p0__s0.png", "p1__s1.json", "p1__s1.png", "p1__s1.0002.png", "p1__s1.gif"}
    (home / "out/keep").mkdir()
    for name in put_by:
        (home / "out/keep" / name).write_bytes((home / "out" / name).read_bytes())
    for earlier in ((), (UNKNOWN,)):
        assert set(names(find(home, earlier=set(earlier)))) == {"p0__s1", "p1__s1"}
    assert {one.name: one.why for one in find(home).kept} == {
        f"keep/{name}.json": f"a copy of {name}, or of another output" for name in ("p0__s0", "p1__s1")
    }
    remove(home, earlier=(UNKNOWN,))
    assert {path.name for path in (home / "out/keep").iterdir()} == put_by


@pytest.mark.parametrize("away", ["contents", "styles"])
def test_nothing_is_removed_while_a_folder_is_away(tmp_path: Path, away: str) -> None:
    small_batch(tmp_path)
    draw(tmp_path / "disk/q0.png", 5)
    entries = {"contents": ["photos"], "styles": ["paintings"]}
    entries[away].append("disk")
    path = manifest(tmp_path, "\n".join(f"{key}: {places}" for key, places in entries.items()))
    run_inside(path, Audience())
    before = files(tmp_path)
    (tmp_path / "disk").rename(tmp_path / "unplugged")
    assert "disk is not there, and if it is a folder nobody knows which pairs" in find(tmp_path).doubt
    with pytest.raises(BatchError, match=r"nothing was deleted: .*disk is not there"):
        remove(tmp_path)
    assert files(tmp_path) == before


@pytest.mark.parametrize("place", ["disk", "disk/", "disk/*.png", "disk/**/*.png", "disk/photos/*.png"])
def test_nothing_is_removed_while_only_the_mount_point_of_a_disk_is_there(tmp_path: Path, place: str) -> None:
    small_batch(tmp_path)
    draw(tmp_path / ("disk/photos/q0.png" if "photos" in place else "disk/q0.png"), 5)
    path = manifest(tmp_path, f"contents: [photos, '{place}']\nstyles: ['paintings/*']\nallow_empty: true")
    run_inside(path, Audience())
    before = files(tmp_path)
    assert not find(tmp_path).doubt
    (tmp_path / "disk").rename(tmp_path / "unplugged")
    (tmp_path / "disk").mkdir()
    with pytest.raises(BatchError, match=r"nothing was deleted: .*disk.* is empty or not there"):
        remove(tmp_path)
    assert files(tmp_path) == before


def test_nothing_is_removed_while_a_run_is_at_work(home: Path) -> None:
    with hold_output(open_storage(str(home / "out"))), pytest.raises(AlreadyRunning):
        remove(home)
    assert names(find(home)) == {"p0__s1": "result", "p1__s1": "result"}


@pytest.mark.parametrize("why", ["an empty folder", "a line that cannot be read"])
def test_nothing_is_removed_while_nobody_knows_what_the_manifest_names(home: Path, why: str) -> None:
    if why == "an empty folder":
        for photo in (home / "photos").iterdir():
            photo.unlink()
        manifest(home, "allow_empty: true\n" + ALL, settings=FILMED)
    else:
        (home / "l.csv").write_text("image\nphotos/p0.png\nhttp://elsewhere/p.png\n")
        manifest(home, "contents: [{list: l.csv}]\nstyles: [paintings/s0.png]", settings=FILMED)
    before = files(home)
    assert find(home).found
    with pytest.raises(BatchError, match="nothing was deleted"):
        remove(home)
    assert files(home) == before


def test_previews_are_cleaned_on_their_own(home: Path) -> None:
    manifest(home)
    run_inside(preview_of(load_manifest(home / "m.yaml")), Audience())
    manifest(home, FEWER)
    said = CliRunner().invoke(app, ["clean", str(home / "m.yaml"), "--preview", "--json"])
    facts = json.loads(said.stdout)
    assert [one["name"] for one in facts["leftovers"]] == ["p0__s1", "p1__s1"]
    assert facts["output"] == str(home / "out-preview")


def test_the_command_lists_first_and_says_how_to_remove(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    path = str(home / "m.yaml")
    listed = CliRunner().invoke(app, ["clean", path]).stdout
    assert listed.startswith("2 leftovers, 10 files, 0.")
    assert f"to remove them: stylize clean {path} --delete" in listed
    assert find(home).found
    deleted = CliRunner().invoke(app, ["clean", path, "--delete"])
    assert (deleted.exit_code, "deleted p1__s1" in deleted.stderr) == (0, True)
    assert "2 leftovers, 10 files" in deleted.stdout
    assert find(home).found == []


def test_leftovers_in_a_bucket_go_the_same_way(tmp_path: Path, object_store: ObjectStore) -> None:
    small_batch(tmp_path, photos=1)
    output = f"s3://{object_store.bucket}/night"
    manifest(tmp_path, output=output)
    run_inside(tmp_path / "m.yaml", Audience())
    manifest(tmp_path, FEWER, output=output)
    storage = open_storage(output)
    storage.write("mine.png", b"a picture of mine")
    assert names(find(tmp_path)) == {"p0__s1": "result"}
    assert remove(tmp_path) == ["p0__s1"]
    left = {item.name for item in storage.list() if not item.name.startswith(("report", "trace"))}
    assert left == {"mine.png", "p0__s0.json", "p0__s0.png"}
    assert find(tmp_path).foreign == 1
