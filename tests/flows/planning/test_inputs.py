from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest
from object_store import ObjectStore

from flows.errors import StorageFatal
from flows.manifest.model import Entry
from flows.model.identity import Ingredients
from flows.planning.inputs import Expansion, expand, look_up
from flows.records.record import Output, Record

NOWHERE = "/nowhere/out"


def write(path: Path, data: bytes = b"pixels") -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return str(path)


def entry(image: object, *, name: str | None = None, line: int = 7, **settings: object) -> Entry:
    return Entry(str(image), name, settings, line)


def contents(*entries: Entry, output: str = NOWHERE) -> Expansion:
    return expand(entries, where="contents", output=output)


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


def test_a_name_among_the_results_that_is_no_text_is_a_problem_of_the_manifest(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    Path(os.fsdecode(os.fsencode(tmp_path / "out") + b"/bad\xff.png")).write_bytes(b"x")
    entry = Entry(f"{tmp_path}/out/*.png", None, {}, 3)
    (problem,) = expand([entry], where="contents", output=f"{tmp_path}/out").problems
    assert "is not UTF-8; rename the file" in str(problem)


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


def test_earlier_results_in_the_output_are_no_inputs(tmp_path: Path) -> None:
    write(tmp_path / "photo.png")
    write(tmp_path / "photo.json", b'{"label": "cat"}')
    write(tmp_path / "out" / "photo__wave.png")
    write(tmp_path / "out" / "photo__wave.json", record_of("photo__wave.png"))
    write(tmp_path / "out" / "stray.png")
    for output in (tmp_path / "out", tmp_path):
        expansion = contents(entry(tmp_path / "**/*.png"), output=str(output))
        assert names(expansion) == ["stray", "photo"]
        assert "left out 1 earlier result" in expansion.warnings[0]


def test_a_file_name_that_is_no_text_is_a_problem(tmp_path: Path) -> None:
    with open(os.fsencode(tmp_path) + b"/caf\xe9.jpg", "wb"):  # noqa: PTH123
        pass
    expansion = contents(entry(tmp_path / "*.jpg"))
    assert "not UTF-8" in expansion.problems[0].message
    assert expansion.problems[0].message.isprintable()
    assert not expansion.found


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
