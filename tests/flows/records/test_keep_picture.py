"""Which record counts where two runs make one picture, and what a failure must not replace."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import pytest

from flows.model.identity import Ingredients
from flows.model.pair import Input, Pair
from flows.records.record import Failure, Output, Record
from flows.records.store import keep_picture, read_record, record_failure
from flows.storage.base import Storage
from flows.storage.memory import MemoryStorage
from flows.storage.opening import open_storage
from stylize_core.settings.picture import PictureSettings
from stylize_core.settings.style import StyleSettings

PICTURE = Input("/in.png")
PAIR = Pair("a", PICTURE, PICTURE, StyleSettings(), PictureSettings())
OURS, THEIRS = b"our bits", b"their bits, which are more"


def record_of(picture: bytes, identity: str = "same") -> Record:
    digest = hashlib.sha256(picture).hexdigest()
    output = Output(
        name="a.png", size_bytes=len(picture), sha256=digest, width=1, height=1, format="png"
    )  # fmt: skip
    made_of = Ingredients("c", "s", "", "w", {})
    return Record(status="done", name="a", identity=identity, ingredients=made_of, output=output)


def failed(identity: str = "same") -> Record:
    return Record(status="failed", name="a", identity=identity, failure=Failure(kind="crashed", message="x"))


@pytest.fixture
def storage(memory_root: str) -> Storage:
    return open_storage(memory_root)


def keep(storage: Storage, before: Record | None = None) -> bool:
    return keep_picture(storage, PAIR, record_of(OURS), OURS, content_type="image/png", before=before)


def put(storage: Storage, picture: bytes, record: Record) -> None:
    storage.write("a.png", picture)
    storage.write("a.json", record.to_bytes())


def between(monkeypatch: pytest.MonkeyPatch, act: Callable[[], None]) -> None:
    """Have another run act after our picture is written and before our record is."""
    create = MemoryStorage.create

    def late(self: MemoryStorage, name: str, data: bytes, *, content_type: str = "") -> bool:
        act()
        return create(self, name, data, content_type=content_type)

    monkeypatch.setattr(MemoryStorage, "create", late)


def require_picture_and_record_agree(storage: Storage, picture: bytes, identity: str = "same") -> None:
    record = read_record(storage, "a.json")
    assert record is not None
    assert record.output is not None
    assert storage.read("a.png") == picture
    assert (record.identity, record.output.sha256) == (identity, hashlib.sha256(picture).hexdigest())


def test_where_there_was_none_the_record_is_created(storage: Storage) -> None:
    assert keep(storage) is True
    require_picture_and_record_agree(storage, OURS)


def test_a_record_of_the_same_picture_that_came_meanwhile_stays(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = record_of(OURS)
    between(monkeypatch, lambda: put(storage, OURS, theirs))
    assert keep(storage) is False
    assert storage.read("a.json") == theirs.to_bytes()
    require_picture_and_record_agree(storage, OURS)


def test_where_devices_differ_in_their_bits_picture_and_record_agree_all_the_same(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    between(monkeypatch, lambda: put(storage, THEIRS, record_of(THEIRS)))
    assert keep(storage) is False, "the pair was made twice"
    require_picture_and_record_agree(storage, OURS)


def test_another_manifests_picture_that_came_meanwhile_is_replaced_whole(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    between(monkeypatch, lambda: put(storage, THEIRS, record_of(THEIRS, "another")))
    assert keep(storage) is True, "that is no double work"
    require_picture_and_record_agree(storage, OURS)


@pytest.mark.parametrize(
    "theirs", [failed().to_bytes(), b"", b'{"cut'], ids=["a failure", "nothing yet", "a part"]
)
def test_what_is_no_picture_of_anybody_gives_way_to_ours(
    storage: Storage, monkeypatch: pytest.MonkeyPatch, theirs: bytes
) -> None:
    between(monkeypatch, lambda: storage.write("a.json", theirs))
    assert keep(storage) is True
    require_picture_and_record_agree(storage, OURS)


def test_the_record_that_was_there_before_is_no_other_runs_work(storage: Storage) -> None:
    """Its picture was missing, say, so that the pair was made again."""
    before = record_of(OURS)
    storage.write("a.json", before.to_bytes())
    assert keep(storage, before) is True
    assert read_record(storage, "a.json") != before, "ours says when"


def test_a_record_that_was_replaced_meanwhile_is_another_runs_work(storage: Storage) -> None:
    before = record_of(THEIRS, "older")
    theirs = record_of(OURS)
    put(storage, OURS, theirs)
    assert keep(storage, before) is False
    assert storage.read("a.json") == theirs.to_bytes()


def test_a_failure_does_not_replace_what_another_run_has_done(storage: Storage) -> None:
    put(storage, THEIRS, record_of(THEIRS))
    assert record_failure(storage, PAIR, failed()) is False
    require_picture_and_record_agree(storage, THEIRS)


@pytest.mark.parametrize("left", ["another picture", "no picture", "a cut picture"])
def test_a_failure_is_recorded_where_the_pair_is_not_done(storage: Storage, left: str) -> None:
    put(storage, THEIRS, record_of(THEIRS, "another" if left == "another picture" else "same"))
    if left == "no picture":
        storage.delete("a.png")
    if left == "a cut picture":
        storage.write("a.png", THEIRS[:-1])
    assert record_failure(storage, PAIR, failed()) is True
    record = read_record(storage, "a.json")
    assert record is not None
    assert record.failure is not None
