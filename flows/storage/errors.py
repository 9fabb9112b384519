"""The one place that decides what a storage failure means: passing, lasting for one object, or fatal for all.

Texts name the place and the next step. They never repeat what a server, a driver or a credential helper said,
because such texts can hold keys, tokens or signed URLs; the cause stays chained for debugging.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows.errors import (
    BucketUnusable,
    CredentialsAway,
    Denied,
    NotFound,
    StorageError,
    StorageFatal,
    StorageTransient,
)
from flows.storage.access import advice, had_credentials
from flows.storage.location import bucket_of

if TYPE_CHECKING:
    from botocore.exceptions import ClientError

_CODE = re.compile(r"[A-Za-z0-9.]{1,64}")
_ABSENT = {errno.ENOENT, errno.ENOTDIR}
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_REFUSED = {errno.EACCES, errno.EPERM}
_PASSING = {errno.EIO, errno.EAGAIN, errno.EBUSY, errno.ESTALE, errno.ETIMEDOUT, errno.EMFILE, errno.ENFILE}

_CREDENTIALS = {
    "ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired", "InvalidToken",
    "InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidClientTokenId", "UnrecognizedClientException",
    "AuthFailure", "InvalidSecurity", "MissingSecurityHeader", "AccountProblem", "NotSignedUp",
}  # fmt: skip
_CREDENTIAL_FAILURES = {
    "NoCredentialsError", "PartialCredentialsError", "TokenRetrievalError", "NoAuthTokenError",
    "SSOError", "SSOTokenLoadError", "UnauthorizedSSOTokenError", "LoginError",
    "ProfileNotFound", "ConfigParseError", "InvalidConfigError",
    "RefreshWithMFAUnsupportedError", "UnknownCredentialError",
}  # fmt: skip
_CREDENTIALS_AWAY = {"CredentialRetrievalError", "MetadataRetrievalError"}
_EXPIRED = "refreshed credentials are still expired"
"""What botocore's bare RuntimeError says where the source of credentials gives those of yesterday."""
_OF_CREDENTIALS = ("AssumeRole", "GetRole", "CreateOAuth")
"""What the operations begin with by which credentials are had."""
_REGION = "the store redirects to another region or address; set AWS_REGION or AWS_ENDPOINT_URL_S3"
_OF_THE_BUCKET = {
    "NoSuchBucket": "the bucket does not exist; create it or correct its name",
    "AllAccessDisabled": "the bucket is switched off; ask its owner",
    "PermanentRedirect": _REGION,
    "AuthorizationHeaderMalformed": _REGION,
    "IllegalLocationConstraintException": _REGION,
}
_FATAL = {
    "RequestTimeTooSkewed": "this machine's clock is wrong; correct it and run again",
    "QuotaExceeded": "the store's quota is used up; free space and run again",
    "NotImplemented": "the store lacks an operation that is needed (a conditional or checksummed PUT)",
}
_FATAL_STATUS = {507: "the store is full; free space and run again"}
_MOVED = (301, 307)
_PASSING_CODES = {
    "SlowDown", "Throttling", "ThrottlingException", "RequestLimitExceeded", "RequestTimeout",
    "InternalError", "ServiceUnavailable", "OperationAborted", "ConditionalRequestConflict", "BadDigest",
    "IncompleteBody", "XAmzContentSHA256Mismatch", "XAmzContentChecksumMismatch", "IDPCommunicationError",
}  # fmt: skip


def from_os(error: OSError, path: Path, *, root: Path, needed: int | None = None) -> StorageError:
    """What an operating system error at `path` means; `needed` is how many bytes to write, None for reads."""
    number = error.errno or 0
    reason = f"{path}: {os.strerror(number).lower()}" if number else f"{path}: {type(error).__name__}"
    if number in _FULL:
        return StorageFatal(f"{reason}; {_room(path, needed or 0)}; make room there and run again")
    if needed is not None and (number == errno.EROFS or _blocks_all(number, path, root)):
        return StorageFatal(f"{reason}; choose an output that this user can write to")
    if number in _ABSENT and needed is None:
        return NotFound(f"{path} does not exist; correct the path or restore the file")
    if number in _PASSING:
        return StorageTransient(f"{reason}; it may pass, run again")
    return Denied(f"{reason}; check what is there and its permissions")


def from_s3(error: Exception, uri: str, *, endpoint: str = "", of_root: bool = False) -> StorageError:
    """What a boto3 failure at `uri` means.

    Args:
        endpoint: the service that was asked; empty if the client could not even be made.
        of_root: it concerns the bucket or prefix as a whole.
    """
    from botocore.exceptions import ClientError

    from flows.storage.reach import address_of, unreached

    place = f"{uri} at {address_of(endpoint)}" if endpoint else uri
    if isinstance(error, ClientError):
        return _from_answer(error, uri, place, of_root=of_root)
    name = type(error).__name__
    absent_now = name == "NoCredentialsError" and had_credentials()
    if name in _CREDENTIALS_AWAY or absent_now or is_about_expiry(error):
        return _credentials_away(place, name)
    if _CREDENTIAL_FAILURES & {base.__name__ for base in type(error).__mro__}:
        return _credentials(place, name, bucket_of(uri))
    if isinstance(error, ValueError) or name == "ParamValidationError":
        return StorageFatal(f"{place}: not usable ({name}); check the bucket's name and AWS_ENDPOINT_URL_S3")
    return unreached(error, place, endpoint)


def is_about_expiry(error: Exception) -> bool:
    """Whether credentials were fetched that had expired already, for which boto3 has no type."""
    return isinstance(error, RuntimeError) and _EXPIRED in str(error)


def code_and_status(error: ClientError) -> tuple[str, int]:
    """The error code of an S3 answer (the status in digits where there was no body), and its HTTP status.

    A code that does not look like one is text of somebody on the way, and is left out.
    """
    answer: Any = error.response
    code = str(answer.get("Error", {}).get("Code", ""))
    status = int(answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    return code if _CODE.fullmatch(code) else "", status


def is_about_the_request(error: ClientError) -> bool:
    """Whether the store refuses what it was sent, and neither who sends it, nor what for, nor just now."""
    code, status = code_and_status(error)
    known = _CREDENTIALS | _PASSING_CODES | (_FATAL.keys() - {"NotImplemented"})
    return (status in (400, 501) or code == "NotImplemented") and code not in known


def _from_answer(error: ClientError, uri: str, place: str, *, of_root: bool) -> StorageError:
    code, status = code_and_status(error)
    said = f"{place}: {code or status}"
    passing = code in _PASSING_CODES or status in (408, 409, 429) or status >= 500 or status < 400
    if code in _CREDENTIALS or error.operation_name.startswith(_OF_CREDENTIALS):
        away = passing and code not in _CREDENTIALS
        return _credentials_away(place, code or str(status)) if away else _credentials(place, code)
    if code in _OF_THE_BUCKET or status in _MOVED:
        return BucketUnusable(f"{said}: {_OF_THE_BUCKET.get(code, _REGION)}")
    if code in _FATAL:
        return StorageFatal(f"{said}: {_FATAL[code]}")
    if status in _FATAL_STATUS:
        return StorageFatal(f"{said}: {_FATAL_STATUS[status]}")
    if passing:
        return StorageTransient(f"{said} again and again; the store is overloaded or failing, run later")
    if status == 404:
        return NotFound(f"{uri} does not exist; correct the name or restore the object")
    if code == "InvalidObjectState":
        return Denied(f"{uri}: {code}; the object is archived, restore it first")
    if status in (401, 403) and of_root:
        more = advice(bucket_of(uri), error.operation_name)
        return StorageFatal(f"{said}; allow s3:ListBucket, s3:GetObject and s3:PutObject there{more}")
    if status in (401, 403):
        return Denied(
            f"{uri}: {code or status}; allow s3:GetObject, s3:PutObject and s3:ListBucket "
            f"(without it, absent looks denied){advice(bucket_of(uri), error.operation_name)}"
        )
    return StorageError(f"{said} (HTTP {status}); the store refuses this request, check name and store")


def _credentials(place: str, code: str, bucket: str = "") -> StorageFatal:
    public = f"; for a public bucket say `s3: {{{bucket}: {{unsigned: true}}}}` in the manifest"
    return StorageFatal(
        f"{place}: no usable credentials ({code}); renew or provide them (environment, profile or role), "
        f"then run again: finished pairs are kept{public if bucket else ''}"
    )


def _credentials_away(place: str, code: str) -> CredentialsAway:
    return CredentialsAway(
        f"{place}: no credentials could be had again and again ({code}); look at what gives them out "
        "(environment, profile or role), then run again: finished pairs are kept"
    )


def _blocks_all(number: int, path: Path, root: Path) -> bool:
    """Whether a failed write stands for every write: the root cannot be made, or it refuses its own files."""
    if not _is_folder(root):
        return True
    effective = os.access in os.supports_effective_ids
    closed = not os.access(root, os.W_OK | os.X_OK, effective_ids=effective)
    return number in _REFUSED and (closed or path.parent == root)


def _room(path: Path, needed: int) -> str:
    folder = next(parent for parent in path.parents if _is_folder(parent))
    free = shutil.disk_usage(folder).free
    return f"{needed} bytes needed, {free} bytes free in {folder} (or a quota is used up)"


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:
        return False
