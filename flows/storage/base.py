"""Where bytes live: one small protocol over local folders and S3.

A root is an absolute local folder or `s3://bucket[/prefix]`; names are relative to it and use `/`.
What a writer promises: after `write` returns, the complete bytes survive a power cut; before that, the name
shows what it showed before. What a reader promises: the complete bytes that were stored, or an error.

Local links: below a root the last component is never followed, and folders only while they stay inside the
root; so an output that turns out to be a link, FIFO or device is refused. A single path that the user names
(`split_uri`, `read_uri`, `stat_uri`) may be a link; the regular file that it leads to is meant. A path that
was found in a folder is read `within` that folder: a link may lead elsewhere in it, but not out of it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from flows.errors import Denied, StorageError

BINARY = "application/octet-stream"
_S3_URI = re.compile(r"s3://(?P<bucket>[A-Za-z0-9][A-Za-z0-9._-]*)(?:/(?P<key>.*))?", re.DOTALL)
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


@dataclass(frozen=True, slots=True)
class Stat:
    """What is known about a stored object without reading it.

    Attributes:
        size: in bytes.
        token: changes when the object is replaced (ETag, or modification time and inode).
    """

    size: int
    token: str


@dataclass(frozen=True, slots=True)
class Listed:
    """One object of a listing; `name` is relative to the root."""

    name: str
    stat: Stat


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to try before a remote store counts as failing; the defaults suit a bulk job.

    Attributes:
        attempts: requests that the S3 client itself makes for one call, with its own backoff.
        rounds: how often the whole call is tried, with a wait that doubles from `wait_s` to `longest_wait_s`.
        limit_s: no further round starts after this time.
    """

    attempts: int = 5
    rounds: int = 4
    wait_s: float = 1.0
    longest_wait_s: float = 20.0
    limit_s: float = 180.0
    connect_timeout_s: float = 5.0
    read_timeout_s: float = 60.0


PATIENCE = Patience()


class Storage(Protocol):
    """A root to read from and write to; every failure is a `StorageError` that names the place."""

    @property
    def root(self) -> str:
        """The folder or `s3://` URI that names are relative to."""

    def uri(self, name: str) -> str:
        """The place of `name` in full, for people and records."""

    def read(self, name: str) -> bytes:
        """The complete, verified bytes; `NotFound` if absent."""

    def stat(self, name: str) -> Stat | None:
        """Size and version token, or None if absent."""

    def list(self, prefix: str = "") -> Iterator[Listed]:
        """Everything whose name starts with `prefix`, at any depth, sorted by name."""

    def write(self, name: str, data: bytes, *, content_type: str = BINARY) -> None:
        """Store or replace `name`; durable and complete when this returns, untouched if it raises."""

    def create(self, name: str, data: bytes) -> bool:
        """Store `name` unless it exists; False if it does. Of many racing callers one gets True."""

    def delete(self, name: str) -> None:
        """Make `name` absent; fine if it already is."""

    def sweep(self) -> int:
        """Remove temporary files that writers of ours left behind when they died; how many."""


def open_storage(root: str, *, patience: Patience = PATIENCE) -> Storage:
    """The storage behind `root`; nothing is contacted or created yet.

    The S3 client library is imported only when an `s3://` root is opened.
    """
    if root.startswith("s3://"):
        from flows.storage.s3 import S3Storage

        bucket, prefix = _split_s3(root)
        return S3Storage(
            bucket, prefix if not prefix or prefix.endswith("/") else prefix + "/", patience=patience
        )
    from flows.storage.local import LocalStorage

    return LocalStorage(_absolute(root))


def split_uri(uri: str, *, within: str = "") -> tuple[str, str]:
    """Root and name of one object, such that `open_storage(root).read(name)` reads it.

    A local path that is a link is resolved; `Denied` if it leads out of the folder `within`, if one is given.
    """
    if not uri.startswith("s3://"):
        return os.path.split(_resolved(_absolute(uri), within))
    bucket, key = _split_s3(uri)
    slash = key.rfind("/") + 1
    return s3_root(bucket, key[:slash]), key[slash:]


def s3_root(bucket: str, prefix: str) -> str:
    """The root of all keys that begin with `prefix`, which is empty or ends in a slash.

    S3 keys may hold empty parts (`a//b.png`); in such a root the last slash counts and stays.
    """
    root = f"s3://{bucket}/{prefix}"
    return root if root.endswith("//") else root[:-1]


def read_uri(uri: str, *, within: str = "", patience: Patience = PATIENCE) -> bytes:
    """The complete bytes of one object that the user named in full, or that was found in a folder."""
    root, name = split_uri(uri, within=within)
    return open_storage(root, patience=patience).read(name)


def stat_uri(uri: str, *, within: str = "", patience: Patience = PATIENCE) -> Stat | None:
    """Size and version token of one object, named or found as for `read_uri`, or None if absent."""
    root, name = split_uri(uri, within=within)
    return open_storage(root, patience=patience).stat(name)


def digest_of_file(path: str, *, within: str = "") -> str:
    """The SHA-256 of a local file, named or found as for `read_uri`, without having all of it in memory."""
    from flows.storage.local import LocalStorage

    root, name = split_uri(path, within=within)
    return LocalStorage(root).digest(name)


def checked_name(name: str, *, root: str) -> str:
    """`name` itself if it is text and stays below `root` by its letters alone, else `Denied`."""
    parts = name.split("/")
    if not _is_text(name) or name.startswith("/") or not parts[-1] or {".", ".."} & set(parts):
        raise Denied(f"{name!r} is not a name below {root}; use a relative path without '.' or '..' parts")
    return name


def _is_text(name: str) -> bool:
    """Whether the name can be written as UTF-8, in records and logs as well; other file names are refused."""
    return "\0" not in name and not any("\ud800" <= letter <= "\udfff" for letter in name)


def _resolved(path: str, within: str) -> str:
    real = os.path.realpath(path)
    if within and not Path(real).is_relative_to(os.path.realpath(within)):
        raise Denied(
            f"{path} goes through a link that leads out of {within}; put the picture itself there, or name "
            "its own path in the manifest"
        )
    return real


def _split_s3(uri: str) -> tuple[str, str]:
    match = _S3_URI.fullmatch(uri)
    if match is None or not _is_text(uri):
        raise StorageError(f"{uri!r} is not an S3 place; expected s3://bucket/key with a plain bucket name")
    return match["bucket"], match["key"] or ""


def _absolute(path: str) -> str:
    if _SCHEME.match(path):
        raise StorageError(f"{path!r}: only local paths and s3:// work; copy it to one of these first")
    if not path.startswith("/") or not _is_text(path):
        raise StorageError(f"{path!r} is not an absolute path; resolve it against the manifest's folder")
    return path
