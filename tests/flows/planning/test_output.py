"""An output that is asked for name by name is judged as one that is listed, and costs what it should."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from closed_folders import close
from object_store import ObjectStore
from stub_records import PICTURE, finished

from flows.errors import StorageFatal
from flows.manifest.load import load_manifest
from flows.manifest.model import Manifest
from flows.model.shard import WHOLE, Shard
from flows.planning import output
from flows.planning.output import LISTED_PER_ASKED_S3, ListedOutput, asking_is_cheaper
from flows.planning.plan import Plan, PlannedPair, make_plan
from flows.records.record import Failure, UnreadableRecord
from flows.storage.base import Storage
from flows.storage.opening import open_storage

STATES = (
    "new", "done", "picture missing", "picture cut", "no record", "foreign picture", "failed",
    "foreign record", "damaged record", "newer record", "giant", "foreign snapshot",
    "failed beside a foreign picture",
)  # fmt: skip


def manifest_of(home: Path, *, contents: int, styles: int, output: str, settings: str = "") -> Manifest:
    for kind, count in (("in", contents), ("art", styles)):
        (home / kind).mkdir()
        for number in range(count):
            (home / kind / f"{number:03}.jpg").write_bytes(f"{kind}{number}".encode())
    entries = "contents: ['in/*.jpg']\nstyles: ['art/*.jpg']"
    text = f"version: 1\noutput: {output}\nsettings: {{encoder: vgg19{settings}}}\n{entries}\n"
    return load_manifest(home / "m.yaml", text=text)


def leave(storage: Storage, planned: PlannedPair, state: str) -> None:
    """Bring the files of a pair into that state."""
    pair, record = planned.pair, finished(planned.pair)
    failure = finished(pair, failure=Failure(kind="crashed", message="killed", attempts=2))
    newer = json.dumps(json.loads(record.to_bytes()) | {"record_version": 9}).encode() + b"\n"
    files: dict[str, bytes] = {
        "done": record.to_bytes(), "picture missing": record.to_bytes(), "picture cut": record.to_bytes(),
        "failed": failure.to_bytes(), "failed beside a foreign picture": failure.to_bytes(),
        "foreign record": b'{"label": "cat"}\n', "damaged record": record.to_bytes()[:99],
        "newer record": newer, "giant": b" " * (17 * 2**20),
    }  # fmt: skip
    pictures = {
        "done": PICTURE, "no record": PICTURE, "picture cut": PICTURE[:-1], "foreign picture": b"a cat",
        "failed beside a foreign picture": b"a cat",
    }  # fmt: skip
    if state in files:
        storage.write(pair.record_name, files[state])
    if state in pictures:
        storage.write(pair.output_name, pictures[state])
    if state == "foreign snapshot":
        storage.write(pair.extra_names[0], b"a cat")


@pytest.fixture(params=["local", "s3"])
def states(request: pytest.FixtureRequest, tmp_path: Path) -> Manifest:
    """A manifest with a pair in every state that matters."""
    root = str(tmp_path / "out")
    if request.param == "s3":
        root = f"{request.getfixturevalue('object_store').root}/out"
    found = manifest_of(
        tmp_path, contents=len(STATES), styles=1, output=root, settings=", snapshot_every: 90"
    )
    storage = open_storage(root)
    for planned, state in zip(make_plan(found).pairs, STATES, strict=True):
        leave(storage, planned, state)
    return found


def judged(plan: Plan) -> dict[str, object]:
    one_by_one = {one.pair.name: (one.status, one.reason, one.identity, one.attempts) for one in plan.pairs}
    return {"pairs": one_by_one, "refused": plan.refused, "warnings": plan.warnings}


def test_asking_and_listing_judge_every_pair_alike(states: Manifest, monkeypatch: pytest.MonkeyPatch) -> None:
    listed = judged(make_plan(states))
    monkeypatch.setattr(output, "asking_is_cheaper", lambda *_, **__: True)
    monkeypatch.setattr(output, "list_output", None)
    assert judged(make_plan(states)) == listed


def test_results_in_a_folder_that_cannot_be_listed_are_asked_for_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.jpg").write_bytes(b"a photo")
    names = ("closed/a", "closed/new", "open/a")
    pairs = "\n".join(f"- {{content: a.jpg, style: a.jpg, name: {name}}}" for name in names)
    found = load_manifest(
        tmp_path / "m.yaml", text=f"version: 1\noutput: out\nsettings: {{encoder: vgg19}}\npairs:\n{pairs}\n"
    )
    plan = make_plan(found)
    storage = open_storage(plan.output)
    for planned in plan.pairs:
        leave(storage, planned, "new" if planned.pair.name == "closed/new" else "done")
    (tmp_path / "out/lost+found").mkdir()
    for name in ("closed", "lost+found"):
        close(tmp_path / "out" / name, monkeypatch)
    again = make_plan(found)
    assert [(one.pair.name, one.reason) for one in again.todo] == [("closed/new", "new")]
    assert again.counts["done"] == 2


def test_a_record_that_nobody_may_look_at_is_not_taken_for_none(memory_root: str) -> None:
    storage = open_storage(memory_root)
    storage.write("closed/a.json", b"no record")
    assert ListedOutput(storage, {}).record("closed/a.json") is None
    with pytest.raises(UnreadableRecord):
        ListedOutput(storage, {}, ("closed/",)).record("closed/a.json")


def test_a_link_in_place_of_a_picture_is_nobodys_file_for_either(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = manifest_of(tmp_path, contents=1, styles=1, output=str(tmp_path / "out"))
    (tmp_path / "out").mkdir()
    (planned,) = make_plan(found).pairs
    (tmp_path / "out" / planned.pair.output_name).symlink_to(tmp_path / "in/000.jpg")
    monkeypatch.setattr(output, "asking_is_cheaper", lambda *_, **__: True)
    assert make_plan(found).reasons == {"new": 1}


def test_asking_is_chosen_where_the_listing_would_cost_more() -> None:
    """By S3's prices; 2,000 shards of 100,000 pairs with a record and a picture each."""
    pages = 200_000 / 1000
    assert asking_is_cheaper(100, 200_000, remote=True)
    assert pages > 100 / 12.5
    assert not asking_is_cheaper(200_000, 200_000, remote=True), "the whole is listed"
    assert not asking_is_cheaper(200_000 // LISTED_PER_ASKED_S3, 200_000, remote=True)
    assert not asking_is_cheaper(2, 8, remote=True)
    assert asking_is_cheaper(10_000, 200_000, remote=False), "a folder is listed by the file, not by the page"
    assert not asking_is_cheaper(20_000, 200_000, remote=False)


def test_a_shard_of_a_large_output_asks_for_its_own_pairs_alone(
    tmp_path: Path, object_store: ObjectStore
) -> None:
    """100 of 10,000 pairs: two requests each, done or not, and no listing."""
    found = manifest_of(tmp_path, contents=100, styles=100, output=f"{object_store.root}/out")
    object_store.put_many(f"out/other{number:05}.png" for number in range(1500))  # more than a page
    shard = Shard(0, 100)
    plan = make_plan(found, shard=shard)
    own = len(plan.pairs)
    assert 80 < own < 120
    assert plan.reasons == {"new": own}
    assert_two_each(object_store, plan)
    storage = open_storage(plan.output)
    for planned in plan.pairs:
        leave(storage, planned, "done")
    object_store.hits.clear()
    again = make_plan(found, shard=shard)
    assert again.counts == {"planned": own, "done": own, "todo": 0}
    assert_two_each(object_store, again)


def assert_two_each(store: ObjectStore, plan: Plan) -> None:
    own = len(plan.pairs)
    assert (store.count("GET", "out/*.json"), store.count("HEAD", "out/*.png")) == (own, own)
    assert len(store.hits) == 2 * own


def test_a_run_over_the_whole_lists_its_output_in_pages(tmp_path: Path, object_store: ObjectStore) -> None:
    found = manifest_of(tmp_path, contents=3, styles=2, output=f"{object_store.root}/out")
    assert make_plan(found, shard=WHOLE).reasons == {"new": 6}
    assert [method for method, _ in object_store.hits] == ["LIST"]


def test_a_missing_bucket_ends_the_plan_also_where_nothing_is_listed(
    tmp_path: Path, object_store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = manifest_of(tmp_path, contents=1, styles=1, output="s3://no-such-bucket-here/out")
    monkeypatch.setattr(output, "asking_is_cheaper", lambda *_, **__: True)
    with pytest.raises(StorageFatal, match="the bucket does not exist"):
        make_plan(found)
