from __future__ import annotations

import json
import os
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
from object_store import ObjectStore
from stub_records import PICTURE, digest_of, do_all, finished

from flows.errors import (
    Denied,
    ManifestError,
    NotFound,
    StorageError,
    StorageFatal,
    StorageTransient,
)
from flows.manifest.load import load_manifest
from flows.manifest.model import Manifest
from flows.model.identity import identity, ingredients_of
from flows.model.pair import Job
from flows.planning.plan import Plan, PlannedPair, make_plan
from flows.planning.selecting import without_failed
from flows.records.failed import failed_record
from flows.records.record import Failure
from flows.records.report import Failed
from flows.storage.opening import open_storage

# Published weights, so that nothing here needs a weights file.
SETTINGS = "settings: {encoder: vgg19, steps: 100, style_weight: 10}"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A manifest's folder with two contents and two styles."""
    for name in ("in/a.jpg", "in/b.jpg", "art/x.jpg", "art/y.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(name.encode())
    return tmp_path


def manifest_of(home: Path, text: str = "", *, settings: str = SETTINGS, output: str = "out") -> Manifest:
    entries = text or "contents: ['in/*.jpg']\nstyles: ['art/*.jpg']"
    return load_manifest(home / "m.yaml", text=f"version: 1\noutput: {output}\n{settings}\n{entries}\n")


def plan_of(home: Path, text: str = "", *, settings: str = SETTINGS) -> Plan:
    return make_plan(manifest_of(home, text, settings=settings))


def names(plan: Plan) -> list[str]:
    return [planned.pair.name for planned in plan.pairs]


def reasons(plan: Plan) -> dict[str, str]:
    return {planned.pair.name: planned.reason for planned in plan.pairs}


def the_only(plan: Plan) -> PlannedPair:
    (planned,) = plan.pairs
    return planned


ONE = "pairs: [{content: in/a.jpg, style: art/x.jpg}]"


@pytest.fixture
def done_one(home: Path) -> Path:
    """A home whose one pair is done."""
    do_all(plan_of(home, ONE))
    return home


def test_a_fresh_manifest_is_all_to_do(home: Path) -> None:
    plan = plan_of(home)
    assert names(plan) == ["a__x", "b__x", "a__y", "b__y"]
    assert plan.counts == {"planned": 4, "done": 0, "todo": 4}
    assert plan.reasons == {"new": 4}
    assert plan.warnings == ()
    assert not (home / "out").exists()


def test_a_plan_is_the_same_every_time_and_knows_the_identities(home: Path) -> None:
    plan = plan_of(home)
    assert plan == plan_of(home)
    assert len({planned.identity for planned in plan.pairs}) == 4
    assert [planned.identity for planned in plan.pairs] == [finished(p.pair).identity for p in plan.pairs]


def test_what_is_done_stays_done(home: Path) -> None:
    do_all(plan_of(home))
    plan = plan_of(home)
    assert plan.counts == {"planned": 4, "done": 4, "todo": 0}
    assert plan.todo == ()
    assert set(reasons(plan).values()) == {""}


def test_results_that_lie_among_the_inputs_are_not_planned_again(home: Path) -> None:
    text = "contents: ['**/*.png', 'in/a.jpg']\nstyles: ['art/*.jpg']"
    (home / "in/c.png").write_bytes(b"c")
    do_all(plan_of(home, text))
    plan = plan_of(home, text)
    assert plan.counts == {"planned": 4, "done": 4, "todo": 0}
    assert any("left out 4 files" in warning and "made by stylize" in warning for warning in plan.warnings)


def test_a_changed_content_makes_its_pairs_out_of_date_and_no_others(home: Path) -> None:
    do_all(plan_of(home))
    (home / "in/a.jpg").write_bytes(b"another picture")
    assert reasons(plan_of(home)) == {
        "a__x": "content changed", "a__y": "content changed", "b__x": "", "b__y": "",
    }  # fmt: skip


def test_a_content_that_was_only_touched_changes_nothing(home: Path) -> None:
    do_all(plan_of(home))
    os.utime(home / "in/a.jpg", (1, 1))
    assert plan_of(home).counts["done"] == 4


def test_results_of_older_defaults_are_to_do_with_the_reason_and_stay_done_under_their_recipe(
    home: Path,
) -> None:
    older = "settings: {recipe: 1}"
    do_all(plan_of(home, settings=older))
    assert plan_of(home, settings=older).counts["done"] == 4
    (reason,) = plan_of(home, settings="").reasons
    assert reason.startswith("default recipe changed (`recipe: 1` keeps the old one): ")


def test_results_of_an_older_algorithm_are_to_do_with_the_reason_where_it_makes_a_difference(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held, free = "settings: {loss: mean}", "settings: {preset: neural-style-pt, range_weight: 0}"
    with monkeypatch.context() as older:
        for module in ("flows.model.identity", "flows.planning.candidates"):
            older.setattr(f"{module}.algorithm_of", lambda _, **__: 1)
        do_all(plan_of(home, settings=held))
    (reason,) = plan_of(home, settings=held).reasons
    assert reason == (
        "algorithm 1 -> 3 (the penalty for pixels outside 0..1 counts in units of the loss; a style with "
        "fewer pixels than it is measured in is enlarged)"
    )
    do_all(plan_of(home, settings=free))
    assert plan_of(home, settings=free).counts["done"] == 4
    (reason,) = plan_of(home, settings="settings: {preset: neural-style-pt}").reasons
    assert reason == "settings: range_weight 0.0 -> 500.0"


def test_changed_settings_are_named_with_both_values(home: Path) -> None:
    do_all(plan_of(home))
    changed = "settings: {encoder: vgg19, steps: 200, style_weight: 2}"
    assert plan_of(home, settings=changed).reasons == {
        "settings: steps 100 -> 200, style_weight 10.0 -> 2.0": 4
    }


def test_a_style_with_settings_of_its_own_is_out_of_date_alone(home: Path) -> None:
    text = "contents: ['in/*.jpg']\nstyles: [art/x.jpg, {image: art/y.jpg, settings: {size: %d}}]"
    do_all(plan_of(home, text % 256))
    changed = "settings: scales 3 -> 2, size 256 -> 128"
    assert reasons(plan_of(home, text % 128)) == {
        "a__x": "", "b__x": "", "a__y": changed, "b__y": changed,
    }  # fmt: skip


def test_other_weights_make_a_pair_out_of_date(home: Path) -> None:
    staged = "settings: {encoder: vgg19, weights: {file: w.pth, sha256: '%s', convention: %s}}"
    first, second = sha256(b"1").hexdigest(), sha256(b"2").hexdigest()
    do_all(plan_of(home, ONE, settings=staged % (first, "caffe")))
    assert plan_of(home, ONE, settings=staged % (first, "caffe")).counts["done"] == 1
    assert the_only(plan_of(home, ONE, settings=staged % (second, "caffe"))).reason == "weights changed"
    assert the_only(plan_of(home, ONE, settings=staged % (first, "torchvision"))).reason == "weights changed"


def test_the_picture_to_start_from_has_a_part_in_the_identity(home: Path) -> None:
    (home / "start.png").write_bytes(b"start")
    settings = "settings: {encoder: vgg19, init: start.png}"
    do_all(plan_of(home, ONE, settings=settings))
    planned = the_only(plan_of(home, ONE, settings=settings))
    assert planned.status == "done"
    assert planned.pair.init is not None
    (home / "start.png").write_bytes(b"another start")
    assert the_only(plan_of(home, ONE, settings=settings)).reason == "init changed"


def test_another_format_is_another_picture(done_one: Path) -> None:
    webp = SETTINGS.replace("}", ", format: webp}")
    assert the_only(plan_of(done_one, ONE, settings=webp)).reason == "settings: format png -> webp"


def test_a_picture_that_is_gone_is_made_again(done_one: Path) -> None:
    (done_one / "out/a__x.png").unlink()
    assert the_only(plan_of(done_one, ONE)).reason == "picture missing"


def test_a_picture_of_another_size_is_made_again(done_one: Path) -> None:
    (done_one / "out/a__x.png").write_bytes(b"the pict")
    assert the_only(plan_of(done_one, ONE)).reason == f"picture has 8 bytes, record says {len(PICTURE)}"


def test_a_picture_without_its_record_is_made_again(done_one: Path) -> None:
    (done_one / "out/a__x.json").unlink()
    planned = the_only(plan_of(done_one, ONE))
    assert (planned.status, planned.reason) == ("todo", "picture without a record")


def test_every_beginning_of_a_record_leaves_the_pair_to_do(done_one: Path) -> None:
    path = done_one / "out/a__x.json"
    data, manifest = path.read_bytes(), manifest_of(done_one, ONE)
    for length in (*range(0, len(data), 97), len(data) - 1):
        path.write_bytes(data[:length])
        plan = make_plan(manifest)
        assert plan.counts["todo"] == 1
        assert the_only(plan).reason.startswith("record unreadable: ")
        assert "a__x.json" in plan.warnings[0]


def test_a_record_of_a_newer_version_is_left_alone_by_the_plan(done_one: Path) -> None:
    path = done_one / "out/a__x.json"
    newer = json.dumps(json.loads(path.read_bytes()) | {"record_version": 2}) + "\n"
    path.write_text(newer)
    plan = plan_of(done_one, ONE)
    (refused,) = plan.refused
    assert (refused.name, refused.kind, plan.pairs) == ("a__x", "foreign_file", ())
    assert "from a newer version" in refused.message
    allowed = plan_of(done_one, f"foreign_files: replace\n{ONE}")
    assert the_only(allowed).reason == "from a newer version"
    assert the_only(allowed).identity
    assert "to be replaced when the pair is made" in allowed.warnings[0]
    assert path.read_text() == newer


def test_a_warning_about_many_foreign_files_names_a_few(home: Path) -> None:
    contents = "contents: ['in/*.jpg']\nstyles: ['art/*.jpg']"
    for number in range(20):
        (home / f"in/{number}.jpg").write_bytes(b"%d" % number)
    storage = open_storage(str(home / "out"))
    for planned in plan_of(home, contents).pairs:
        storage.write(planned.pair.record_name, b'{"shards": 3}\n')
    assert len(plan_of(home, contents).refused) == 44
    (warning,) = plan_of(home, f"foreign_files: replace\n{contents}").warnings
    assert "and 39 more" in warning
    assert len(warning) < 1000


def test_foreign_files_in_the_output_change_nothing(done_one: Path) -> None:
    for name in ("00001.json", "stats.json", "a__x.json.bak", "deep/a__x.json", ".a__x.json.swp"):
        (done_one / "out" / name).parent.mkdir(exist_ok=True)
        (done_one / "out" / name).write_bytes(b"\xff\x00")
    plan = plan_of(done_one, ONE)
    assert plan.counts["done"] == 1
    assert plan.warnings == ()
    assert (done_one / "out/00001.json").read_bytes() == b"\xff\x00"


def test_a_giant_where_the_record_belongs_is_not_even_read(done_one: Path) -> None:
    with (done_one / "out/a__x.json").open("wb") as file:
        file.truncate(2**40)
    (refused,) = plan_of(done_one, ONE).refused
    assert "it is no record of stylize" in refused.message


def test_a_record_that_was_copied_from_another_pair_does_not_count(home: Path) -> None:
    (home / "in/b.jpg").write_bytes((home / "in/a.jpg").read_bytes())
    do_all(plan_of(home))
    (home / "out/b__x.json").write_bytes((home / "out/a__x.json").read_bytes())
    assert reasons(plan_of(home))["b__x"] == "record names another picture"


def test_a_record_that_was_tampered_with_does_not_count(done_one: Path) -> None:
    path = done_one / "out/a__x.json"
    path.write_text(json.dumps(json.loads(path.read_bytes()) | {"identity": "0" * 64}) + "\n")
    assert the_only(plan_of(done_one, ONE)).reason == "identity changed"


def test_a_failed_pair_is_tried_again_and_its_attempts_are_remembered(done_one: Path) -> None:
    pair = the_only(plan_of(done_one, ONE)).pair
    failed = finished(pair, failure=Failure(kind="crashed", message="killed", attempts=2))
    path = done_one / "out/a__x.json"
    path.write_bytes(failed.to_bytes())
    planned = the_only(plan_of(done_one, ONE))
    assert (planned.status, planned.reason, planned.attempts) == ("todo", "failed before: crashed", 2)
    (done_one / "in/a.jpg").write_bytes(b"a better picture")
    planned = the_only(plan_of(done_one, ONE))
    assert (planned.reason, planned.attempts) == ("failed before: crashed", 0)


def test_what_failed_for_a_reason_of_its_own_is_left_out_on_request_and_counts_as_failed(home: Path) -> None:
    kinds = {"a__x": "bad_image", "b__x": "crashed", "a__y": "too_large"}
    for planned in plan_of(home).todo:
        if kind := kinds.get(planned.pair.name):
            failed = finished(planned.pair, failure=Failure(kind=kind, message="why", attempts=1))
            open_storage(str(home / "out")).write(planned.pair.record_name, failed.to_bytes())
    (home / "art/y.jpg").write_bytes(b"a better painting")
    plan = without_failed(plan_of(home))
    assert set(names(plan)) == {"b__x", "a__y", "b__y"}, "what may pass, is changed or is new is tried"
    assert plan.refused == (Failed("a__x", "bad_image", "why"),)
    assert plan.counts == {"planned": 4, "done": 0, "todo": 3}


@pytest.mark.parametrize("error", [NotFound, Denied, StorageError, StorageTransient])
def test_what_failed_because_storage_was_out_of_reach_is_never_left_out(
    home: Path, error: type[StorageError]
) -> None:
    for planned in plan_of(home, ONE).todo:
        failed = finished(planned.pair, failure=Failure(kind=error.kind, message="the disk was away"))
        open_storage(str(home / "out")).write(planned.pair.record_name, failed.to_bytes())
    assert names(without_failed(plan_of(home, ONE))) == ["a__x"]


def test_a_missing_content_fails_its_own_pairs_only(home: Path) -> None:
    text = "contents: ['in/*.jpg', gone.jpg]\nstyles: [art/x.jpg]"
    plan = plan_of(home, text)
    assert names(plan) == ["a__x", "b__x", "gone__x"]
    assert plan.warnings == (f"{home}/gone.jpg does not exist; its pairs will fail",)
    assert [bool(planned.identity) for planned in plan.pairs] == [True, True, False]


def test_a_content_that_vanished_after_its_pair_was_done_is_said(done_one: Path) -> None:
    (done_one / "in/a.jpg").unlink()
    planned = the_only(plan_of(done_one, ONE))
    assert (planned.status, planned.reason, planned.identity) == ("todo", "content cannot be read", "")


def test_all_problems_of_a_manifest_come_at_once(home: Path) -> None:
    (home / "in/sub").mkdir()
    (home / "in/sub/a.png").write_bytes(b"a")
    text = "contents:\n- in/a.jpg\n- 'none/*.jpg'\nstyles:\n- 'nothing*.jpg'\n- art/x.jpg\n"
    text += "pairs:\n- {content: in/sub/a.png, style: art/x.jpg}"
    with pytest.raises(ManifestError) as caught:
        plan_of(home, text)
    assert [(p.where, p.line) for p in caught.value.problems] == [
        ("contents[1]", 6),
        ("styles[0]", 8),
        ("name", 11),
    ]
    assert "in/a.jpg" in str(caught.value)
    assert "in/sub/a.png" in str(caught.value)


def test_a_failure_that_several_entries_find_counts_once(home: Path) -> None:
    with open(os.fsencode(home) + b"/in/caf\xe9.jpg", "wb"):  # noqa: PTH123
        pass
    (home / "feed.csv").write_text("image\nart/y.jpg\n~/a.jpg\n")
    plan = plan_of(
        home,
        "contents: ['in/*.jpg', 'in/**/*.jpg', {list: feed.csv}]\nstyles: [art/x.jpg, {list: feed.csv}]",
    )
    assert sorted(one.kind for one in plan.refused) == ["bad_line", "bad_name"]
    assert plan.counts == {"planned": 8, "done": 0, "todo": 6}


def test_very_many_problems_are_cut_short(home: Path) -> None:
    entries = "\n".join(f"- in/{number}.{suffix}" for number in range(200) for suffix in ("jpg", "png"))
    with pytest.raises(ManifestError) as caught:
        plan_of(home, f"contents:\n{entries}\nstyles: [art/x.jpg]")
    assert caught.value.problems[-1].message.startswith("and ")
    assert len(caught.value.problems) <= 101


def test_pairs_share_their_inputs_and_settings(home: Path) -> None:
    pairs = [planned.pair for planned in plan_of(home).pairs]
    assert len({id(pair.style_settings) for pair in pairs}) == 1
    assert len({id(pair.content) for pair in pairs}) == 2


def run_in_a_fresh_process(code: str, home: Path) -> str:
    done = subprocess.run([sys.executable, "-c", code, str(home / "m.yaml")], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("state", ["new", "done"])
def test_a_local_plan_loads_neither_torch_nor_prefect_nor_an_s3_client(home: Path, state: str) -> None:
    text = f"version: 1\noutput: out\n{SETTINGS}\ncontents: ['in/*.jpg']\nstyles: ['art/*.jpg']\n"
    (home / "m.yaml").write_text(text)
    if state == "done":
        do_all(plan_of(home))
    code = (
        "import sys\n"
        "from flows.manifest.load import load_manifest\n"
        "from flows.planning.plan import make_plan\n"
        "plan = make_plan(load_manifest(sys.argv[1]))\n"
        "heavy = {'torch', 'torchvision', 'prefect', 'boto3', 'botocore', 'PIL', 'numpy'}\n"
        "loaded = sys.modules.keys() & heavy\n"
        "print(plan.counts, loaded)"
    )
    done = 4 if state == "done" else 0
    expected = f"{{'planned': 4, 'done': {done}, 'todo': {4 - done}}} set()\n"
    assert run_in_a_fresh_process(code, home) == expected


def test_the_working_directory_has_no_part_in_a_plan(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = plan_of(home)
    monkeypatch.chdir("/")
    assert plan_of(home) == before


@pytest.fixture
def bucket(object_store: ObjectStore) -> ObjectStore:
    """A bucket with two contents and two styles."""
    for key in ("in/a.jpg", "in/b.jpg", "art/x.jpg", "art/y.jpg"):
        object_store.put(key, key.encode())
    object_store.hits.clear()
    return object_store


@pytest.fixture
def bucket_plan(bucket: ObjectStore, tmp_path: Path) -> Callable[[], Plan]:
    entries = f"contents: ['{bucket.root}/in/*.jpg']\nstyles: ['{bucket.root}/art/*.jpg']"
    return lambda: make_plan(manifest_of(tmp_path, entries, output=f"{bucket.root}/out/run1"))


def test_a_plan_over_s3_downloads_no_picture(bucket: ObjectStore, bucket_plan: Callable[[], Plan]) -> None:
    plan = bucket_plan()
    assert plan.reasons == {"new": 4}
    assert {planned.identity for planned in plan.pairs} == {""}
    assert {method for method, _ in bucket.hits} == {"LIST"}


def test_what_is_done_on_s3_stays_done(bucket: ObjectStore, bucket_plan: Callable[[], Plan]) -> None:
    do_all(bucket_plan())
    bucket.hits.clear()
    plan = bucket_plan()
    assert plan.counts == {"planned": 4, "done": 4, "todo": 0}
    assert [p.identity for p in plan.pairs] == [finished(p.pair).identity for p in plan.pairs]


def test_planning_asks_s3_for_records_once_each_and_for_nothing_else(
    bucket: ObjectStore, bucket_plan: Callable[[], Plan]
) -> None:
    do_all(bucket_plan())
    bucket.hits.clear()
    bucket_plan()
    assert bucket.count("LIST") == 3
    assert bucket.count("GET", "out/run1/*.json") == 4
    assert len(bucket.hits) == 7


def test_an_object_that_was_replaced_makes_its_pairs_out_of_date(
    bucket: ObjectStore, bucket_plan: Callable[[], Plan]
) -> None:
    do_all(bucket_plan())
    bucket.put("art/x.jpg", b"another style")
    plan = bucket_plan()
    assert reasons(plan) == {
        "a__x": "style changed", "b__x": "style changed", "a__y": "", "b__y": "",
    }  # fmt: skip
    assert [bool(planned.identity) for planned in plan.pairs] == [False, False, True, True]


def test_a_version_counts_for_its_own_key_only(bucket: ObjectStore, tmp_path: Path) -> None:
    text = "pairs: [{{content: '{0}/in/{1}.jpg', style: '{0}/art/x.jpg', name: one}}]"
    output = f"{bucket.root}/out"
    bucket.put("in/b.jpg", b"in/a.jpg")  # the same bytes, so the same ETag
    do_all(make_plan(manifest_of(tmp_path, text.format(bucket.root, "a"), output=output)))
    assert (
        the_only(make_plan(manifest_of(tmp_path, text.format(bucket.root, "a"), output=output))).status
        == "done"
    )
    moved = the_only(make_plan(manifest_of(tmp_path, text.format(bucket.root, "b"), output=output)))
    assert moved.reason == "content changed"


def test_local_pictures_and_a_bucket_for_the_results_go_together(bucket: ObjectStore, home: Path) -> None:
    manifest = manifest_of(home, output=f"{bucket.root}/out")
    do_all(make_plan(manifest))
    assert make_plan(manifest).counts["done"] == 4
    (home / "in/a.jpg").write_bytes(b"another picture")
    assert make_plan(manifest).reasons == {"content changed": 2}


def fail_unread(plan: Plan, kind: str) -> None:
    """Leave behind what workers would of pairs whose pictures they could not decode."""
    for one in plan.todo:
        failed = failed_record(Job(one.pair, plan.output, one.identity), Failure(kind=kind, message="why"))
        open_storage(plan.output).write(one.pair.record_name, failed.to_bytes())


def test_a_broken_object_is_left_out_on_request_until_it_is_replaced(
    bucket: ObjectStore, bucket_plan: Callable[[], Plan]
) -> None:
    fail_unread(bucket_plan(), "bad_image")
    assert names(without_failed(bucket_plan())) == []
    bucket.put("in/a.jpg", b"a sound picture")
    assert names(without_failed(bucket_plan())) == ["a__x", "a__y"]
    assert {one.attempts for one in bucket_plan().todo} == {1}


def test_an_object_that_was_too_large_is_tried_under_other_settings(
    bucket: ObjectStore, tmp_path: Path
) -> None:
    entries = f"contents: ['{bucket.root}/in/*.jpg']\nstyles: ['{bucket.root}/art/x.jpg']"
    fail_unread(make_plan(manifest_of(tmp_path, entries)), "too_large")
    assert names(without_failed(make_plan(manifest_of(tmp_path, f"timeout: 9m\n{entries}")))) == []
    larger = SETTINGS.replace("}", ", max_megapixels: 500}")
    assert len(without_failed(make_plan(manifest_of(tmp_path, entries, settings=larger))).pairs) == 2


def test_an_object_that_was_not_there_yet_is_tried_once_it_has_come(
    bucket: ObjectStore, tmp_path: Path
) -> None:
    text = f"pairs: [{{content: '{bucket.root}/late.jpg', style: '{bucket.root}/art/x.jpg'}}]"
    fail_unread(make_plan(manifest_of(tmp_path, text)), "bad_image")
    bucket.put("late.jpg", b"a picture")
    assert names(without_failed(make_plan(manifest_of(tmp_path, text)))) == ["late__x"]


def test_a_record_that_one_may_not_read_is_to_do(
    bucket: ObjectStore, bucket_plan: Callable[[], Plan]
) -> None:
    do_all(bucket_plan())
    bucket.fail("GET", "out/run1/a__x.json", "access_denied")
    plan = bucket_plan()
    assert plan.counts == {"planned": 4, "done": 3, "todo": 1}
    assert reasons(plan)["a__x"].startswith("record unreadable: ")


def test_a_record_that_vanishes_after_the_listing_is_to_do(
    bucket: ObjectStore, bucket_plan: Callable[[], Plan]
) -> None:
    do_all(bucket_plan())
    bucket.fail("GET", "out/run1/a__x.json", "no_such_key")
    assert reasons(bucket_plan())["a__x"] == "picture without a record"


@pytest.mark.parametrize(("method", "key"), [("LIST", ""), ("GET", "out/run1/b__y.json")])
def test_expired_credentials_end_the_plan_at_once(
    bucket: ObjectStore, bucket_plan: Callable[[], Plan], method: str, key: str
) -> None:
    do_all(bucket_plan())
    bucket.fail(method, key, "expired_token")
    with pytest.raises(StorageFatal):
        bucket_plan()


def test_ingredients_of_a_pair_are_those_of_its_plan(home: Path) -> None:
    planned = plan_of(home).pairs[0]
    pair = planned.pair
    made_of = ingredients_of(pair, digest_of(pair.content), digest_of(pair.style), "")
    assert identity(made_of) == planned.identity
    assert identity(replace(made_of, content="f" * 64)) != planned.identity


def test_a_pair_costs_little_memory(home: Path) -> None:
    for number in range(500):
        (home / f"in/{number}.jpg").write_bytes(b"%d" % number)
    manifest = manifest_of(home)
    make_plan(manifest)  # whatever is loaded and remembered once
    tracemalloc.start()
    try:
        plan = make_plan(manifest)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak / len(plan.pairs) < 2500
