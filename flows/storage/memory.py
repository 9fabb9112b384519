"""An object store that lives in this process: for tests and trials, with the promises of the real ones.

Every root `memory://name[/prefix]` of one name shares the same objects until the process ends.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BytesIO
from itertools import count
from typing import BinaryIO

from flows.errors import NotFound
from flows.storage.base import BINARY, BLOCK_BYTES, Closed, Listed, Stat, check_size, checked_name, ends_of
from flows.storage.location import Location

_versions = count(1)


@dataclass(slots=True)
class _Store:
    """The objects of one name by their keys, each with the token of its version."""

    objects: dict[str, tuple[bytes, str]] = field(default_factory=dict)
    changing: threading.Lock = field(default_factory=threading.Lock)


_stores: dict[str, _Store] = {}


# Why so many: the protocol of a storage.
class MemoryStorage:
    """The objects of a store whose keys begin with a prefix; see `Storage`."""

    def __init__(self, location: Location) -> None:
        self._location = location
        self._store = _stores.setdefault(location.bucket, _Store())

    @property
    def root(self) -> str:
        """The `memory://` URI, as `open_storage` takes it."""
        return self._location.root

    def uri(self, name: str) -> str:
        """The `memory://` URI of `name`."""
        return f"memory://{self._location.bucket}/{self._key(name)}"

    def read(self, name: str, *, at_most: int | None = None) -> bytes:
        """The complete bytes."""
        found = self._store.objects.get(self._key(name))
        if found is None:
            raise NotFound(f"{self.uri(name)} does not exist; correct the name or restore the object")
        check_size(len(found[0]), at_most, place=self.uri(name))
        return found[0]

    def blocks(self, name: str) -> Iterator[bytes]:
        """The same in blocks."""
        data = self.read(name)
        return (data[at : at + BLOCK_BYTES] for at in range(0, len(data), BLOCK_BYTES))

    def ends(self, name: str, each: int) -> bytes:
        """The beginning and the end."""
        return ends_of(BytesIO(self.read(name)), each)

    def stat(self, name: str) -> Stat | None:
        """Size and version, None if there is no such object."""
        found = self._store.objects.get(self._key(name))
        return None if found is None else Stat(len(found[0]), found[1])

    def list(self, prefix: str = "", *, closed: Closed | None = None) -> Iterator[Listed]:
        """Objects whose name starts with `prefix`, as they are at this moment, in byte order."""
        start = len(self._location.prefix)
        with self._store.changing:
            objects = sorted(self._store.objects.items(), key=lambda item: item[0].encode())
        for key, (data, token) in objects:
            if key.startswith(self._location.prefix + prefix):
                yield Listed(key[start:], Stat(len(data), token))

    def write(self, name: str, data: bytes, *, content_type: str = BINARY) -> None:
        """Store or replace `name`."""
        key = self._key(name)
        with self._store.changing:
            self._store.objects[key] = (bytes(data), str(next(_versions)))

    def write_file(self, name: str, file: BinaryIO, *, content_type: str = BINARY) -> None:
        """The same with all that an open file holds."""
        file.seek(0)
        self.write(name, file.read(), content_type=content_type)

    def create(self, name: str, data: bytes, *, content_type: str = BINARY) -> bool:
        """Store `name` unless it exists."""
        key = self._key(name)
        with self._store.changing:
            if key in self._store.objects:
                return False
            self._store.objects[key] = (bytes(data), str(next(_versions)))
            return True

    def delete(self, name: str) -> None:
        """Remove the object if it is there."""
        key = self._key(name)
        with self._store.changing:
            self._store.objects.pop(key, None)

    def remove_abandoned(self) -> int:
        """Nothing to do: a write leaves nothing behind."""
        return 0

    def _key(self, name: str) -> str:
        return self._location.prefix + checked_name(name, root=self.root)
