"""What proves the bytes of an S3 object: what a PUT promises of them, and what an answer tells of them."""

from __future__ import annotations

import base64
import hashlib
import io
import secrets
from collections.abc import Mapping
from contextlib import closing
from typing import TYPE_CHECKING, BinaryIO

from botocore.parsers import ResponseParserError

from flows.storage.base import BLOCK_BYTES, check_size

if TYPE_CHECKING:
    from mypy_boto3_s3.type_defs import GetObjectOutputTypeDef, PutObjectRequestTypeDef

DIGEST_KEY = "stylize-sha256"
"""Where the metadata of an object of ours tell the SHA-256 of its bytes."""
OWNER_KEY = "stylize-owner"
"""Where they tell which of all PUTs stored it."""


class Proof:
    """Takes the bytes of an object as they come, and knows at their end whether they are the stored ones.

    Args:
        answer: to the first request for them.
        bucket: where the object lies.
    """

    def __init__(self, answer: GetObjectOutputTypeDef, bucket: str) -> None:
        self.size = 0
        self._digest, self._expected, self._kind = md5(), "", "MD5"
        if (told := answer["Metadata"].get(DIGEST_KEY)) is not None:
            self._digest, self._expected, self._kind = hashlib.sha256(), told, "SHA-256"
        elif _is_md5(etag_of(answer), answer, bucket):
            self._expected = etag_of(answer)

    def add(self, data: bytes) -> None:
        """The next bytes."""
        self.size += len(data)
        if self._expected:
            self._digest.update(data)

    def mismatch(self, size: int) -> str:
        """What is wrong with the bytes of an object that has so many; empty if nothing.

        An S3 checksum, where there is one, was already verified by the client while it read.
        """
        if self.size != size:
            return f"{self.size} bytes came instead of {size}"
        if self._expected and self._digest.hexdigest() != self._expected:
            return f"the {self._kind} digest differs"
        return ""


def body_of(answer: GetObjectOutputTypeDef, *, at_most: int | None = None, place: str = "") -> bytes:
    """The bytes that were sent; `Oversized`, unread, if there are more than `at_most`."""
    with closing(answer["Body"]) as body:
        check_size(answer["ContentLength"], at_most, place=place)
        return body.read()


def whole_size(answer: GetObjectOutputTypeDef) -> int:
    """How many bytes the object has of which all or some were sent."""
    return int(answer.get("ContentRange", "").rpartition("/")[2] or answer["ContentLength"])


def etag_of(answer: Mapping[str, object]) -> str:
    """The ETag, which every S3 answer about an object has; the page of some proxy on the way has none."""
    tag = answer.get("ETag")
    if not isinstance(tag, str) or not tag:
        raise ResponseParserError("not an answer of an S3 store")
    return tag.strip('"')


def md5(data: bytes = b"") -> hashlib._Hash:
    """The digest that S3 knows of old."""
    return hashlib.md5(data, usedforsecurity=False)


def put_request(bucket: str, key: str, data: bytes | BinaryIO, content_type: str) -> PutObjectRequestTypeDef:
    """One PUT with both digests: current stores verify SHA-256, older ones (Ceph) only Content-MD5."""
    sha256, of_old = _digests(data)
    return {
        "Bucket": bucket,
        "Key": key,
        "Body": data,
        "ContentType": content_type,
        "ContentMD5": base64.b64encode(of_old).decode(),
        "ChecksumSHA256": base64.b64encode(sha256).decode(),
        "Metadata": {DIGEST_KEY: sha256.hex(), OWNER_KEY: secrets.token_hex(16)},
    }


def _digests(data: bytes | BinaryIO) -> tuple[bytes, bytes]:
    """SHA-256 and MD5 of bytes, or of all that an open file holds."""
    if isinstance(data, bytes | bytearray):
        return hashlib.sha256(data).digest(), md5(data).digest()
    sha256, of_old = hashlib.sha256(), md5()
    data.seek(0)
    while block := data.read(BLOCK_BYTES):
        sha256.update(block)
        of_old.update(block)
    return sha256.digest(), of_old.digest()


def rewind(body: object) -> None:
    """Let a file be sent from its beginning, however much of it was sent before; bytes need nothing."""
    if isinstance(body, io.IOBase):
        body.seek(0)


def _is_md5(etag: str, answer: GetObjectOutputTypeDef, bucket: str) -> bool:
    """Whether the ETag is the MD5 of the bytes: not for multipart, KMS encryption or directory buckets."""
    encrypted = "SSECustomerAlgorithm" in answer or answer.get("ServerSideEncryption", "AES256") != "AES256"
    return len(etag) == 32 and not encrypted and not bucket.endswith("--x-s3")
