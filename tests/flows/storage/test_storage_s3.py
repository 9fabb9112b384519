"""What S3 storage does when the network, the store or the credentials fail, over real HTTP."""

from __future__ import annotations

import hashlib
import logging
import multiprocessing
import pickle
import socket
import tempfile
import uuid
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace

import pytest
from object_store import Fault, ObjectStore

from flows.errors import BucketUnusable, Denied, NotFound, StorageError, StorageFatal, StorageTransient
from flows.storage.base import BLOCK_BYTES, PATIENCE, Patience, Storage
from flows.storage.opening import open_storage, read_uri, split_uri
from flows.storage.s3_client import s3_client

# One request a round, so that every retry is ours and waits are short.
HASTY = Patience(attempts=1, rounds=4, wait_s=0.01, connect_timeout_s=2, read_timeout_s=20)
ONCE = Patience(attempts=1, rounds=1, connect_timeout_s=2, read_timeout_s=20)
# The client's own retries, as in production but fewer.
CLIENT = Patience(attempts=2, rounds=1, connect_timeout_s=2, read_timeout_s=20)
PASSING_GET: list[Fault] = [
    "slow_down", "hang", "drop", "cut_body", "short_body", "wrong_bytes", "web_page"
]  # fmt: skip
DATA = bytes(range(256)) * 200
MANY = bytes(range(256)) * (BLOCK_BYTES // 256)
SECRETS = ("secret-for-tests", "AKIDTESTTESTTESTTEST", "AWS4-HMAC", "Signature=")


def ready_for(fault: Fault, patience: Patience) -> Patience:
    """Impatient only where an answer never comes, so that a busy machine is not taken for a dead one."""
    return replace(patience, read_timeout_s=0.5) if fault == "hang" else patience


@pytest.fixture
def storage(object_store: ObjectStore) -> Storage:
    return open_storage(f"{object_store.root}/out", patience=HASTY)


def use_every_way(storage: Storage, name: str) -> list[StorageError]:
    """The errors of all that one can do with a name; everything has to fail."""
    caught: list[StorageError] = []
    for use in (
        lambda: storage.read(name),
        lambda: storage.stat(name),
        lambda: storage.write(name, DATA),
        lambda: storage.create(name, DATA),
        lambda: storage.delete(name),
        lambda: list(storage.list()),
    ):
        with pytest.raises(StorageError) as error:
            use()
        caught.append(error.value)
    return caught


@pytest.mark.parametrize(
    "fault", ["slow_down", "hang", "drop", "cut_body", "short_body", "wrong_bytes", "web_page"]
)
def test_a_read_that_fails_in_passing_is_repeated_until_the_bytes_are_right(
    object_store: ObjectStore, fault: Fault, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    storage = open_storage(f"{object_store.root}/out", patience=ready_for(fault, HASTY))
    storage.write("a.png", DATA)
    object_store.fail("GET", "out/a.png", fault, times=2)
    assert storage.read("a.png") == DATA
    assert object_store.count("GET", "out/a.png") == 3
    assert "round 1 of 4 failed" in caplog.text
    assert "round 2 of 4 failed" in caplog.text
    assert "s3://stylize-test/out/a.png: worked when asked again" in caplog.text


@pytest.mark.parametrize(
    "fault", ["slow_down", "hang", "drop", "cut_body", "short_body", "wrong_bytes", "web_page"]
)
def test_a_read_that_keeps_failing_ends_as_transient(object_store: ObjectStore, fault: Fault) -> None:
    storage = open_storage(f"{object_store.root}/out", patience=ready_for(fault, HASTY))
    storage.write("a.png", DATA)
    object_store.fail("GET", "out/a.png", fault)
    with pytest.raises(StorageTransient, match=r"s3://stylize-test/out/a\.png"):
        storage.read("a.png")
    assert object_store.count("GET", "out/a.png") == 4


@pytest.mark.parametrize("fault", ["cut_body", "short_body", "wrong_bytes", "web_page"])
def test_bytes_stored_by_another_tool_are_verified_as_well(object_store: ObjectStore, fault: Fault) -> None:
    object_store.put("photos/a.jpg", DATA)
    uri = f"{object_store.root}/photos/a.jpg"
    object_store.fail("GET", "photos/a.jpg", fault, times=1)
    assert read_uri(uri, patience=HASTY) == DATA
    object_store.fail("GET", "photos/a.jpg", fault)
    with pytest.raises(StorageTransient):
        read_uri(uri, patience=HASTY)


def test_what_the_store_encrypts_by_its_own_key_is_not_held_against_its_etag(
    object_store: ObjectStore,
) -> None:
    object_store.put("photos/a.jpg", DATA)
    object_store.fail("GET", "photos/a.jpg", "kms")
    assert read_uri(f"{object_store.root}/photos/a.jpg", patience=ONCE) == DATA


def test_objects_of_several_parts_are_read_whole(object_store: ObjectStore) -> None:
    client, part = object_store.client, bytes(5 * 1024 * 1024)
    place = {"Bucket": object_store.bucket, "Key": "big"}
    upload = client.create_multipart_upload(Bucket=object_store.bucket, Key="big")["UploadId"]
    parts = [
        client.upload_part(Bucket=object_store.bucket, Key="big", UploadId=upload, PartNumber=n, Body=body)
        for n, body in ((1, part), (2, b"end"))
    ]
    client.complete_multipart_upload(
        Bucket=place["Bucket"],
        Key=place["Key"],
        UploadId=upload,
        MultipartUpload={"Parts": [{"ETag": p["ETag"], "PartNumber": n} for n, p in enumerate(parts, 1)]},
    )
    assert read_uri(f"{object_store.root}/big", patience=ONCE) == part + b"end"


@pytest.mark.parametrize("fault", [one for one in PASSING_GET if one != "wrong_bytes"])
def test_of_an_object_read_in_blocks_only_the_block_that_failed_is_asked_for_again(
    object_store: ObjectStore, fault: Fault
) -> None:
    storage, data = open_storage(object_store.root, patience=ready_for(fault, HASTY)), MANY * 3
    object_store.put("feed.csv", data)
    blocks = storage.blocks("feed.csv")
    begun = next(blocks)
    object_store.fail("GET", "feed.csv", fault, times=2)
    assert begun + b"".join(blocks) == data
    assert object_store.count("GET", "feed.csv") == 3 + 2


@pytest.mark.parametrize("ours", [True, False])
def test_a_block_that_was_altered_is_noticed_at_the_end(object_store: ObjectStore, ours: bool) -> None:
    storage = open_storage(object_store.root, patience=ONCE)
    (storage.write if ours else object_store.put)("feed.csv", MANY * 2)
    object_store.fail("GET", "feed.csv", "wrong_bytes", times=1)
    blocks = storage.blocks("feed.csv")
    assert len(next(blocks)) == BLOCK_BYTES
    with pytest.raises(StorageTransient, match=r"feed\.csv: the .* digest differs; these are not the stored"):
        list(blocks)


@pytest.mark.parametrize("size", [BLOCK_BYTES * 3, 10])
def test_an_object_that_is_replaced_between_two_blocks_is_not_mixed(
    object_store: ObjectStore, size: int
) -> None:
    object_store.put("feed.csv", MANY * 3)
    blocks = open_storage(object_store.root, patience=ONCE).blocks("feed.csv")
    next(blocks)
    object_store.put("feed.csv", b"x" * size)
    with pytest.raises(StorageTransient, match="replaced while it was read; run again"):
        list(blocks)


@pytest.mark.parametrize("fault", ["slow_down", "hang", "drop", "drop_after"])
@pytest.mark.parametrize("patience", [HASTY, CLIENT], ids=["ours", "the client's"])
def test_a_write_that_fails_in_passing_is_repeated(
    object_store: ObjectStore, fault: Fault, patience: Patience
) -> None:
    storage = open_storage(f"{object_store.root}/out", patience=ready_for(fault, patience))
    object_store.fail("PUT", "out/a.png", fault, times=1)
    storage.write("a.png", DATA, content_type="image/png")
    assert object_store.get("out/a.png") == DATA
    assert object_store.count("PUT") == 2


def test_a_file_that_is_sent_again_is_sent_from_its_beginning(object_store: ObjectStore) -> None:
    storage = open_storage(f"{object_store.root}/out", patience=ready_for("drop", HASTY))
    object_store.fail("PUT", "out/a.png", "drop", times=1)
    with tempfile.TemporaryFile() as file:
        file.write(DATA)
        storage.write_file("a.png", file)
    assert object_store.get("out/a.png") == DATA
    assert object_store.count("PUT") == 2


@pytest.mark.parametrize("fault", ["garbled", "garbled_old"], ids=["sha256", "md5"])
def test_bytes_that_arrive_altered_are_refused_by_the_store_and_sent_again(
    object_store: ObjectStore, storage: Storage, fault: Fault
) -> None:
    for put in (storage.write, storage.create):
        object_store.fail("PUT", "out/a.png", fault, times=1)
        put("a.png", DATA)
        assert object_store.get("out/a.png") == DATA
        storage.delete("a.png")
    assert object_store.count("PUT") == 4


def test_the_page_of_a_proxy_is_not_taken_for_a_stored_object(
    object_store: ObjectStore, storage: Storage
) -> None:
    for put in (storage.write, storage.create):
        object_store.fail("PUT", "out/a.png", "web_page", times=1)
        put("a.png", DATA)
        assert object_store.get("out/a.png") == DATA
        storage.delete("a.png")
    object_store.fail("HEAD", "*", "web_page")
    with pytest.raises(StorageTransient, match="no proper answer"):
        storage.stat("a.png")


def test_the_clients_own_retries_are_logged_with_their_count(
    object_store: ObjectStore, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="flows")
    storage = open_storage(object_store.root, patience=CLIENT)
    object_store.fail("PUT", "a", "slow_down", times=1)
    storage.write("a", DATA)
    assert "attempt 1 of PutObject failed: HTTP 503" in caplog.text
    assert "stylize-test/a: worked when asked again" in caplog.text


def test_a_write_whose_answers_are_all_lost_counts_if_it_was_stored(object_store: ObjectStore) -> None:
    storage = open_storage(object_store.root, patience=ONCE)
    object_store.fail("PUT", "a", "drop_after")
    storage.write("a", DATA)
    assert object_store.get("a") == DATA


@pytest.mark.parametrize("patience", [HASTY, CLIENT, ONCE], ids=["ours", "the client's", "nobody's"])
def test_a_creation_whose_answer_was_lost_is_recognised_as_ours(
    object_store: ObjectStore, patience: Patience
) -> None:
    storage = open_storage(object_store.root, patience=patience)
    object_store.fail("PUT", "only", "drop_after", times=1)
    assert storage.create("only", b"mine") is True
    assert storage.create("only", b"mine") is False
    assert object_store.get("only") == b"mine"


@pytest.fixture
def old_store(object_store: ObjectStore) -> Storage:
    """A bucket that this process has never asked before, as it remembers which know no conditions."""
    bucket = f"old-{uuid.uuid4().hex}"
    object_store.client.create_bucket(Bucket=bucket)
    return open_storage(f"s3://{bucket}/out", patience=HASTY)


@pytest.mark.parametrize("fault", ["no_conditions", "condition_unknown"])
def test_a_store_that_knows_no_conditions_is_looked_at_first_and_that_is_said_once(
    object_store: ObjectStore, old_store: Storage, fault: Fault, caplog: pytest.LogCaptureFixture
) -> None:
    object_store.fail("PUT", "*", fault)
    assert old_store.create("first", b"mine") is True
    assert old_store.create("first", b"theirs") is False
    assert old_store.create("second", b"mine") is True
    assert [old_store.read(name) for name in ("first", "second")] == [b"mine", b"mine"]
    assert object_store.count("PUT") == 3, "once it is asked in vain, and then no more"
    assert caplog.text.count("does not know If-None-Match") == 1


@pytest.mark.parametrize("fault", ["no_conditions", "condition_unknown"])
def test_without_conditions_a_creation_whose_answer_was_lost_is_recognised_as_ours(
    object_store: ObjectStore, old_store: Storage, fault: Fault
) -> None:
    object_store.fail("PUT", "*", fault, times=1)
    object_store.fail("PUT", "*", "drop_after", times=1)
    object_store.fail("PUT", "*", fault)
    assert old_store.create("first", b"mine") is True
    assert old_store.create("first", b"mine") is False


def test_a_refusal_that_has_nothing_to_do_with_the_condition_is_none_of_a_store_without_any(
    object_store: ObjectStore, old_store: Storage, caplog: pytest.LogCaptureFixture
) -> None:
    object_store.fail("PUT", "*", "expired_token", times=1)
    with pytest.raises(StorageFatal, match="credentials"):
        old_store.create("first", b"mine")
    assert old_store.create("first", b"mine") is True
    assert "If-None-Match" not in caplog.text


def test_a_write_that_was_not_stored_fails(object_store: ObjectStore, storage: Storage) -> None:
    storage.write("a", b"old")
    object_store.fail("PUT", "out/a", "drop")
    for put in (storage.write, storage.create):
        with pytest.raises(StorageTransient, match="out/a"):
            put("a", b"new")
    assert object_store.get("out/a") == b"old"


def test_an_overloaded_store_ends_as_transient_for_every_use(
    object_store: ObjectStore, storage: Storage
) -> None:
    object_store.fail("*", "*", "slow_down")
    errors = use_every_way(storage, "a")
    assert {type(error) for error in errors} == {StorageTransient}
    assert "SlowDown" in str(errors[0])


def test_a_dead_endpoint_ends_as_transient(
    object_store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{unused.getsockname()[1]}")
        errors = use_every_way(open_storage(object_store.root, patience=HASTY), "a")
    assert {type(error) for error in errors} == {StorageTransient}
    assert "check the network" in str(errors[0])


@pytest.mark.parametrize("fault", ["expired_token", "bad_signature"])
def test_bad_credentials_are_fatal_at_the_first_answer(
    object_store: ObjectStore, storage: Storage, fault: Fault
) -> None:
    object_store.fail("*", "*", fault)
    with pytest.raises(StorageFatal, match="renew or provide them"):
        storage.read("a")
    assert len(object_store.hits) == 1
    assert {type(error) for error in use_every_way(storage, "a")} == {StorageFatal}


def test_credentials_that_expire_on_the_way_keep_what_was_stored(
    object_store: ObjectStore, storage: Storage
) -> None:
    storage.write("a", b"1")
    object_store.fail("*", "*", "expired_token")
    with pytest.raises(StorageFatal, match="finished pairs are kept"):
        storage.write("b", b"2")
    object_store.heal()
    assert [listed.name for listed in storage.list()] == ["a"]


def test_absent_credentials_are_fatal_and_nothing_is_asked(
    object_store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    errors = use_every_way(open_storage(object_store.root, patience=ONCE), "a")
    assert {type(error) for error in errors} == {StorageFatal}
    assert "NoCredentialsError" in str(errors[0])
    assert object_store.hits == []


def test_an_unknown_profile_is_fatal(object_store: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(StorageFatal, match="ProfileNotFound"):
        open_storage(object_store.root, patience=ONCE).read("a")


@pytest.mark.parametrize("url", ["nonsense", "http://", "http://ho st:80"])
def test_an_endpoint_that_is_no_url_is_fatal(
    object_store: ObjectStore, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", url)
    with pytest.raises(StorageFatal, match="AWS_ENDPOINT_URL_S3"):
        open_storage(object_store.root, patience=ONCE).read("a")


def test_one_denied_key_costs_one_object(object_store: ObjectStore, storage: Storage) -> None:
    storage.write("open", b"x")
    object_store.fail("*", "out/closed", "access_denied")
    for use in (storage.read, storage.stat, storage.delete):
        with pytest.raises(Denied, match="out/closed: AccessDenied; allow s3:GetObject"):
            use("closed")
    for put in (storage.write, storage.create):
        with pytest.raises(Denied, match="s3:PutObject"):
            put("closed", b"x")
    assert storage.read("open") == b"x"


@pytest.mark.parametrize("fault", ["access_denied", "not_allowed"])
@pytest.mark.parametrize("data", [DATA, b""], ids=["bytes", "empty"])
def test_whoever_may_get_but_not_head_reads_and_knows_the_version(
    object_store: ObjectStore, storage: Storage, fault: Fault, data: bytes
) -> None:
    storage.write("a", data)
    known = storage.stat("a")
    object_store.fail("HEAD", "*", fault)
    object_store.hits.clear()
    assert storage.stat("a") == known
    assert object_store.count("GET", "out/a") == (1 if data else 2), "an empty object has no first byte"
    assert storage.read("a") == data
    assert storage.stat("absent") is None


def test_a_creation_whose_answer_was_lost_is_recognised_without_head(
    object_store: ObjectStore, storage: Storage
) -> None:
    object_store.fail("HEAD", "*", "access_denied")
    object_store.fail("PUT", "out/only", "drop_after", times=1)
    assert storage.create("only", b"mine") is True
    assert storage.create("only", b"mine") is False


def test_a_bucket_that_may_not_be_listed_is_fatal(object_store: ObjectStore, storage: Storage) -> None:
    object_store.fail("LIST", "", "access_denied")
    with pytest.raises(StorageFatal, match="s3:ListBucket"):
        list(storage.list())


def test_a_missing_bucket_is_fatal_for_every_use(object_store: ObjectStore) -> None:
    errors = use_every_way(open_storage("s3://no-such-bucket-here/out", patience=ONCE), "a")
    assert {type(error) for error in errors} == {BucketUnusable}
    assert all(error.fatal for error in errors)
    assert all("the bucket does not exist" in str(error) for error in errors)


def test_whether_the_bucket_exists_is_asked_once(object_store: ObjectStore, storage: Storage) -> None:
    assert [storage.stat(name) for name in "abcde"] == [None] * 5
    assert object_store.count("GET", "*") == 1


def test_an_object_may_be_absent_from_a_bucket_that_may_not_be_listed(
    object_store: ObjectStore, storage: Storage
) -> None:
    object_store.fail("LIST", "", "access_denied")
    assert storage.stat("a") is None


def test_a_missing_key_is_asked_for_once(object_store: ObjectStore, storage: Storage) -> None:
    with pytest.raises(NotFound, match="s3://stylize-test/out/a does not exist"):
        storage.read("a")
    assert len(object_store.hits) == 1


def test_an_archived_object_costs_one_pair(object_store: ObjectStore, storage: Storage) -> None:
    object_store.fail("GET", "*", "archived")
    with pytest.raises(Denied, match="archived, restore it first"):
        storage.read("a")


def test_a_store_that_redirects_everything_ends_the_run(object_store: ObjectStore) -> None:
    object_store.fail("*", "*", "moved")
    errors = use_every_way(open_storage(object_store.root, patience=ONCE), "a")
    assert {type(error) for error in errors} == {BucketUnusable}
    assert all(error.fatal for error in errors)
    assert all("another region or address" in str(error) for error in errors)


def test_a_full_store_ends_the_run(object_store: ObjectStore, storage: Storage) -> None:
    object_store.fail("PUT", "*", "full")
    with pytest.raises(StorageFatal, match="the store is full"):
        storage.write("a", b"x")


@pytest.mark.parametrize("fault", ["expired_token", "bad_signature", "access_denied", "chatty"])
def test_no_text_or_log_line_holds_a_secret(
    object_store: ObjectStore, storage: Storage, fault: Fault, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    object_store.fail("*", "*", fault)
    texts = [str(error) for error in use_every_way(storage, "a")] + [caplog.text]
    assert not [secret for secret in SECRETS for text in texts if secret in text]
    assert all("s3://stylize-test/out" in text for text in texts[:-1])


def test_errors_survive_the_way_between_processes(object_store: ObjectStore, storage: Storage) -> None:
    object_store.fail("*", "*", "access_denied")
    for error in use_every_way(storage, "a"):
        copy = pickle.loads(pickle.dumps(error))
        assert (type(copy), str(copy)) == (type(error), str(error))


def test_a_list_of_more_than_a_page_is_complete_though_pages_fail(
    object_store: ObjectStore, storage: Storage
) -> None:
    names = [f"n{number:04}" for number in range(1205)]
    object_store.put_many(f"out/{name}" for name in names)
    listing = storage.list()
    assert next(listing).name == "n0000"
    object_store.fail("LIST", "", "slow_down", times=2)
    assert [listed.name for listed in listing] == names[1:]
    object_store.fail("LIST", "", "web_page", times=1)
    assert len(list(storage.list("n11"))) == 100


def test_folder_markers_of_other_tools_are_not_listed(object_store: ObjectStore, storage: Storage) -> None:
    for key in ("out/", "out/folder/", "out/folder/a"):
        object_store.put(key, b"")
    assert [listed.name for listed in storage.list()] == ["folder/a"]


def test_keys_with_empty_parts_are_reached(object_store: ObjectStore) -> None:
    for key in ("a//b", "a/b", "/b", "a///b"):
        object_store.put(key, key.encode())
        uri = f"{object_store.root}/{key}"
        assert read_uri(uri, patience=ONCE) == key.encode()
        root, name = split_uri(uri)
        assert open_storage(open_storage(root).root).uri(name) == uri


def test_an_object_tells_its_type_and_digest(object_store: ObjectStore, storage: Storage) -> None:
    storage.write("a.png", DATA, content_type="image/png")
    head = object_store.client.head_object(Bucket=object_store.bucket, Key="out/a.png")
    assert head["ContentType"] == "image/png"
    assert head["Metadata"]["stylize-sha256"] == hashlib.sha256(DATA).hexdigest()


def test_a_stale_listing_does_not_hide_an_object_from_read_and_stat(
    object_store: ObjectStore, storage: Storage
) -> None:
    storage.write("a", b"x")
    object_store.fail("LIST", "", "web_page")
    assert storage.read("a") == b"x"
    assert storage.stat("a") is not None


def _read(uri: str) -> bytes:
    return read_uri(uri, patience=ONCE)


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_child_process_reads_with_a_client_of_its_own(object_store: ObjectStore, method: str) -> None:
    object_store.put("a", DATA)
    uri = f"{object_store.root}/a"
    assert _read(uri) == DATA
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context(method)) as pool:
        assert pool.submit(_read, uri).result(timeout=60) == DATA
    assert _read(uri) == DATA


def test_there_is_one_client_for_a_process_and_environment(
    object_store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = s3_client(PATIENCE)
    assert s3_client(PATIENCE) is first
    monkeypatch.setenv("AWS_SESSION_TOKEN", "renewed")
    assert s3_client(PATIENCE) is not first


def test_opening_contacts_nobody(object_store: ObjectStore) -> None:
    open_storage(f"{object_store.root}/out")
    assert object_store.hits == []
