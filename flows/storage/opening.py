"""From a path or URI to the storage behind it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from flows.errors import Denied, StorageError
from flows.storage.base import PATIENCE, Patience, Stat, Storage
from flows.storage.local import LocalStorage
from flows.storage.location import MEMORY, Location, is_remote, is_text, scheme_of
from flows.storage.memory import MemoryStorage


def open_storage(root: str, *, patience: Patience = PATIENCE) -> Storage:
    """The storage behind `root`; nothing is contacted or created yet.

    The S3 client library is imported only when an `s3://` root is opened.
    """
    if not is_remote(root):
        return LocalStorage(_absolute(root))
    location = Location.parse(root)
    if location.scheme == MEMORY:
        return MemoryStorage(location)
    from flows.storage.s3 import S3Storage

    return S3Storage(location, patience=patience)


def split_uri(uri: str, *, within: str = "") -> tuple[str, str]:
    """Root and name of one object, such that `open_storage(root).read(name)` reads it.

    A local path that is a link is resolved; `Denied` if it leads out of the folder `within`, if one is given.
    """
    if not is_remote(uri):
        return os.path.split(_resolved(_absolute(uri), within))
    above, name = Location.parse(uri).split()
    return above.root, name


def read_uri(uri: str, *, within: str = "", patience: Patience = PATIENCE) -> bytes:
    """The complete bytes of one object that the user named in full, or that was found in a folder."""
    root, name = split_uri(uri, within=within)
    return open_storage(root, patience=patience).read(name)


def read_blocks(uri: str, *, patience: Patience = PATIENCE) -> Iterator[bytes]:
    """The bytes of one object that the user named in full, in blocks; see `Storage.blocks`."""
    root, name = split_uri(uri)
    return open_storage(root, patience=patience).blocks(name)


def stat_uri(uri: str, *, within: str = "", patience: Patience = PATIENCE) -> Stat | None:
    """Size and version token of one object, named or found as for `read_uri`, or None if absent."""
    root, name = split_uri(uri, within=within)
    return open_storage(root, patience=patience).stat(name)


def digest_of_file(path: str, *, within: str = "") -> str:
    """The SHA-256 of a local file, named or found as for `read_uri`, without having all of it in memory."""
    root, name = split_uri(path, within=within)
    return LocalStorage(root).digest(name)


def _resolved(path: str, within: str) -> str:
    real = os.path.realpath(path)
    if within and not Path(real).is_relative_to(os.path.realpath(within)):
        raise Denied(
            f"{path} goes through a link that leads out of {within}; put the picture itself there, or name "
            "its own path in the manifest"
        )
    return real


def _absolute(path: str) -> str:
    if scheme_of(path) and "://" in path:
        raise StorageError(f"{path!r}: only local paths and s3:// work; copy it to one of these first")
    if not path.startswith("/") or not is_text(path):
        raise StorageError(f"{path!r} is not an absolute path; resolve it against the manifest's folder")
    return path
