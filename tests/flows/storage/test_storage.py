"""What every storage promises: one suite, run against a local folder, an S3 server and memory."""

from __future__ import annotations

import random
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from object_store import ObjectStore

from flows.errors import BatchError, Denied, NotFound, Oversized, StorageError
from flows.storage.base import BLOCK_BYTES, Patience, Storage
from flows.storage.opening import open_storage, read_uri, split_uri, stat_uri

HASTY = Patience(attempts=1, rounds=2, wait_s=0.01, read_timeout_s=20)


@pytest.fixture(params=["local", "s3", "memory"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "local":
        return str(tmp_path / "out" / "deep")
    if request.param == "memory":
        return f"{request.getfixturevalue('memory_root')}/out/deep"
    store: ObjectStore = request.getfixturevalue("object_store")
    return f"{store.root}/out/deep"


@pytest.fixture
def storage(root: str) -> Storage:
    return open_storage(root, patience=HASTY)


def names(storage: Storage, prefix: str = "") -> list[str]:
    return [listed.name for listed in storage.list(prefix)]


@pytest.mark.parametrize("data", [b"", b"x", b"\0\xff" * 5_000, bytes(3_000_000)], ids=len)
def test_what_was_written_is_read(storage: Storage, data: bytes) -> None:
    storage.write("a/b/picture.png", data, content_type="image/png")
    assert storage.read("a/b/picture.png") == data


@pytest.mark.parametrize("size", [0, 1, BLOCK_BYTES, 2 * BLOCK_BYTES + 5])
def test_what_was_written_is_read_in_blocks_as_well(storage: Storage, size: int) -> None:
    data = random.Random(size).randbytes(size)
    storage.write("feed/list.csv", data)
    blocks = list(storage.blocks("feed/list.csv"))
    assert b"".join(blocks) == data
    assert all(len(block) <= BLOCK_BYTES for block in blocks)
    with pytest.raises(NotFound, match="nothing/here"):
        list(storage.blocks("nothing/here"))


@pytest.mark.parametrize("size", [0, 7, 10, 11, 20, 27])
def test_its_ends_are_its_beginning_and_its_end_and_no_byte_twice(storage: Storage, size: int) -> None:
    data = random.Random(size).randbytes(size)
    storage.write("a", data)
    assert storage.ends("a", 10) == (data if size <= 20 else data[:10] + data[-10:])
    with pytest.raises(NotFound, match="nothing/here"):
        storage.ends("nothing/here", 10)


def test_a_second_write_replaces_the_first_whole(storage: Storage) -> None:
    storage.write("a", b"long long long")
    storage.write("a", b"short")
    assert storage.read("a") == b"short"


def test_stat_tells_the_size_and_whether_it_was_replaced(storage: Storage) -> None:
    storage.write("a", b"first")
    first = storage.stat("a")
    assert first is not None
    assert first.size == 5
    assert storage.stat("a") == first
    storage.write("a", b"other")
    assert storage.stat("a") != first


def test_what_is_absent_has_no_stat_and_cannot_be_read(storage: Storage) -> None:
    assert storage.stat("nothing/here") is None
    with pytest.raises(NotFound, match="nothing/here"):
        storage.read("nothing/here")


def test_a_name_below_a_file_is_absent(storage: Storage) -> None:
    storage.write("a", b"file")
    assert storage.stat("a/b") is None
    with pytest.raises(NotFound, match="a/b"):
        storage.read("a/b")


def test_an_unused_root_is_an_empty_list(storage: Storage) -> None:
    assert names(storage) == []


def test_a_list_is_recursive_and_sorted_by_the_bytes_of_the_name(storage: Storage) -> None:
    expected = ["a-b/x", "a.b", "a/b", "a/c/d", "ab", "z", "é", "画"]
    for name in reversed(expected):
        storage.write(name, name.encode())
    assert names(storage) == expected
    assert [listed.stat for listed in storage.list()] == [storage.stat(name) for name in expected]


def test_a_prefix_is_the_beginning_of_the_name_not_a_folder(storage: Storage) -> None:
    for name in ["art/one.json", "art/one.png", "art/two.png", "artist.png", "b/art/one.png"]:
        storage.write(name, b"")
    assert names(storage, "art/one") == ["art/one.json", "art/one.png"]
    assert names(storage, "art") == ["art/one.json", "art/one.png", "art/two.png", "artist.png"]
    assert names(storage, "art/") == ["art/one.json", "art/one.png", "art/two.png"]
    assert names(storage, "nothing/") == []


def test_what_is_larger_than_wanted_is_told_apart_and_the_rest_is_read(storage: Storage) -> None:
    storage.write("a", b"12345")
    assert storage.read("a", at_most=5) == b"12345"
    with pytest.raises(Oversized, match="has 5 bytes"):
        storage.read("a", at_most=4)


def test_create_never_replaces(storage: Storage) -> None:
    assert storage.create("only", b"first") is True
    assert storage.create("only", b"second") is False
    assert storage.read("only") == b"first"
    storage.delete("only")
    assert storage.create("only", b"third") is True


def test_of_many_who_create_at_once_one_wins(storage: Storage) -> None:
    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(lambda n: storage.create("race", f"{n}".encode() * 1000), range(8)))
    assert won.count(True) == 1
    assert storage.read("race") == f"{won.index(True)}".encode() * 1000


def test_of_many_who_write_at_once_one_remains_whole(storage: Storage) -> None:
    texts = [f"{n}".encode() * 20_000 for n in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda text: storage.write("race", text), texts))
    assert storage.read("race") in texts
    assert names(storage) == ["race"]


def test_every_replacement_has_a_token_of_its_own(storage: Storage) -> None:
    tokens = []
    for number in range(3):
        storage.write("a", f"{number}".encode())
        stat = storage.stat("a")
        assert stat is not None
        tokens.append(stat.token)
    assert len(set(tokens)) == 3


def test_what_a_writer_changes_afterwards_is_not_stored(storage: Storage) -> None:
    data = bytearray(b"as it was")
    storage.write("a", data)  # type: ignore[arg-type]  # what some callers have
    data[:2] = b"??"
    assert storage.read("a") == b"as it was"


def test_deleting_twice_is_fine(storage: Storage) -> None:
    storage.write("a/b", b"x")
    storage.delete("a/b")
    storage.delete("a/b")
    storage.delete("never/was")
    assert names(storage) == []


@pytest.mark.parametrize(
    "name", ["", "/a", "../a", "a/../../b", "a/..", ".", "a/./b", "a/", "a\0b", "a\udcff", "\ud800"]
)
def test_a_name_that_could_leave_the_root_is_refused(storage: Storage, name: str) -> None:
    for use in (storage.read, storage.stat, storage.delete, storage.uri):
        with pytest.raises(Denied, match="not a name below"):
            use(name)
    for put in (storage.write, storage.create):
        with pytest.raises(Denied, match="not a name below"):
            put(name, b"x")


@pytest.mark.parametrize(
    "name", ["with space", "ünï/ço∂é 画.png", "100%25", "a+b&c=d?e#f;g", "~$x", "-rf", "'quote\"", "*?[x]"]
)
def test_awkward_names_come_back_as_they_were(storage: Storage, name: str) -> None:
    storage.write(name, name.encode())
    assert names(storage) == [name]
    assert storage.read(name) == name.encode()
    assert storage.stat(name) == next(storage.list()).stat
    assert read_uri(storage.uri(name), patience=HASTY) == name.encode()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=60))
def test_any_name_is_either_stored_under_itself_or_refused(storage: Storage, name: str) -> None:
    try:
        storage.write(name, b"here")
    except StorageError:
        return
    assert name in names(storage)
    storage.delete(name)


def test_a_single_object_is_reached_by_its_uri(storage: Storage) -> None:
    storage.write("folder/a.png", b"bytes")
    uri = storage.uri("folder/a.png")
    assert split_uri(uri)[1] == "a.png"
    assert open_storage(split_uri(uri)[0], patience=HASTY).read("a.png") == b"bytes"
    assert read_uri(uri, patience=HASTY) == b"bytes"
    assert stat_uri(uri, patience=HASTY) == storage.stat("folder/a.png")
    assert stat_uri(storage.uri("folder/b.png"), patience=HASTY) is None


def test_a_slash_after_the_root_makes_no_difference(storage: Storage, root: str) -> None:
    storage.write("a", b"x")
    assert names(open_storage(root + "/", patience=HASTY)) == ["a"]
    assert storage.root == root


def test_nothing_is_abandoned_after_orderly_writes(storage: Storage) -> None:
    storage.write("a", b"x")
    storage.create("b", b"x")
    assert storage.remove_abandoned() == 0
    assert names(storage) == ["a", "b"]


@pytest.mark.parametrize(
    ("uri", "problem"),
    [
        ("relative/path", "not an absolute path"),
        ("gs://bucket/a", "only local paths and s3://"),
        ("https://host/a", "only local paths and s3://"),
        ("/a\0b", "not an absolute path"),
        ("/a\udcff", "not an absolute path"),
        ("s3://bucket/\ud800", "expected s3://bucket/key"),
        ("s3://", "expected s3://bucket/key"),
        ("s3:///key", "expected s3://bucket/key"),
        ("s3://buck et/key", "expected s3://bucket/key"),
        ("s3://user:password@host/key", "expected s3://bucket/key"),
    ],
)
def test_a_place_that_is_none_of_ours_is_refused(uri: str, problem: str) -> None:
    for use in (open_storage, split_uri, read_uri, stat_uri):
        with pytest.raises(BatchError, match=problem):
            use(uri)


@pytest.mark.parametrize("uri", ["s3://bucket", "s3://bucket/", "s3://bucket/folder/", "/"])
def test_a_place_without_a_name_cannot_be_read(uri: str) -> None:
    with pytest.raises(Denied, match="not a name below"):
        read_uri(uri)


@pytest.mark.parametrize(
    ("uri", "parts"),
    [
        ("s3://bkt/k", ("s3://bkt", "k")),
        ("s3://bkt/x/y/k", ("s3://bkt/x/y", "k")),
        ("s3://bkt/x//k", ("s3://bkt/x//", "k")),
        ("s3://bkt//k", ("s3://bkt//", "k")),
        ("s3://bkt/x//y/k", ("s3://bkt/x//y", "k")),
        ("/nowhere/x/k", ("/nowhere/x", "k")),
    ],
)
def test_an_uri_splits_at_its_last_slash(uri: str, parts: tuple[str, str]) -> None:
    assert split_uri(uri) == parts
    assert open_storage(parts[0]).uri(parts[1]) == uri


def test_local_work_does_not_load_the_s3_client(tmp_path: Path) -> None:
    code = (
        "import sys, flows.storage.opening as s; s.open_storage(sys.argv[1]).write('a', b'x');"
        "heavy = {'boto3', 'botocore', 'prefect', 'torch'}; print(sorted(heavy & set(sys.modules)))"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def test_a_file_is_stored_whole_from_its_beginning_and_replaces_what_was_there(storage: Storage) -> None:
    storage.write("large.png", b"before")
    with tempfile.TemporaryFile() as file:
        file.write(bytes(range(256)) * 40_000)  # several blocks; the file stands at its end
        storage.write_file("large.png", file, content_type="image/png")
        storage.write_file("again.png", file)
    assert storage.read("large.png") == storage.read("again.png") == bytes(range(256)) * 40_000
    assert names(storage) == ["again.png", "large.png"]
