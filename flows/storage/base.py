"""Where bytes live: one small protocol over local folders, S3 and memory.

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
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO, Protocol

from flows.errors import Denied, Oversized
from flows.storage.location import is_text

BINARY = "application/octet-stream"
BLOCK_BYTES = 4 * 2**20

Closed = Callable[[str], None]
"""Told of the name of a folder."""


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

    def read(self, name: str, *, at_most: int | None = None) -> bytes:
        """The complete, verified bytes; `NotFound` if absent, `Oversized`, unread, if more than `at_most`."""

    def blocks(self, name: str) -> Iterator[bytes]:
        """What `read` would return, in blocks of at most `BLOCK_BYTES`, of which one at a time is in memory.

        Bytes that were altered on the way may be noticed after the last block only, by an error.
        """

    def ends(self, name: str, each: int) -> bytes:
        """The first and the last `each` bytes in a row; all of an object that has no more than both.

        Nobody verifies them: they are to be looked at, not worked with.
        """

    def stat(self, name: str) -> Stat | None:
        """Size and version token, or None if absent."""

    def list(self, prefix: str = "", *, closed: Closed | None = None) -> Iterator[Listed]:
        """Everything whose name starts with `prefix`, at any depth, sorted by name.

        Args:
            closed: told of each folder below the root that cannot be looked into, with a slash at its end;
                where nobody hears of it, it is an error. What lies in it may be there all the same.
        """

    def write(self, name: str, data: bytes, *, content_type: str = BINARY) -> None:
        """Store or replace `name`; durable and complete when this returns, untouched if it raises."""

    def write_file(self, name: str, file: BinaryIO, *, content_type: str = BINARY) -> None:
        """The same with all that an open file holds, which can seek; a block at a time is in memory."""

    def create(self, name: str, data: bytes, *, content_type: str = BINARY) -> bool:
        """Store `name` unless it exists; False if it does. Of many racing callers one gets True.

        A store that does not know conditional requests is asked first, and then of callers that race several
        may get True, each for complete bytes.
        """

    def delete(self, name: str) -> None:
        """Make `name` absent; fine if it already is."""

    def remove_abandoned(self) -> int:
        """Remove temporary files that writers of ours left behind when they died; how many."""


def ends_of(file: BinaryIO, each: int) -> bytes:
    """The first and the last `each` bytes of an open file; all of one that has no more than both."""
    start = file.read(each)
    if len(start) == each:
        file.seek(max(each, file.seek(0, os.SEEK_END) - each))
    return start + file.read()


def check_size(size: int, at_most: int | None, *, place: str) -> None:
    """Raise `Oversized` if an object of `size` bytes is more than `at_most`, where that is given."""
    if at_most is not None and size > at_most:
        raise Oversized(
            f"{place} has {size} bytes, more than the {at_most} that are read; put another one there"
        )


def checked_name(name: str, *, root: str) -> str:
    """`name` itself if it is text and stays below `root` by its letters alone, else `Denied`."""
    parts = name.split("/")
    if not is_text(name) or name.startswith("/") or not parts[-1] or {".", ".."} & set(parts):
        raise Denied(f"{name!r} is not a name below {root}; use a relative path without '.' or '..' parts")
    return name
