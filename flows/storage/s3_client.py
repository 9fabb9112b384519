"""S3 clients, one per process and environment, and how patiently they are used."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cache, lru_cache, partial
from typing import TYPE_CHECKING, Any, cast

import boto3
import botocore.session
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.loaders import Loader, create_loader

from flows.storage.access import PLAIN, BucketAccess, aws_environment, credentials_worked
from flows.storage.base import Patience
from flows.storage.retry import count_retry
from flows.storage.trouble import note_failure

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

CONNECTIONS = 64


def s3_client(patience: Patience, access: BucketAccess = PLAIN) -> S3Client:
    """The client of this process; a new one after a fork, and when the AWS_* environment has changed."""
    return _made_client(os.getpid(), patience, access, aws_environment())


def forget_clients() -> None:
    """Have clients made anew: one that found no credentials when it was made never looks for them again."""
    _made_client.cache_clear()


@lru_cache(maxsize=8)
def _made_client(
    _pid: int, patience: Patience, access: BucketAccess, environment: tuple[tuple[str, str], ...]
) -> S3Client:
    client = _session().client(
        "s3",
        config=Config(
            retries={"mode": "standard", "total_max_attempts": patience.attempts},
            connect_timeout=patience.connect_timeout_s,
            read_timeout=patience.read_timeout_s,
            max_pool_connections=CONNECTIONS,
            request_checksum_calculation="when_required",
            tcp_keepalive=True,
            signature_version=UNSIGNED if access.unsigned else None,
        ),
    )
    client.meta.events.register("before-parameter-build.s3", partial(_add_wanted, access.parameters()))
    client.meta.events.register("needs-retry.s3", _log_attempt)
    client.meta.events.register("response-received.s3", _count_repeat)
    client.meta.events.register("before-call.s3.HeadBucket", _no_region_search)
    if not access.unsigned:
        client.meta.events.register("after-call.s3", partial(_note_credentials, environment))
    return client


def _session() -> boto3.session.Session:
    """A session of a client's own: boto3's default one is not safe to use from several threads at once."""
    core = botocore.session.get_session()
    core.register_component("data_loader", _descriptions(core.get_config_variable("data_path")))
    return boto3.session.Session(botocore_session=core)


@cache
def _descriptions(data_path: str | None) -> Loader:
    """AWS's descriptions of its services: to read them takes a tenth of a second, and each session would."""
    return create_loader(data_path)


def _note_credentials(environment: tuple[tuple[str, str], ...], *, http_response: Any, **_: object) -> None:
    if http_response.status_code < 300:
        credentials_worked(environment)


def _add_wanted(wanted: Mapping[str, str], *, params: Any, model: Any, **_: object) -> None:
    """Put what the bucket wants among a request's parameters, as far as the operation knows it."""
    params.update({name: value for name, value in wanted.items() if name in model.input_shape.members})


def _log_attempt(
    *, response: Any, operation: Any, attempts: int, caught_exception: Exception | None, **_: object
) -> None:
    """Tell of a failed request that the client may repeat on its own."""
    status = response[0].status_code if response else 0
    if caught_exception is not None or status >= 500 or status == 429:
        cause = type(caught_exception).__name__ if caught_exception is not None else f"HTTP {status}"
        note_failure(f"attempt {attempts} of {operation.name}", cause)


def _count_repeat(*, context: Any, **_: object) -> None:
    """Count the answers, or their absence, to requests that were not the first."""
    if context["retries"]["attempt"] > 1:
        count_retry()


def _no_region_search(**_: object) -> None:
    """End the client's own search for a bucket's region, which repeats itself until the stack is full.

    It begins where a redirect does not name the region: such a redirect does not come from AWS.
    """
    answer = {"Error": {"Code": "PermanentRedirect"}, "ResponseMetadata": {"HTTPHeaders": {}}}
    raise ClientError(cast("Any", answer), "HeadBucket")
