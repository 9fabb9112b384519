from __future__ import annotations

import errno
import hashlib
import os
from pathlib import Path
from typing import Any

import pytest
from object_store import ObjectStore

from flows.errors import StorageFatal
from flows.manifest.model import Entry, Manifest
from flows.model.identity import Ingredients
from flows.planning.inputs import Expansion, expand
from flows.planning.left_out import sentences
from flows.planning.versions import look_up
from flows.records.record import Output, Record
from stylize_core.image.facts import facts_text

NOWHERE = "/nowhere/out"
OURS = facts_text({"stylize:name": "a picture of ours"}).encode()


def write(path: Path, data: bytes = b"pixels") -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return str(path)


def entry(image: object, *, name: str | None = None, line: int = 7, **settings: object) -> Entry:
    return Entry(str(image), name, settings, line)


def contents(*entries: Entry, output: str = NOWHERE, **keys: Any) -> Expansion:
    manifest = Manifest(
        source="/m.yaml",
        folder="/",
        output=output,
        name="",
        contents=entries,
        styles=(),
        pairs=(),
        settings={},
        **keys,
    )
    return expand(manifest, entries, where="contents")


def left_out(expansion: Expansion) -> dict[str, str]:
    """The reason for each file's name."""
    return {Path(item.uri).name: item.why for item in expansion.left_out}


def names(expansion: Expansion) -> list[str]:
    return [found.name for found in expansion.found]


def record_of(picture: str) -> bytes:
    output = Output(name=picture, size_bytes=6, sha256="d", width=1, height=1, format="png")
    return Record(
        status="done", name="x", identity="i", ingredients=Ingredients("a", "b", "", "w", {}), output=output
    ).to_bytes()


def test_a_pattern_stands_for_its_files_in_the_order_of_their_paths(tmp_path: Path) -> None:
    for name in ("c.jpg", "a.jpg", "b.jpg", ".b.jpg", "b.png"):
        write(tmp_path / name)
    found = contents(entry(tmp_path / "*.jpg")).found
    assert [f.uri for f in found] == [str(tmp_path / name) for name in ("a.jpg", "b.jpg", "c.jpg")]
    assert [f.name for f in found] == ["a", "b", "c"]


def test_a_text_file_that_matches_is_taken_because_only_its_bytes_can_tell(tmp_path: Path) -> None:
    write(tmp_path / "notes.jpg", b"not a picture")
    write(tmp_path / "notes.txt", b"not a picture")
    assert names(contents(entry(tmp_path / "*.jpg"))) == ["notes"]
    assert names(contents(entry(tmp_path / "*.txt"))) == ["notes"]


@pytest.mark.parametrize("ending", ["", "/"])
def test_a_folder_stands_for_the_pictures_in_it(tmp_path: Path, ending: str) -> None:
    for name in ("a.jpg", "B.JPEG", "c.Png", "notes.txt", "deep/d.jpg", ".e.jpg"):
        write(tmp_path / "[in]" / name)
    assert names(contents(entry(f"{tmp_path}/[[]in]{ending}"))) == ["B", "a", "c"]


def test_a_folder_without_pictures_is_a_problem(tmp_path: Path) -> None:
    write(tmp_path / "notes.txt")
    assert "holds no pictures" in str(contents(entry(tmp_path)).problems[0])


def test_a_pattern_that_matches_nothing_is_a_problem_with_its_line(tmp_path: Path) -> None:
    write(tmp_path / "a.JPG")
    expansion = contents(entry(tmp_path / "*.png", line=3), entry(tmp_path / "*.jpg", line=4))
    assert [(p.where, p.line) for p in expansion.problems] == [("contents[0]", 3), ("contents[1]", 4)]
    assert str(tmp_path / "*.jpg") in expansion.problems[1].message
    assert "case counts" in expansion.problems[1].message


def test_brackets_that_match_nothing_come_with_advice(tmp_path: Path) -> None:
    write(tmp_path / "a[1].jpg")
    assert "write [[]" in str(contents(entry(tmp_path / "a[1].jpg")).problems[0])
    assert names(contents(entry(tmp_path / "a[[]1].jpg"))) == ["a[1]"]


def test_a_plain_path_is_kept_whether_it_exists_or_not(tmp_path: Path) -> None:
    there = write(tmp_path / "there.jpg")
    expansion = contents(entry(there), entry(tmp_path / "gone.jpg", name="lost"), entry(f"/{'n' * 300}"))
    assert names(expansion) == ["there", "lost", "n" * 300]
    assert not expansion.problems


def test_a_picture_that_is_matched_twice_is_used_once(tmp_path: Path) -> None:
    a = write(tmp_path / "a.jpg")
    write(tmp_path / "b.jpg")
    detour = tmp_path / "other" / ".." / "a.jpg"
    assert names(
        contents(entry(a), entry(tmp_path / "*.jpg"), entry(detour), entry(tmp_path / "[ab].jpg"))
    ) == [
        "a",
        "b",
    ]


def test_a_picture_under_another_name_or_other_settings_is_another_one(tmp_path: Path) -> None:
    wave = write(tmp_path / "wave.jpg")
    strong, soft = entry(wave, name="strong", style_weight=9.0), entry(wave, name="soft", style_weight=1.0)
    assert names(contents(entry(wave), strong, soft, strong)) == ["wave", "strong", "soft"]


@pytest.mark.parametrize("output", ["out", ".", "elsewhere"])
def test_what_this_program_made_is_no_input_whichever_manifest_it_is_of(tmp_path: Path, output: str) -> None:
    write(tmp_path / "photo.png")
    write(tmp_path / "photo.json", b'{"label": "cat"}')
    write(tmp_path / "out" / "recorded.png")
    write(tmp_path / "out" / "recorded.json", record_of("recorded.png"))
    write(tmp_path / "out" / "alone.png", OURS)
    write(tmp_path / "out" / "report.json", b"{}")
    write(tmp_path / "out" / "stray.png")
    expansion = contents(entry(tmp_path / "**"), output=str(tmp_path / output))
    assert names(expansion) == ["stray", "photo"]
    assert left_out(expansion) == {
        "recorded.png": "ours", "alone.png": "ours",
        "photo.json": "no picture", "recorded.json": "no picture", "report.json": "no picture",
    }  # fmt: skip


def test_a_result_that_is_named_in_full_is_an_input(tmp_path: Path) -> None:
    made = write(tmp_path / "out/made.png", OURS)
    assert names(contents(entry(made), entry(tmp_path / "out/*.png"))) == ["made"]


def test_facts_behind_many_pixels_are_found_too(tmp_path: Path) -> None:
    write(tmp_path / "made.webp", b"RIFF" + bytes(500_000) + OURS)
    assert left_out(contents(entry(tmp_path / "*.webp"), allow_empty=True)) == {"made.webp": "ours"}


def test_only_folders_that_hold_results_are_looked_into_in_a_bucket(object_store: ObjectStore) -> None:
    for key in ("in/a.jpg", "in/b.jpg", "in/b.json", "out/report.json", "out/x.jpg"):
        object_store.put(key, b"pixels")
    object_store.put("out/y.jpg", OURS)
    object_store.put("in/c.jpg", b"pixels")
    object_store.put("in/c.json", record_of("c.jpg"))
    object_store.hits.clear()
    expansion = contents(entry(f"{object_store.root}/**/*.jpg"))
    assert names(expansion) == ["a", "b", "x"]
    assert ("GET", "out/x.jpg") in object_store.hits
    assert left_out(expansion) == {"y.jpg": "ours", "c.jpg": "ours"}


def test_no_picture_of_a_bucket_is_fetched_whole_to_see_whose_it_is(object_store: ObjectStore) -> None:
    pixels = bytes(400_000)
    for key, data in {"his.jpg": pixels, "begins.png": OURS + pixels, "ends.webp": pixels + OURS}.items():
        object_store.put(f"out/{key}", data)
    expansion = contents(entry(f"{object_store.root}/out/"), output=f"{object_store.root}/out")
    assert names(expansion) == ["his"]
    assert left_out(expansion) == {"begins.png": "ours", "ends.webp": "ours"}
    asked = {(key, span != "") for key, span in object_store.ranges if not key.endswith(".json")}
    assert asked == {("out/his.jpg", True), ("out/begins.png", True), ("out/ends.webp", True)}


def test_a_file_name_that_is_no_text_costs_its_own_pairs_alone(tmp_path: Path) -> None:
    with open(os.fsencode(tmp_path) + b"/caf\xe9.jpg", "wb"):  # noqa: PTH123
        pass
    write(tmp_path / "good.jpg")
    expansion = contents(entry(tmp_path / "*.jpg"))
    (refused,) = expansion.refused
    assert (refused.kind, names(expansion), expansion.problems) == ("bad_name", ["good"], [])
    assert "not UTF-8; rename the file" in refused.message
    assert refused.name.isprintable()


def test_a_folder_says_what_it_passes_over(tmp_path: Path) -> None:
    for name in (
        "a.jpg",
        "b.NEF",
        "c",
        "d.jpg_medium",
        "e.txt",
        "._a.jpg",
        "Thumbs.db",
        "deep/f.jpg",
        "@eaDir/g.jpg",
    ):
        write(tmp_path / name)
    expansion = contents(entry(f"{tmp_path}/"), exclude=("@eaDir",))
    assert names(expansion) == ["a"]
    assert left_out(expansion) == {
        "b.NEF": "passed over", "c": "passed over", "d.jpg_medium": "passed over", "deep": "not searched",
    }  # fmt: skip


def test_a_pattern_says_what_it_nearly_takes(tmp_path: Path) -> None:
    for name in ("IMG_1.jpg", "IMG_2.JPG", "img_3.jpeg", "IMG_4.heic", "IMG_5", "IMG_6.txt", "other.png"):
        write(tmp_path / name)
    assert set(left_out(contents(entry(tmp_path / "IMG_*.jpg")))) == {
        "IMG_2.JPG", "img_3.jpeg", "IMG_4.heic", "IMG_5",
    }  # fmt: skip


def test_a_plan_counts_all_that_is_left_out_and_names_a_few(tmp_path: Path) -> None:
    for number in range(9):
        write(tmp_path / f"{number}.NEF")
    (told,) = sentences(contents(entry(f"{tmp_path}/"), allow_empty=True).left_out)
    named = ", ".join(f"{tmp_path}/{number}.NEF" for number in range(5))
    assert told.startswith(f"passed over 9 files ({named} and 4 more)")


def test_what_one_entry_passes_over_and_another_takes_is_taken(tmp_path: Path) -> None:
    for name in ("a.jpg", "a.png"):
        write(tmp_path / name)
    assert left_out(contents(entry(tmp_path / "*.jpg"), entry(tmp_path / "*.png"))) == {}


def test_keys_with_empty_parts_are_passed_over_aloud(object_store: ObjectStore) -> None:
    for key in ("in/a.jpg", "in//b.jpg", "in/deep/c.jpg", "in/marker/"):
        object_store.put(key, b"pixels")
    assert left_out(contents(entry(f"{object_store.root}/in/*.jpg"))) == {"b.jpg": "passed over"}
    whole = left_out(contents(entry(f"{object_store.root}/in/")))
    assert whole == {"b.jpg": "passed over", "deep": "not searched"}


@pytest.mark.parametrize(
    "pattern", ["@eaDir", "@eaDir/", "**/@eaDir/**", "@eaDir/*", "*_thumb.jpg", "{tmp_path}/in/@eaDir/**"]
)
def test_excluded_files_are_not_taken(tmp_path: Path, pattern: str) -> None:
    write(tmp_path / "in/a.jpg")
    write(tmp_path / "in/@eaDir/a_thumb.jpg")
    expansion = contents(entry(tmp_path / "**/*.jpg"), exclude=(pattern.format(tmp_path=tmp_path),))
    assert names(expansion) == ["a"]
    assert left_out(expansion) == {"a_thumb.jpg": "excluded"}


def test_a_pattern_may_find_nothing_where_the_manifest_allows_it(tmp_path: Path) -> None:
    assert contents(entry(tmp_path / "*.jpg"), entry(f"{tmp_path}/gone/"), allow_empty=True).problems == []


def test_an_unreadable_folder_below_the_searched_one_costs_its_own_pictures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "a.jpg")
    write(tmp_path / "locked/b.jpg")
    scandir = os.scandir

    def refuse(path: str) -> Any:  # root may list everything
        if path.endswith("locked"):
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    expansion = contents(entry(tmp_path / "**/*.jpg"))
    assert (names(expansion), expansion.problems) == (["a"], [])
    assert [(one.name, one.kind) for one in expansion.refused] == [(f"{tmp_path}/locked", "denied")]
    assert not contents(entry(tmp_path / "**/*.jpg"), exclude=("locked",)).refused
    assert "Permission denied" in contents(entry(tmp_path / "locked/*.jpg")).problems[0].message


def test_a_folder_that_cannot_be_listed_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "circle").symlink_to("circle")
    for folder, reason in (("n" * 300, "File name too long"), ("circle", "symbolic links")):
        assert reason in contents(entry(tmp_path / folder / "*.jpg")).problems[0].message


def test_s3_patterns_stand_for_their_keys(object_store: ObjectStore) -> None:
    for key in ("in/b.jpg", "in/a.jpg", "in/c.png", "in/deep/d.jpg", "in/.e.jpg", "in/f.jpg/", "inn/g.jpg"):
        object_store.put(key, b"pixels")
    found = contents(entry(f"{object_store.root}/in/*.jpg")).found
    assert [f.uri for f in found] == [f"{object_store.root}/in/a.jpg", f"{object_store.root}/in/b.jpg"]
    assert names(contents(entry(f"{object_store.root}/in/**/*.jpg"))) == ["a", "b", "d"]
    assert names(contents(entry(f"{object_store.root}/**/[ag].jpg"))) == ["a", "g"]
    assert names(contents(entry(f"{object_store.root}/in/"))) == ["a", "b", "c"]
    assert contents(entry(f"{object_store.root}/in/*.gif")).problems


def test_a_listing_tells_the_version_so_that_no_key_is_asked_for(object_store: ObjectStore) -> None:
    for number in range(5):
        object_store.put(f"in/{number}.jpg", b"%d" % number)
    object_store.hits.clear()
    found = contents(entry(f"{object_store.root}/in/*.jpg")).found
    inputs, warnings = look_up((f.uri, f.token) for f in found)
    assert object_store.hits == [("LIST", "")]
    assert len({i.token for i in inputs.values()}) == 5
    assert {i.sha256 for i in inputs.values()} == {""}
    assert not warnings


def test_a_plain_key_has_the_same_version_as_in_a_listing(object_store: ObjectStore) -> None:
    object_store.put("in/a.jpg", b"pixels")
    (listed,) = contents(entry(f"{object_store.root}/in/*.jpg")).found
    inputs, _ = look_up([(listed.uri, "")])
    assert inputs[listed.uri].token == listed.token != ""


def test_a_bucket_that_does_not_exist_ends_the_plan(object_store: ObjectStore) -> None:
    with pytest.raises(StorageFatal):
        contents(entry("s3://no-such-bucket-here/*.jpg"))


def test_local_pictures_are_hashed(tmp_path: Path) -> None:
    paths = [write(tmp_path / f"{n}.jpg", b"%d" % n * n * 1000) for n in range(100)]
    inputs, warnings = look_up((path, "") for path in [*paths, *paths])
    assert [i.sha256 for i in inputs.values()] == [
        hashlib.sha256(Path(path).read_bytes()).hexdigest() for path in paths
    ]
    assert list(inputs) == paths
    assert all(i.token for i in inputs.values())
    assert not warnings


def test_pictures_that_cannot_be_read_are_kept_with_a_warning(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    gone = str(tmp_path / "gone\x1b[31m.jpg")
    (tmp_path / "circle.jpg").symlink_to("circle.jpg")
    others = [tmp_path / name for name in ("pipe.jpg", "circle.jpg", "n" * 300)]
    inputs, warnings = look_up([(gone, ""), (str(tmp_path), ""), *((str(path), "") for path in others)])
    assert {(i.sha256, i.token) for i in inputs.values()} == {("", "")}
    assert len(warnings) == 5
    assert "does not exist" in warnings[0]
    assert all(warning.isprintable() for warning in warnings)


def test_a_missing_key_is_kept_with_a_warning(object_store: ObjectStore) -> None:
    uri = f"{object_store.root}/gone.jpg"
    inputs, warnings = look_up([(uri, "")])
    assert inputs[uri].token == ""
    assert warnings == [f"{uri} does not exist; its pairs will fail"]


def test_a_link_to_a_picture_is_hashed_through(tmp_path: Path) -> None:
    real = write(tmp_path / "real.jpg")
    link = tmp_path / "link.jpg"
    link.symlink_to(real)
    inputs, _ = look_up([(str(link), ""), (real, "")])
    assert inputs[str(link)].sha256 == inputs[real].sha256 != ""
