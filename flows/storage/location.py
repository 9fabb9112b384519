"""Where something lies: a local path or the URI of an object store, taken apart in one place.

The plain functions answer what is asked a hundred thousand times; `Location` knows the parts.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from flows.errors import StorageError

S3, MEMORY = "s3", "memory"
_STORE = re.compile(r"(?P<scheme>s3|memory)://")
_SCHEME = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*):/")
BUCKET = r"[A-Za-z0-9][A-Za-z0-9._-]{1,61}[A-Za-z0-9]"


def is_remote(uri: str) -> bool:
    """Whether an object store has it, and not the local file system; nothing else about it is checked.

    >>> is_remote("s3://bucket/a.png"), is_remote("/photos/a.png")
    (True, False)
    """
    return uri.startswith(("s3://", "memory://"))


def is_text(name: str) -> bool:
    """Whether a name can be written as UTF-8, in records and logs as well; other file names are refused."""
    return "\0" not in name and not any("\ud800" <= letter <= "\udfff" for letter in name)


def is_bucket(name: str) -> bool:
    """Whether S3 lets a bucket be called so."""
    return re.fullmatch(BUCKET, name) is not None


def bucket_of(uri: str) -> str:
    """The bucket of an `s3://` URI.

    >>> bucket_of("s3://bucket/a.png")
    'bucket'
    """
    return uri.removeprefix("s3://").partition("/")[0]


def scheme_of(text: str) -> str:
    """The scheme that a URI begins with, such as `https`; empty for a path.

    >>> scheme_of("https://host/a.png"), scheme_of("a:b.png")
    ('https', '')
    """
    match = _SCHEME.match(text)
    return match["scheme"] if match else ""


def absolute_path(path: str) -> str:
    """A local path from the root on; what lies in an object store as it is.

    Raises:
        StorageError: the path begins in the working folder, and that is gone.
    """
    if is_remote(path):
        return path
    try:
        return str(Path(path).absolute())
    except OSError as error:
        raise StorageError(
            f"{path}: the working folder is gone or closed ({error.strerror}); go to another one"
        ) from error


def check_working_folder() -> None:
    """Refuse a working folder that no process can be started in, as each goes there first.

    Raises:
        StorageError: it is gone, or this user may not enter it.
    """
    try:
        os.chdir(Path.cwd())  # what a process that starts does
    except OSError as error:
        raise StorageError(
            f"no worker can start in this working folder ({error.strerror}); go to another one"
        ) from error


@dataclass(frozen=True, slots=True)
class Location:
    """A place in an object store.

    Attributes:
        scheme: `s3`, or `memory` for a store that lives in this process.
        bucket: which store, or which part of one.
        key: what stands after the bucket's slash; empty for the bucket itself.
    """

    scheme: str
    bucket: str
    key: str

    @classmethod
    def parse(cls, uri: str) -> Location:
        """Take a URI apart.

        Raises:
            StorageError: it is none that we can reach.
        """
        match = _STORE.match(uri)
        bucket, _, key = uri[match.end() if match else 0 :].partition("/")
        if match is None or not is_bucket(bucket) or not is_text(uri):
            raise StorageError(
                f"{uri!r} is not an S3 place; expected s3://bucket/key with a plain bucket name"
            )
        return cls(match["scheme"], bucket, key)

    @property
    def uri(self) -> str:
        """The place in full."""
        return f"{self.scheme}://{self.bucket}/{self.key}"

    @property
    def prefix(self) -> str:
        """The key as the beginning of others: empty, or with a slash at its end."""
        return self.key if not self.key or self.key.endswith("/") else self.key + "/"

    @property
    def root(self) -> str:
        """The URI of all keys that begin with the prefix.

        Keys may hold empty parts (`a//b.png`); in such a root the last slash counts and stays.
        """
        root = f"{self.scheme}://{self.bucket}/{self.prefix}"
        return root if root.endswith("//") else root[:-1]

    def split(self) -> tuple[Location, str]:
        """The place above the last slash, and the name below it."""
        slash = self.key.rfind("/") + 1
        return Location(self.scheme, self.bucket, self.key[:slash]), self.key[slash:]
