"""Buckets that want more than a name: public ones, those whose readers pay, those that want encryption."""

from __future__ import annotations

import pytest
from object_store import ObjectStore

from flows.errors import Denied, StorageError, StorageFatal
from flows.storage.access import BucketAccess, use_access
from flows.storage.base import Patience, Storage
from flows.storage.opening import open_storage

ONCE = Patience(attempts=1, rounds=1, connect_timeout_s=5, read_timeout_s=20)
DATA = b"pixels" * 100


@pytest.fixture
def storage(object_store: ObjectStore) -> Storage:
    client, bucket = object_store.client, object_store.bucket
    client.put_object(Bucket=bucket, Key="out/there", Body=DATA, ACL="public-read")
    return open_storage(f"{object_store.root}/out", patience=ONCE)


def want(store: ObjectStore, access: BucketAccess) -> None:
    use_access({store.bucket: access})


def no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")


def use_every_way(storage: Storage) -> None:
    """Everything that a run does with a bucket."""
    assert storage.read("there") == DATA
    assert storage.stat("there") is not None
    assert storage.stat("absent") is None
    storage.write("new", b"1")
    assert storage.create("once", b"2") is True
    assert storage.create("once", b"3") is False
    assert [listed.name for listed in storage.list()] == ["new", "once", "there"]
    storage.delete("new")


def test_a_public_bucket_is_read_without_credentials(
    object_store: ObjectStore, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    no_credentials(monkeypatch)
    object_store.fail("*", "*", "no_signature_wanted")
    want(object_store, BucketAccess(unsigned=True))
    assert storage.read("there") == DATA
    assert storage.stat("there") is not None
    assert [listed.name for listed in storage.list()] == ["there"]


def test_a_public_bucket_is_not_told_the_credentials_that_there_are(
    object_store: ObjectStore, storage: Storage
) -> None:
    object_store.fail("*", "*", "no_signature_wanted")
    with pytest.raises(Denied):
        storage.read("there")
    want(object_store, BucketAccess(unsigned=True))
    assert storage.read("there") == DATA


def test_other_buckets_are_asked_with_a_signature_all_the_same(
    object_store: ObjectStore, storage: Storage
) -> None:
    object_store.fail("*", "*", "no_signature_wanted")
    use_access({"another": BucketAccess(unsigned=True)})
    with pytest.raises(Denied):
        storage.read("there")


def test_absent_credentials_are_told_with_the_remedy_for_public_buckets(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    no_credentials(monkeypatch)
    with pytest.raises(StorageFatal) as caught:
        storage.read("there")
    assert "NoCredentialsError" in str(caught.value)
    assert "public bucket say `s3: {stylize-test: {unsigned: true}}` in the manifest" in str(caught.value)


def test_a_bucket_whose_readers_pay_is_told_so_with_every_request(
    object_store: ObjectStore, storage: Storage
) -> None:
    for method in ("GET", "HEAD", "PUT", "LIST", "DELETE"):
        object_store.fail(method, "*", "payer_wanted")
    want(object_store, BucketAccess(requester_pays=True))
    use_every_way(storage)


def test_a_refusal_says_that_the_readers_may_have_to_pay(object_store: ObjectStore, storage: Storage) -> None:
    object_store.fail("*", "*", "payer_wanted")
    for use in (lambda: storage.read("there"), lambda: list(storage.list())):
        with pytest.raises(StorageError, match="under `s3: stylize-test:` in the manifest, `requester_pays`"):
            use()


@pytest.mark.parametrize(
    ("access", "algorithm", "key"),
    [
        (BucketAccess(encryption="AES256"), "AES256", None),
        (BucketAccess(encryption="aws:kms"), "aws:kms", None),
        (BucketAccess(encryption="aws:kms", kms_key="our-key"), "aws:kms", "our-key"),
    ],
    ids=["AES256", "aws:kms", "aws:kms with a key"],
)
def test_a_bucket_that_wants_encryption_is_told_how_with_every_write(
    object_store: ObjectStore, storage: Storage, access: BucketAccess, algorithm: str, key: str | None
) -> None:
    object_store.fail("PUT", "*", "encryption_wanted")
    want(object_store, access)
    use_every_way(storage)
    head = object_store.client.head_object(Bucket=object_store.bucket, Key="out/once")
    assert head["ServerSideEncryption"] == algorithm
    assert head.get("SSEKMSKeyId") == key
    assert storage.read("once") == b"2"


def test_a_write_that_is_refused_says_that_encryption_may_be_wanted(
    object_store: ObjectStore, storage: Storage
) -> None:
    object_store.fail("PUT", "*", "encryption_wanted")
    for put in (storage.write, storage.create):
        with pytest.raises(
            Denied, match=r"set, under `s3: stylize-test:` .*`encryption` if it takes nothing"
        ):
            put("new", b"1")


def test_a_refusal_advises_nothing_that_is_set_already(object_store: ObjectStore, storage: Storage) -> None:
    object_store.fail("*", "*", "access_denied")
    want(object_store, BucketAccess(requester_pays=True, encryption="AES256"))
    with pytest.raises(Denied) as caught:
        storage.write("new", b"1")
    assert "in the manifest" not in str(caught.value)
