"""How far this machine's clock is from that of a store, which refuses requests that seem too old."""

from __future__ import annotations

import time
from email.utils import parsedate_to_datetime
from typing import Any

from flows.storage.access import access_of
from flows.storage.base import Patience
from flows.storage.location import Location

TOLERATED_S = 60.0
"""Locks take two minutes of silence for death; S3 itself refuses fifteen."""
_QUICK = Patience(attempts=1, rounds=1, connect_timeout_s=5.0, read_timeout_s=10.0)


def seconds_ahead(root: str) -> float | None:
    """By how much this clock is ahead of the store's, within a second or so; None if it does not say."""
    from botocore.exceptions import BotoCoreError, ClientError

    from flows.storage.s3_client import s3_client

    location, answer = Location.parse(root), dict[str, Any]()
    before = time.time()
    try:
        client: Any = s3_client(_QUICK, access_of(location.bucket))
        answer = client.list_objects_v2(Bucket=location.bucket, Prefix=location.prefix, MaxKeys=1)
    except ClientError as error:
        answer = dict(error.response)
    except (BotoCoreError, ValueError, RuntimeError):  # the last is of credentials that have expired
        return None
    said = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
    if not said:
        return None
    try:
        return (before + time.time()) / 2 - parsedate_to_datetime(said).timestamp()
    except ValueError:
        return None
