"""Whether an output takes any file at all: what tells one closed folder from a place that is gone."""

from __future__ import annotations

import os
from contextlib import suppress

from flows.errors import StorageError, StorageFatal
from flows.records.ownership import HIDDEN
from flows.storage.base import Storage

_BYTES = 4096
"""As much as a record has, so that a disk is asked for more than a name."""


def require_writable(storage: Storage) -> None:
    """Write a small hidden file at the root, where no pair has its folder, and delete it again.

    Raises:
        StorageFatal: it could not be written.
    """
    name = f"{HIDDEN}-probe-{os.getpid()}"  # of a process the same, lest many stay where nobody may delete
    try:
        storage.write(name, bytes(_BYTES))
    except StorageError as error:
        raise StorageFatal(
            f"{storage.root} takes no file any more, so every further picture would be lost; {error}"
        ) from error
    with suppress(StorageError):
        storage.delete(name)
