"""What only a real S3 service shows: signatures, paging, races between connections. See CONTRIBUTING.md."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import boto3
import pytest
from small_batch import manifest, small_batch, stylize, tree

from flows.errors import AlreadyRunning, NotFound, StorageFatal
from flows.storage.base import Patience, Storage
from flows.storage.lock import hold_output
from flows.storage.opening import open_storage

HASTY = Patience(attempts=2, rounds=1, wait_s=0.1)
VARIABLES = {
    "AWS_ENDPOINT_URL_S3": "STYLIZE_TEST_S3_ENDPOINT",
    "AWS_ACCESS_KEY_ID": "STYLIZE_TEST_S3_KEY",
    "AWS_SECRET_ACCESS_KEY": "STYLIZE_TEST_S3_SECRET",
}

pytestmark = pytest.mark.skipif(
    not all(name in os.environ for name in VARIABLES.values()),
    reason="no real S3 service is named; `make test-real-s3` starts one",
)


@pytest.fixture(autouse=True)
def _credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, ours in VARIABLES.items():
        monkeypatch.setenv(name, os.environ[ours])
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def bucket() -> Iterator[str]:
    name = f"stylize-test-{uuid.uuid4().hex}"
    made = boto3.session.Session().resource("s3").create_bucket(Bucket=name)
    yield name
    made.objects.all().delete()
    made.delete()


@pytest.fixture
def storage(bucket: str) -> Storage:
    return open_storage(f"s3://{bucket}/out", patience=HASTY)


def test_a_large_picture_comes_back_whole_and_a_second_one_replaces_it(storage: Storage) -> None:
    for data in (os.urandom(20_000_000), os.urandom(1_000)):
        storage.write("a picture.png", data, content_type="image/png")
        assert storage.read("a picture.png") == data


@pytest.mark.parametrize("name", ["ünï/ço∂é 画.png", "100%25", "a+b&c=d?e#f;g", "~$x", "'quote\"", "*?[x]"])
def test_an_awkward_name_survives_the_signature(storage: Storage, name: str) -> None:
    storage.write(name, b"here")
    assert [listed.name for listed in storage.list()] == [name]
    assert storage.read(name) == b"here"
    assert storage.stat(name) == next(storage.list()).stat


def test_a_list_goes_on_after_the_first_thousand(storage: Storage) -> None:
    expected = [f"{number:05d}.json" for number in range(1_100)]
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda name: storage.write(name, b"{}"), expected))
    assert [listed.name for listed in storage.list()] == expected


def test_of_many_who_create_at_once_one_wins(storage: Storage) -> None:
    for attempt in range(10):
        with ThreadPoolExecutor(8) as pool:
            won = list(pool.map(lambda n, name=f"race{attempt}": storage.create(name, b"%d" % n), range(8)))
        assert won.count(True) == 1
        assert storage.read(f"race{attempt}") == b"%d" % won.index(True)


def test_an_output_is_held_by_one_run_at_a_time(storage: Storage) -> None:
    with hold_output(storage), pytest.raises(AlreadyRunning), hold_output(storage):
        pass
    with hold_output(storage):
        pass


def test_what_is_absent_is_told_from_a_bucket_that_is_absent(storage: Storage) -> None:
    assert storage.stat("nothing") is None
    with pytest.raises(NotFound):
        storage.read("nothing")
    with pytest.raises(StorageFatal, match="bucket"):
        open_storage(f"s3://absent-{uuid.uuid4().hex}", patience=HASTY).read("nothing")


def test_a_wrong_secret_ends_the_run(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    storage.write("a", b"x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    with pytest.raises(StorageFatal):
        storage.read("a")


@pytest.mark.slow
def test_a_manifest_from_bucket_to_bucket_gives_the_pictures_of_a_local_run(
    bucket: str, tmp_path: Path
) -> None:
    assert stylize("run", small_batch(tmp_path), "--device", "cpu").returncode == 0
    client = boto3.session.Session().client("s3")
    for path in [*(tmp_path / "photos").iterdir(), *(tmp_path / "paintings").iterdir()]:
        client.put_object(Bucket=bucket, Key=f"in/{path.parent.name}/{path.name}", Body=path.read_bytes())
    entries = f"contents: ['s3://{bucket}/in/photos/*']\nstyles: ['s3://{bucket}/in/paintings/*']"
    path = manifest(tmp_path, entries, output=f"s3://{bucket}/made")
    done = stylize("run", path, "--device", "cpu")
    assert done.returncode == 0, done.stderr
    again = stylize("run", path, "--device", "cpu")
    assert "4 of 4 done (0 now, 4 before)" in again.stdout
    pictures = {name: data for name, data in tree(tmp_path / "out").items() if name.endswith(".png")}
    made = open_storage(f"s3://{bucket}/made")
    assert {name: made.read(name) for name in pictures} == pictures
    assert len(pictures) == 4
