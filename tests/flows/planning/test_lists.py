"""Contents and styles that are named by a list: what its lines mean, and whom a bad one costs."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest
from object_store import ObjectStore
from small_batch import FAST, draw, manifest

from flows.errors import ManifestError, StorageFatal
from flows.manifest.load import load_manifest
from flows.manifest.model import PictureList
from flows.model.identity import Ingredients
from flows.planning.list_rows import MAX_LINE_BYTES, MAX_RECORD_LINES, read_rows
from flows.planning.objects import WORTH_LISTING
from flows.planning.plan import Plan, make_plan
from flows.records.ownership import facts_of
from flows.records.record import Output, Record
from flows.storage.base import BLOCK_BYTES
from stylize_core.image.facts import facts_text


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder `feed` with pictures, and a style."""
    for number in range(3):
        draw(tmp_path / f"feed/photos/p{number}.png", number)
    draw(tmp_path / "s.png", 10)
    return tmp_path


def planned(home: Path, entry: str, *, more: str = "") -> Plan:
    """The plan for the one entry under `contents`, in one style."""
    entries = f"contents: [{entry}]\nstyles: [s.png]\n{more}"
    return make_plan(load_manifest(manifest(home, entries, settings=FAST)))


def of_list(
    home: Path, data: str | bytes, *, file: str = "tonight.csv", keys: str = "", more: str = ""
) -> Plan:
    """The plan for a list with these bytes."""
    (home / "feed" / file).write_bytes(data.encode() if isinstance(data, str) else data)
    return planned(home, f"{{list: feed/{file}{keys}}}", more=more)


def names(plan: Plan) -> list[str]:
    return [one.pair.name.removesuffix("__s") for one in plan.pairs]


def contents(plan: Plan) -> list[str]:
    return [one.pair.content.uri for one in plan.pairs if one.pair.content]


def refused(plan: Plan) -> dict[str, str]:
    """What is wrong with which line."""
    assert {one.kind for one in plan.refused} <= {"bad_line"}
    return {one.name.rpartition("/")[2]: one.message for one in plan.refused}


def problem(home: Path, data: str | bytes, **keys: str) -> str:
    """The one thing that is wrong with the manifest of such a list."""
    with pytest.raises(ManifestError) as error:
        of_list(home, data, **keys)
    (found,) = error.value.problems
    assert found.line == 4
    return f"{found.where}: {found.message}"


TWO = ["p1", "p0"]


@pytest.mark.parametrize(
    ("file", "data"),
    [
        ("a.csv", "image\nphotos/p1.png\nphotos/p0.png\n"),
        ("no_end_of_line.csv", "image\nphotos/p1.png\nphotos/p0.png"),
        ("windows.CSV", "\ufeffid,image,name\r\n1,photos/p1.png,\r\n2,photos/p0.png,\r\n"),
        ("quoted.csv", 'image,"a, b"\n"photos/p1.png","x ""y"", z"\nphotos/p0.png,""\n'),
        ("only_column.csv", "path\nphotos/p1.png\nphotos/p0.png\n"),
        ("blank_lines.csv", "\n\nimage,x\n\nphotos/p1.png,\n,\n./photos/../photos/p0.png,,,\n"),
        ("a.tsv", "x\timage\n1,2\tphotos/p1.png\n\tphotos/p0.png\n"),
        ("a.jsonl", '{"image": "photos/p1.png", "size": 5}\r\n\r\n"photos/p0.png"\n'),
        ("a.ndjson", '\ufeff"photos/p1.png"\n{"image": "photos/p0.png", "name": null}'),
    ],
)
def test_every_form_of_list_names_pictures_in_its_order(home: Path, file: str, data: str) -> None:
    plan = of_list(home, data, file=file)
    assert names(plan) == TWO
    assert (plan.refused, plan.warnings) == ((), ())
    assert all(one.pair.content and one.pair.content.sha256 for one in plan.pairs)


@pytest.mark.parametrize(
    ("data", "keys"),
    [
        ("image\nphotos/p1.png\nphotos/p0.png\n", ", format: csv"),
        ("image,path\nx,photos/p1.png\nx,photos/p0.png\n", ", format: csv, column: path"),
        ("name\nphotos/p1.png\nphotos/p0.png\n", ", format: csv, column: name"),
        ('{"url": "photos/p1.png"}\n{"url": "photos/p0.png"}\n', ", format: jsonl, column: url"),
    ],
)
def test_the_manifest_may_say_what_the_list_does_not(home: Path, data: str, keys: str) -> None:
    assert names(of_list(home, data, file="tonight", keys=keys)) == TWO


@pytest.mark.parametrize("file", ["a.csv", "a.jsonl"])
def test_a_line_may_give_its_picture_a_name(home: Path, file: str) -> None:
    rows = [("photos/p0.png", "harbour"), ("photos/p1.png", ""), ("photos/p0.png", "mole/1")]
    table = "image,name\n" + "".join(f"{image},{name}\n" for image, name in rows)
    objects = "".join(json.dumps({"image": image, "name": name}) + "\n" for image, name in rows)
    plan = of_list(home, table if file == "a.csv" else objects, file=file)
    assert sorted(names(plan)) == ["harbour", "mole/1", "p1"]


def test_a_name_that_cannot_be_used_is_replaced_as_where_a_pattern_finds_it(home: Path) -> None:
    plan = of_list(home, "image,name\nphotos/p0.png,../../escaped\nphotos/p1.png,.hidden\n")
    assert len(names(plan)) == 2
    assert not any(part in ("..", "") or part[0] == "." for name in names(plan) for part in name.split("/"))


def test_pictures_that_would_share_a_name_are_told_apart(home: Path) -> None:
    draw(home / "feed/more/p0.png", 5)
    plan = of_list(home, "image,name\nphotos/p0.png,\nmore/p0.png,\nphotos/p0.png,own\n")
    assert sorted(names(plan)) == ["more/p0", "own", "photos/p0"]


def test_a_picture_on_two_lines_is_made_once_and_told(home: Path) -> None:
    plan = of_list(home, "image\nphotos/p0.png\nphotos/../photos/p0.png\n")
    assert names(plan) == ["p0"]
    (told,) = plan.warnings
    assert told.endswith("tonight.csv names 1 picture (" + contents(plan)[0] + ") again; each is made once")


def test_a_list_that_lies_beside_a_pattern_takes_no_picture_twice(home: Path) -> None:
    (home / "feed/a.csv").write_text("image\nphotos/p0.png\n")
    assert names(planned(home, "'feed/photos/*', {list: feed/a.csv}")) == ["p0", "p1", "p2"]


def test_the_folders_below_the_list_mirror_the_tree(home: Path) -> None:
    draw(home / "far.png", 5)
    (home / "feed/a.csv").write_text("image\nphotos/p0.png\n../far.png\n")
    path = manifest(home, "contents: [{list: feed/a.csv}]\nstyles: [s.png]\nname: '{folder}/{stem}-{style}'")
    assert [one.pair.name for one in make_plan(load_manifest(path)).pairs] == ["photos/p0-s", "far-s"]


def test_styles_in_a_list_share_the_settings_of_its_entry(home: Path) -> None:
    (home / "feed/a.jsonl").write_text('"photos/p0.png"\n{"image": "photos/p1.png", "name": "one"}\n')
    entries = "contents: [s.png]\nstyles: [{list: feed/a.jsonl, settings: {steps: 7}}]"
    plan = make_plan(load_manifest(manifest(home, entries)))
    assert [one.pair.name for one in plan.pairs] == ["s__p0", "s__one"]
    assert {one.pair.style_settings.steps for one in plan.pairs} == {7}


def test_letters_that_patterns_use_are_letters_in_a_list(home: Path) -> None:
    draw(home / "feed/[a]*?.png", 5)
    assert contents(of_list(home, "image\n[a]*?.png\n")) == [str(home / "feed/[a]*?.png")]


def test_a_list_of_this_machine_may_name_what_a_manifest_may(home: Path, object_store: ObjectStore) -> None:
    object_store.put("in/a.png", b"pixels")
    (home / "feed/link.png").symlink_to(home / "s.png")
    named = [str(home / "s.png"), "../s.png", "link.png", f"{object_store.root}/in/a.png"]
    plan = of_list(home, "image\n" + "\n".join(named))
    assert contents(plan) == [
        str(home / "s.png"),
        str(home / "feed/link.png"),
        f"{object_store.root}/in/a.png",
    ]
    assert all(one.pair.content and one.pair.content.token for one in plan.pairs)


def test_a_bad_line_costs_its_own_pair_and_is_named_with_its_number(home: Path) -> None:
    lines = [
        b"image,name,about", b"photos/p0.png,,", b"https://host/a.png,,",
        b'x,,"two\n,lines, and a "bad" quote"',
        b",only a name,", b"~/a.png,,", b"photos/,,", b"caf\xe9.png,,", b"photos/p1.png,,caf\xe9",
        b"a,b,c,d",
        b"a\x1b[31m.png,,", b"gs://a/b,,", b"s3://a/b,,", b'"photos/p2.png,,',
    ]  # fmt: skip
    plan = of_list(home, b"\n".join(lines))
    assert names(plan) == ["p0", "p1"]
    told = refused(plan)
    expected = {
        "3": "'https:' is not supported", "4": "close each quote", "5": "it names no picture",
        "6": "it names no picture",
        "7": "`~` is not expanded", "8": "it names a folder", "9": "it is not UTF-8",
        "11": "4 fields for 3 columns", "12": "control character", "13": "'gs:' is not supported",
        "14": "write s3://bucket/key", "15": "close each quote",
    }  # fmt: skip
    assert list(told) == [f"tonight.csv:{line}" for line in expected]
    for line, words in expected.items():
        assert words in told[f"tonight.csv:{line}"]
    assert all(text.isprintable() for text in told.values())
    assert plan.counts == {"planned": 14, "done": 0, "todo": 2}


def test_a_quote_is_a_letter_between_tabs_unless_it_stands_around_a_whole_field(home: Path) -> None:
    lines = ['about\timage', '"Sunrise, part one\tphotos/p0.png', '3" x 5"\t"photos/p1.png"',
             '"frame ""16"""\tphotos/p2.png', 'frame 16"\tphotos/p""3.png']  # fmt: skip
    plan = of_list(home, "\n".join(lines), file="a.tsv")
    assert names(plan) == ["p0", "p1", "p2", 'p""3']
    assert plan.refused == ()
    assert "several lines" not in " ".join(plan.warnings)


def test_a_field_with_a_tab_costs_its_own_line(home: Path) -> None:
    plan = of_list(home, 'image\tx\n"photos/p0.png"\t"a\tb"\nphotos/p1.png\tb\n', file="a.tsv")
    assert names(plan) == ["p1"]
    assert refused(plan) == {"a.tsv:2": "it has 3 fields for 2 columns; no field can hold a tab, take it out"}


@pytest.mark.parametrize(
    ("opened", "closed"),
    [
        ('photos/p0.png,"Sunrise', "photos/p2.png,"),  # nobody closes it
        ('photos/p0.png,"Sunrise', 'photos/p2.png,"frame"'),
        ('photos/p0.png,"Sunrise', 'photos/p2.png,",x'),  # one field more than there are columns
        ('"photos/p0.png,', 'photos/p2.png",'),  # a picture of three lines
    ],
)
def test_a_quote_that_is_not_closed_costs_its_own_line_and_no_other(
    home: Path, opened: str, closed: str
) -> None:
    plan = of_list(home, f"image,about\n{opened}\nphotos/p1.png,\n{closed}\n")
    assert "p1" in names(plan)
    assert re.search("close each quote|fields for", refused(plan)["tonight.csv:2"])
    assert plan.counts["planned"] == 3


def test_a_quote_that_is_closed_a_thousand_lines_below_was_not_meant(home: Path) -> None:
    between = "photos/p1.png,\n" * MAX_RECORD_LINES
    plan = of_list(home, f'image,about\nphotos/p0.png,"Sunrise\n{between}photos/p2.png,frame 16"\n')
    assert names(plan) == ["p1", "p2"]
    assert list(refused(plan)) == ["tonight.csv:2"]


def test_lines_that_quotes_make_one_record_are_told(home: Path) -> None:
    lines = ["image,about", "photos/p0.png,two", 'photos/p1.png,"Sunrise', 'photos/p2.png,frame 16"']
    plan = of_list(home, "\n".join(lines))
    assert names(plan) == ["p0", "p1"]
    (told,) = plan.warnings
    assert "tonight.csv has 1 record (lines 3-4) of several lines; where they are not meant to be" in told


def test_a_bad_line_of_json_costs_its_own_pair(home: Path) -> None:
    lines = [
        '"photos/p0.png"', '{"image": "photos/p1.png"', '{"image": 5}', "5", '["photos/p1.png"]', "{}",
        "[" * 100_000, '{"image": "a", "name": []}', '"\\ud800.png"', '{"image": "photos/p2.png"}',
    ]  # fmt: skip
    plan = of_list(home, "\n".join(lines), file="a.jsonl")
    assert names(plan) == ["p0", "p2"]
    words = (
        *("not JSON", "must be text", "neither text nor an object", "neither", "names no picture"),
        *("too deep", "must be text", "not UTF-8"),
    )
    for (line, message), expected in zip(refused(plan).items(), words, strict=True):
        assert expected in message, line


@pytest.mark.timeout(30)
def test_a_pipe_or_a_device_in_a_list_costs_its_own_pair_and_is_not_waited_for(home: Path) -> None:
    os.mkfifo(home / "feed/pipe.png")
    assert facts_of(str(home / "feed/pipe.png")) == {}  # in this thread, so that waiting is noticed
    plan = of_list(home, "image\npipe.png\n/dev/null\nphotos/p0.png\n")
    assert [one.identity != "" for one in plan.pairs] == [False, False, True]
    assert all("not a regular file" in warning for warning in plan.warnings)
    assert len(plan.warnings) == 2


def test_a_giant_beside_a_picture_is_not_read_to_see_whether_it_is_its_record(home: Path) -> None:
    with (home / "feed/photos/p0.json").open("wb") as file:
        file.truncate(2**40)
    assert names(of_list(home, "image\nphotos/p0.png\n")) == ["p0"]


def test_a_picture_that_is_not_there_costs_its_own_pair(home: Path) -> None:
    plan = of_list(home, "image\nphotos/gone.png\nphotos/p0.png\n")
    assert names(plan) == ["gone", "p0"]
    assert plan.warnings == (f"{home}/feed/photos/gone.png does not exist; its pairs will fail",)


@pytest.mark.parametrize(
    ("data", "keys", "expected"),
    [
        ("a,b\n1,2\n", "", "list: {}: it has no columns 'image' among 'a', 'b'; say which column"),
        ("a,b\n1,2\n", ", column: c", "column: {}: it has no columns 'c' among 'a', 'b'; say which column"),
        ("image,image\n1,2\n", "", "list: {}: it has 2 columns 'image' among 'image', 'image'"),
        ("photos/p0.png\np.png\n", "", "list: {}: its first line is 'photos/p0.png'; write a first line"),
        ("p0.JPG\np1.png\n", "", "list: {}: its first line is 'p0.JPG'; write a first line"),
        ("image;name\na;b\n", "", "list: {}: its first line is 'image;name'; write a first line"),
        ("image\na.png\n".encode("utf-16"), "", "list: {}: it is UTF-16, not plain UTF-8"),
        (b"\x1f\x8b\x08", "", "list: {}: it is compressed, not plain UTF-8"),
        ('"image\na.png\n', "", "list: {}: line 1, which names the columns: it is no such record"),
        ("a\n" + "a" * BLOCK_BYTES, "", "list: {}: it has a line of more than 1 MiB; this is no list"),
        ("", "", "list: {} is empty; `allow_empty: true` accepts that"),
        ("image,name\n", "", "list: {} is empty; `allow_empty: true` accepts that"),
        ("image\nphotos/p0.json\n", "", "list: {} names nothing but results of stylize and what `exclude`"),
    ],
)  # fmt: skip
def test_a_list_that_cannot_be_meant_is_a_mistake_of_the_manifest(
    home: Path, data: str | bytes, keys: str, expected: str
) -> None:
    assert BLOCK_BYTES > MAX_LINE_BYTES
    assert problem(home, data, keys=keys).startswith(
        "contents[0]." + expected.format(home / "feed/tonight.csv")
    )


@pytest.mark.parametrize(("keys", "blamed"), [("", "list"), (", column: path", "column")])
def test_objects_of_which_none_has_the_key_are_a_mistake_of_the_manifest(
    home: Path, keys: str, blamed: str
) -> None:
    text = problem(home, '{"url": "a.png"}\n{"url": "b.png"}\n', file="a.jsonl", keys=keys)
    assert text.startswith(f"contents[0].{blamed}: ")
    assert "say which key does with `column:`" in text


def test_a_list_that_is_not_there_is_a_mistake_of_the_manifest(home: Path, object_store: ObjectStore) -> None:
    (home / "feed.csv").mkdir()
    for place in ("feed/gone.csv", f"{object_store.root}/gone.csv", "feed.csv"):
        with pytest.raises(ManifestError, match=r"line 4: contents\[0\]\.list: .*\.csv.*; "):
            planned(home, f"{{list: '{place}'}}")


def test_an_empty_list_is_fine_where_the_manifest_allows_it(home: Path) -> None:
    for data in ("", "image\n", "\ufeff\r\n"):
        assert of_list(home, data, more="allow_empty: true").pairs == ()


def test_what_is_excluded_or_made_by_stylize_is_no_picture_of_a_list(home: Path) -> None:
    ours = home / "feed/photos/ours.png"
    ours.write_bytes(facts_text({"stylize:name": "a picture of ours"}).encode())
    plan = of_list(home, "image\nphotos/p0.png\nphotos/ours.png\nphotos/p1.png\n", more="exclude: [p1.*]")
    assert names(plan) == ["p0"]
    assert {(Path(one.uri).name, one.why) for one in plan.left_out} == {
        ("ours.png", "ours"),
        ("p1.png", "excluded"),
    }


def test_excluding_the_list_itself_hides_no_bad_line(home: Path) -> None:
    plan = of_list(home, "image,x\n,1\nphotos/p0.png,1\n", more="exclude: ['tonight*']")
    assert list(refused(plan)) == ["tonight.csv:2"]


def test_a_list_in_a_bucket_names_objects_and_never_files_of_this_machine(
    home: Path, object_store: ObjectStore
) -> None:
    for key in ("feed/photos/a.png", "b.png", "feed/c.png"):
        object_store.put(key, b"pixels")
    lines = ["image", "photos/a.png", "../b.png", f"{object_store.root}/feed/c.png", str(home / "s.png"),
             "../../../../etc/passwd", "file:///etc/passwd"]  # fmt: skip
    object_store.put("feed/tonight.csv", "\n".join(lines).encode())
    plan = planned(home, f"{{list: '{object_store.root}/feed/tonight.csv'}}")
    assert contents(plan) == [
        f"{object_store.root}/{key}" for key in ("feed/photos/a.png", "b.png", "feed/c.png")
    ]
    assert list(refused(plan)) == ["tonight.csv:5", "tonight.csv:6", "tonight.csv:7"]
    assert "cannot name local files; write s3://bucket/key" in refused(plan)["tonight.csv:5"]
    assert "leads out of the bucket" in refused(plan)["tonight.csv:6"]


def test_a_manifest_in_a_bucket_finds_its_list_there(home: Path, object_store: ObjectStore) -> None:
    object_store.put(
        "in/m.yaml", (manifest(home, "contents: [{list: l.jsonl}]\nstyles: [s.png]")).read_bytes()
    )
    object_store.put("in/l.jsonl", b'"a.png"\n')
    plan = make_plan(load_manifest(f"{object_store.root}/in/m.yaml"))
    assert contents(plan) == [f"{object_store.root}/in/a.png"]


def test_what_the_output_of_this_manifest_holds_is_not_taken_from_a_list_in_a_bucket(
    home: Path, object_store: ObjectStore
) -> None:
    object_store.put("out/a.png", facts_text({"stylize:name": "a picture of ours"}).encode())
    object_store.put("in/b.png", b"pixels")
    object_store.put("l.csv", b"image\nout/a.png\nin/b.png\n")
    entries = f"contents: [{{list: '{object_store.root}/l.csv'}}]\nstyles: [s.png]"
    path = manifest(home, entries, output=f"{object_store.root}/out")
    assert contents(make_plan(load_manifest(path))) == [f"{object_store.root}/in/b.png"]


def test_a_list_longer_than_a_block_is_read_whole(home: Path, object_store: ObjectStore) -> None:
    filler = "x" * 1000
    lines = [f"photos/p{number % 3}.png,{number},{filler}" for number in range(2 * BLOCK_BYTES // 1000)]
    data = ("image,name,about\n" + "\n".join(lines)).encode()
    assert len(names(of_list(home, data))) == len(lines)
    object_store.put("feed/tonight.csv", data)
    object_store.put_many(f"feed/photos/p{number}.png" for number in range(3))
    plan = planned(home, f"{{list: '{object_store.root}/feed/tonight.csv'}}")
    assert len(names(plan)) == len(lines)
    assert object_store.count("GET", "feed/tonight.csv") == 3


def test_a_list_is_fetched_no_further_than_its_lines_are_taken(object_store: ObjectStore) -> None:
    line = b"a.png," + b"x" * 1000 + b"\n"
    object_store.put("l.csv", b"image,about\n" + line * (3 * BLOCK_BYTES // len(line)))
    rows = read_rows(PictureList(f"{object_store.root}/l.csv", "csv"))
    next(rows)
    assert object_store.count("GET") == 1
    assert sum(1 for _ in rows) == 3 * BLOCK_BYTES // len(line) - 1
    assert object_store.count("GET") == 3


def test_a_line_with_a_bucket_that_nobody_has_costs_its_own_pair(
    home: Path, object_store: ObjectStore
) -> None:
    object_store.put("a.png", b"pixels")
    plan = of_list(home, f"image\ns3://no-such-bucket/a.png\n{object_store.root}/a.png\nphotos/p0.png\n")
    assert names(plan) == ["a", "p0"]
    assert "the bucket does not exist; create it or correct its name" in refused(plan)["a.png"]


def test_expired_credentials_end_the_plan_whatever_a_list_names(
    home: Path, object_store: ObjectStore
) -> None:
    object_store.fail("*", "*", "expired_token")
    with pytest.raises(StorageFatal, match="no usable credentials"):
        of_list(home, f"image\n{object_store.root}/a.png\nphotos/p0.png\n")


@pytest.mark.parametrize("may_list", [True, False])
def test_many_objects_of_one_folder_are_not_asked_for_one_by_one(
    home: Path, object_store: ObjectStore, may_list: bool
) -> None:
    keys = [f"in/{number:03}.png" for number in range(WORTH_LISTING)]
    object_store.put_many([*keys, "far/a.png"])
    if not may_list:
        object_store.fail("LIST", "*", "access_denied")
    plan = of_list(
        home, "\n".join(["image", *(f"{object_store.root}/{key}" for key in (*keys, "far/a.png"))])
    )
    assert object_store.count("HEAD", "in/*") == (1 if may_list else 1 + len(keys))
    assert object_store.count("LIST") == 1
    assert plan.warnings == ()
    assert all(one.pair.content and one.pair.content.token for one in plan.pairs)


def test_results_among_many_objects_are_told_by_their_records(home: Path, object_store: ObjectStore) -> None:
    keys = [f"in/{number:03}.png" for number in range(WORTH_LISTING)]
    object_store.put_many(keys)
    made = Output(name="003.png", size_bytes=6, sha256="d", width=1, height=1, format="png")
    inputs = Ingredients("a", "b", "", "w", {})
    record = Record(status="done", name="003", identity="i", ingredients=inputs, output=made)
    object_store.put("in/003.json", record.to_bytes())
    plan = of_list(home, "\n".join(["image", *(f"{object_store.root}/{key}" for key in keys)]))
    assert [(one.uri.rpartition("/")[2], one.why) for one in plan.left_out] == [("003.png", "ours")]
