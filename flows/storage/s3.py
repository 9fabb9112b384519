"""A bucket, or a prefix in one, as storage. Any S3-compatible store will do, best with `If-None-Match`.

Credentials and endpoint come from the AWS default chain alone (AWS_ENDPOINT_URL_S3, AWS_PROFILE, roles, ...).
Reads are verified against every digest that the store gives; writes are one PUT of complete bytes that the
store verifies. The SHA-256 of the bytes and a token of the writer go into the metadata, so that a PUT whose
answer was lost is recognised as our own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, BinaryIO, TypeVar

import urllib3
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from flows.errors import CredentialsAway, NotFound, StorageTransient
from flows.storage.access import access_of
from flows.storage.base import BINARY, BLOCK_BYTES, Closed, Listed, Patience, Stat, checked_name
from flows.storage.conditions import knows_conditions, note_unaware
from flows.storage.errors import code_and_status, from_s3, is_about_expiry, is_about_the_request
from flows.storage.location import Location
from flows.storage.retry import retry_call
from flows.storage.s3_client import forget_clients, s3_client
from flows.storage.s3_proof import OWNER_KEY, Proof, body_of, etag_of, put_request, rewind, whole_size

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import (
        GetObjectOutputTypeDef,
        ListObjectsV2OutputTypeDef,
        ListObjectsV2RequestTypeDef,
        PutObjectRequestTypeDef,
    )

# boto3 raises ValueError for an endpoint that is no URL.
_FAILURES = (BotoCoreError, ClientError, ResponseParserError, urllib3.exceptions.HTTPError, ValueError)
# Whoever may GET an object may not always HEAD it: gateways and some policies tell the methods apart.
_HEAD_REFUSED = (400, 401, 403, 405, 501)
_T = TypeVar("_T")


# Why so many: the protocol of a storage, and each request that it takes with what verifies it.
class S3Storage:
    """Objects whose keys start with a prefix, which is empty or ends in a slash."""

    def __init__(self, location: Location, *, patience: Patience) -> None:
        self._location, self._patience = location, patience
        self._bucket, self._prefix = location.bucket, location.prefix
        self._bucket_exists = False

    @property
    def root(self) -> str:
        """The `s3://` URI, as `open_storage` takes it."""
        return self._location.root

    def uri(self, name: str) -> str:
        """The `s3://` URI of `name`."""
        return f"s3://{self._bucket}/{self._key(name)}"

    def read(self, name: str, *, at_most: int | None = None) -> bytes:
        """All bytes, verified; a cut or altered body is fetched again before this gives up."""
        try:
            return self._repeated(name, lambda: self._fetch(name, at_most))
        except NotFound:
            self._bucket_exists = True
            raise

    def blocks(self, name: str) -> Iterator[bytes]:
        """The bytes by a request for each block, which is repeated alone; verified as a whole at the end."""
        found = first = self._repeated(name, partial(self._span, name, 0))
        if first is None:
            return
        proof, size = Proof(first[0], self._bucket), whole_size(first[0])
        while found is not None and etag_of(found[0]) == etag_of(first[0]):
            proof.add(found[1])
            yield found[1]
            if proof.size >= size:
                self._require_no(proof.mismatch(size), name)
                return
            found = self._repeated(name, partial(self._span, name, proof.size))
        raise StorageTransient(f"{self.uri(name)} was replaced while it was read; run again")

    def ends(self, name: str, each: int) -> bytes:
        """The beginning, and the end by a request of its own."""
        first = self._repeated(name, partial(self._span, name, 0, each))
        if first is None:
            return b""
        answer, data = first
        if (size := whole_size(answer)) > len(data):
            rest = self._repeated(name, partial(self._span, name, max(each, size - each), each))
            data += rest[1] if rest else b""
        return data

    def stat(self, name: str) -> Stat | None:
        """Size and ETag, None if there is no such object in an existing bucket."""
        try:
            return self._repeated(name, lambda: self._head(name)[0])
        except NotFound:
            self._require_bucket(name)
            return None

    def list(self, prefix: str = "", *, closed: Closed | None = None) -> Iterator[Listed]:
        """Objects whose name starts with `prefix`, in byte order; folder markers are left out."""
        token: str | None = None
        while True:
            found, token = self._page(prefix, token)
            yield from found
            if token is None:
                return

    def write(self, name: str, data: bytes, *, content_type: str = BINARY) -> None:
        """Store or replace `name` by one PUT; a PUT that was stored although its answer was lost counts."""
        self._put(name, put_request(self._bucket, self._key(name), data, content_type))

    def write_file(self, name: str, file: BinaryIO, *, content_type: str = BINARY) -> None:
        """The same with all that an open file holds."""
        self._put(name, put_request(self._bucket, self._key(name), file, content_type))

    def create(self, name: str, data: bytes, *, content_type: str = BINARY) -> bool:
        """Store `name` unless it exists, by a conditional PUT; our own object counts as stored by us."""
        request = put_request(self._bucket, self._key(name), data, content_type)
        return self._put(name, {**request, "IfNoneMatch": "*"})

    def delete(self, name: str) -> None:
        """Remove the object if it is there."""
        self._repeated(name, lambda: self._client().delete_object(Bucket=self._bucket, Key=self._key(name)))

    def remove_abandoned(self) -> int:
        """Nothing to do: one PUT leaves nothing behind."""
        return 0

    def _key(self, name: str) -> str:
        return self._prefix + checked_name(name, root=self.root)

    def _endpoint(self) -> str:
        """The service that is asked; empty where the client cannot be made."""
        try:
            return self._client().meta.endpoint_url
        except _FAILURES:
            return ""

    def _client(self) -> S3Client:
        return s3_client(self._patience, access_of(self._bucket))

    def _fetch(self, name: str, at_most: int | None) -> bytes:
        answer = self._client().get_object(Bucket=self._bucket, Key=self._key(name), ChecksumMode="ENABLED")
        data = body_of(answer, at_most=at_most, place=self.uri(name))
        proof = Proof(answer, self._bucket)
        proof.add(data)
        self._require_no(proof.mismatch(answer["ContentLength"]), name)
        return data

    def _span(
        self, name: str, start: int, length: int = BLOCK_BYTES
    ) -> tuple[GetObjectOutputTypeDef, bytes] | None:
        """The answer about the bytes from `start` on, and they themselves; None if there are none."""
        span = f"bytes={start}-{start + length - 1}"
        try:
            answer = self._client().get_object(Bucket=self._bucket, Key=self._key(name), Range=span)
        except ClientError as error:
            if code_and_status(error)[1] != 416:
                raise
            return None
        data = body_of(answer)
        etag_of(answer)  # the page of a proxy has none
        told = answer.get("ContentRange", f"bytes 0-{len(data) - 1}/{len(data)}")
        if not told.startswith(f"bytes {start}-{start + len(data) - 1}/"):
            raise ResponseParserError("not the bytes that were asked for")
        return answer, data

    def _require_no(self, mismatch: str, name: str) -> None:
        if mismatch:
            raise StorageTransient(f"{self.uri(name)}: {mismatch}; these are not the stored bytes, run again")

    def _head(self, name: str) -> tuple[Stat, str]:
        """Size and token, and the token of the writer if it was one of us."""
        try:
            answer = self._client().head_object(Bucket=self._bucket, Key=self._key(name))
        except ClientError as error:
            if code_and_status(error)[1] not in _HEAD_REFUSED:
                raise
            return self._head_by_get(name)
        return Stat(answer["ContentLength"], etag_of(answer)), answer["Metadata"].get(OWNER_KEY, "")

    def _head_by_get(self, name: str) -> tuple[Stat, str]:
        """What a HEAD would tell; some may only GET, and a refusal of that tells expired from denied."""
        client, key = self._client(), self._key(name)
        try:
            answer = client.get_object(Bucket=self._bucket, Key=key, Range="bytes=0-0")
        except ClientError as error:
            if code_and_status(error)[1] != 416:  # an empty object has no first byte
                raise
            answer = client.get_object(Bucket=self._bucket, Key=key)
        answer["Body"].close()
        return Stat(whole_size(answer), etag_of(answer)), answer["Metadata"].get(OWNER_KEY, "")

    def _require_bucket(self, name: str) -> None:
        """Raise `StorageFatal` if the bucket is missing; only the answer to a GET can tell. Asked once."""
        if not self._bucket_exists:
            with suppress(NotFound):
                self._repeated(name, lambda: self._head_by_get(name))
            self._bucket_exists = True

    def _page(self, prefix: str, token: str | None = None) -> tuple[tuple[Listed, ...], str | None]:
        """One page of a listing, and what to ask the next one with; None after the last."""
        request: ListObjectsV2RequestTypeDef = {"Bucket": self._bucket, "Prefix": self._prefix + prefix}
        if token is not None:
            request["ContinuationToken"] = token

        def ask() -> ListObjectsV2OutputTypeDef:
            answer = self._client().list_objects_v2(**request)
            if answer.get("IsTruncated") is not ("NextContinuationToken" in answer):
                raise ResponseParserError("not a complete listing")
            return answer

        answer = self._repeated("", ask)
        start = len(self._prefix)
        found = tuple(
            Listed(item["Key"][start:], Stat(item["Size"], etag_of(item)))
            for item in answer.get("Contents", ())
            if not item["Key"].endswith("/")
        )
        return found, answer.get("NextContinuationToken")

    def _put(self, name: str, request: PutObjectRequestTypeDef) -> bool:
        """Whether the stored object is now that of this request; False only for a conditional PUT."""
        owner = request["Metadata"][OWNER_KEY]

        def attempt() -> bool:
            rewind(request["Body"])
            if "IfNoneMatch" in request and not knows_conditions(self._endpoint(), self._bucket):
                return self._put_if_absent(name, request)
            try:
                etag_of(self._client().put_object(**request))
            except ClientError as error:
                if "IfNoneMatch" in request and is_about_the_request(error):
                    return self._put_if_absent(name, request)
                if code_and_status(error)[1] != 412:
                    raise
                # The client repeats a PUT whose answer was lost, and then meets its own object.
                return self._owner(name) == owner
            return True

        try:
            return self._repeated(name, attempt)
        except StorageTransient:
            if not self._is_ours(name, owner):
                raise
            return True

    def _put_if_absent(self, name: str, request: PutObjectRequestTypeDef) -> bool:
        """A conditional PUT for a store that does not know them: a look, then a plain one."""
        try:
            return self._head(name)[1] == request["Metadata"][OWNER_KEY]
        except ClientError as error:
            if code_and_status(error)[1] != 404:
                raise
        plain = request.copy()
        del plain["IfNoneMatch"]
        etag_of(self._client().put_object(**plain))
        note_unaware(self._endpoint(), self._bucket)
        return True

    def _is_ours(self, name: str, owner: str) -> bool:
        try:
            return self._owner(name) == owner
        except _FAILURES:
            return False

    def _owner(self, name: str) -> str:
        """The token of the writer of the stored object; empty if there is none, or another tool's."""
        try:
            return self._head(name)[1]
        except ClientError as error:
            if code_and_status(error)[1] == 404:
                return ""
            raise

    def _repeated(self, name: str, call: Callable[[], _T]) -> _T:
        """What `call` returns, repeated while it fails in a passing way; an empty name means the root."""
        asked = self.uri(name) if name else self.root

        def explained() -> _T:
            try:
                return call()
            except (*_FAILURES, RuntimeError) as error:
                if isinstance(error, RuntimeError) and not is_about_expiry(error):
                    raise
                what = from_s3(error, asked, endpoint=self._endpoint(), of_root=not name)
                if isinstance(what, CredentialsAway):
                    forget_clients()
                raise what from error

        return retry_call(explained, what=asked, patience=self._patience)
