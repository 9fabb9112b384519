"""How buckets are asked that want more than a name: without credentials, at the reader's cost, encrypted.

As the AWS environment, it holds for the whole process: what the manifest in hand says replaces what another
said before, and worker processes get it at their start. It belongs to no identity. So does what is known of
the credentials that others are asked with: whether there were any.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

Encryption = Literal["AES256", "aws:kms", "aws:kms:dsse"]
ENCRYPTIONS: tuple[str, ...] = get_args(Encryption)


@dataclass(frozen=True, slots=True)
class BucketAccess:
    """What one bucket wants.

    Attributes:
        unsigned: requests go without a signature, so no credentials are needed.
        requester_pays: whoever asks pays for the requests and the traffic, and says so.
        encryption: how the store is to encrypt what is written; empty for its own choice.
        kms_key: which of the store's keys it takes for that; empty for its default one.
    """

    unsigned: bool = False
    requester_pays: bool = False
    encryption: str = ""
    kms_key: str = ""

    def parameters(self) -> dict[str, str]:
        """What requests say of it; each takes those that it has a place for."""
        return {
            name: value
            for name, value in (
                ("RequestPayer", "requester" if self.requester_pays else ""),
                ("ServerSideEncryption", self.encryption),
                ("SSEKMSKeyId", self.kms_key),
            )
            if value
        }


Access = Mapping[str, BucketAccess]
"""By bucket; those that are not named want nothing."""

PLAIN = BucketAccess()
_current: Access = {}
_worked: set[tuple[tuple[str, str], ...]] = set()


def use_access(access: Access) -> None:
    """From now on, ask buckets so in this process."""
    global _current
    _current = access


def current_access() -> Access:
    """What `use_access` set last."""
    return _current


def access_of(bucket: str) -> BucketAccess:
    """How this process asks a bucket."""
    return _current.get(bucket, PLAIN)


def aws_environment() -> tuple[tuple[str, str], ...]:
    """What of the environment says where credentials come from and which service is asked."""
    return tuple(sorted((key, value) for key, value in os.environ.items() if key.startswith("AWS_")))


def credentials_worked(environment: tuple[tuple[str, str], ...]) -> None:
    """A store has answered to credentials that came of this environment."""
    _worked.add(environment)


def had_credentials() -> bool:
    """Whether a store has answered to credentials of the environment as it is now, in this run."""
    return aws_environment() in _worked


def advice(bucket: str, operation: str) -> str:
    """What else may help where a bucket refuses an operation such as `PutObject`; empty if nothing."""
    known = access_of(bucket)
    keys = []
    if operation == "PutObject" and not known.encryption:
        keys.append("`encryption` if it takes nothing unencrypted")
    if not known.requester_pays and not known.unsigned:
        keys.append("`requester_pays` if its readers pay")
    return f"; or set, under `s3: {bucket}:` in the manifest, {' or '.join(keys)}" if keys else ""
