"""What pairs are at, kept below the output until they are done: under which names, and until when.

The names are hidden and in no folder, so that nothing takes them for inputs or results and nothing is left
when they are gone.
"""

from __future__ import annotations

import errno
import os
import shutil
import threading
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import BinaryIO

from flows.errors import NotFound, StorageError
from flows.records.record import Record, UnreadableRecord
from flows.storage.base import Patience, Storage
from flows.storage.opening import open_storage
from flows.text import bytes_in_words
from stylize_core.optim.header import read_header

PREFIX = ".stylize-checkpoint-"
RECORD = "record"
"""The label with the record that the pair would have if it ended there."""
# A store that does not answer must not hold up a device: the next checkpoint will do as well.
_PATIENCE = Patience(attempts=2, rounds=1, connect_timeout_s=3.0, read_timeout_s=20.0)


def checkpoint_name(identity: str) -> str:
    """Where what a picture of that identity is at lies, below the output."""
    return PREFIX + identity


def identities_kept(storage: Storage) -> frozenset[str]:
    """The identities of all pictures that a checkpoint is kept of, by one listing.

    Raises:
        StorageError: the output cannot be listed.
    """
    return frozenset(item.name.removeprefix(PREFIX) for item in storage.list(PREFIX))


def forget_checkpoints(storage: Storage, done: Iterable[str]) -> None:
    """Delete what is kept of pictures of these identities, which are done.

    Raises:
        StorageError: the output cannot be listed, or something could not be deleted.
    """
    if wanted := frozenset(done):
        for identity in identities_kept(storage) & wanted:
            storage.delete(checkpoint_name(identity))


@dataclass(frozen=True, slots=True)
class Kept:
    """A checkpoint in an output.

    Attributes:
        name: of the file, below the output.
        identity: of the picture.
        record: of its pair, if it had ended there; None if the file does not tell.
        step: after how many planned evaluations.
    """

    name: str
    size_bytes: int
    identity: str
    record: Record | None
    step: int


def kept_in(storage: Storage) -> Iterator[Kept]:
    """All checkpoints of an output, by one listing and the beginning of each file.

    Raises:
        StorageError: the output cannot be listed.
    """
    for item in storage.list(PREFIX):
        identity = item.name.removeprefix(PREFIX)
        record, step = _told_by(storage, item.name)
        yield Kept(item.name, item.stat.size, identity, record, step)


def _told_by(storage: Storage, name: str) -> tuple[Record | None, int]:
    """The pair's record and the step; neither of a file that cannot be read, or was altered."""
    try:
        header = read_header(storage.blocks(name))
        return Record.parse(header.labels[RECORD].encode()), int(header.facts["step"])
    except (StorageError, UnreadableRecord, ValueError, KeyError, TypeError, AttributeError):
        return None, 0


class CheckpointShelf:
    """The checkpoints of outputs as one process knows them: listed once, then its own; for all threads."""

    def __init__(self) -> None:
        self._kept: dict[str, set[str]] = {}
        self._one_at_a_time = threading.Lock()

    def holds(self, output: str, identity: str) -> bool:
        """Whether there is one; where nobody can tell, there is none."""
        return identity in self._of(output)

    def size(self, output: str, identity: str) -> int:
        """How many bytes it has.

        Raises:
            StorageError: it could not be asked for, or is gone.
        """
        name = checkpoint_name(identity)
        if (stat := _storage(output).stat(name)) is None:
            raise NotFound(f"{name} is gone")
        return stat.size

    def read(self, output: str, identity: str, into: BinaryIO) -> None:
        """Write its bytes into an open file, a block at a time.

        Raises:
            StorageError: it could not be read.
        """
        into.writelines(_storage(output).blocks(checkpoint_name(identity)))

    def put(self, output: str, identity: str, file: BinaryIO) -> None:
        """Write all that an open file holds, in place of an older one.

        Raises:
            StorageError: it could not be written.
            OSError: it would take too much of the disk.
        """
        storage = _storage(output)
        _refuse_without_room(storage.root, file.seek(0, os.SEEK_END))
        storage.write_file(checkpoint_name(identity), file)
        self._of(output).add(identity)

    def forget(self, output: str, identity: str) -> None:
        """Delete it if there is one; where that fails, a later run will."""
        if self.holds(output, identity):
            with suppress(StorageError):
                _storage(output).delete(checkpoint_name(identity))
                self._of(output).discard(identity)

    def _of(self, output: str) -> set[str]:
        with self._one_at_a_time:
            if output not in self._kept:
                self._kept[output] = set()
                with suppress(StorageError):
                    self._kept[output] |= identities_kept(_storage(output))
            return self._kept[output]


def _refuse_without_room(folder: str, size_bytes: int) -> None:
    """A checkpoint takes half of the free disk at most: the results of all pairs come first.

    Raises:
        OSError: it would take more.
    """
    try:
        free = shutil.disk_usage(folder).free
    except OSError:  # a store, or a folder that is not there yet
        return
    if 2 * size_bytes > free:
        wanted, there = bytes_in_words(size_bytes), bytes_in_words(free)
        raise OSError(errno.ENOSPC, f"it takes {wanted} of the disk at {folder}, and {there} are free")


def _storage(output: str) -> Storage:
    return open_storage(output, patience=_PATIENCE)
