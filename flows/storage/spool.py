"""A picture between its encoder and its storage: a small one in memory, a large one in a file without a name.

Nothing is left of the file whatever becomes of this process; `TMPDIR` says on which disk it is.
"""

from __future__ import annotations

import errno
import hashlib
import io
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from flows.errors import StorageFatal
from flows.storage.base import BLOCK_BYTES

IN_MEMORY_BYTES = 64 * 2**20
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@contextmanager
def spool(size_bytes: int) -> Iterator[BinaryIO]:
    """An empty file for a picture of about that size, gone afterwards.

    Raises:
        StorageFatal: the disk of temporary files is full.
    """
    if size_bytes <= IN_MEMORY_BYTES:
        yield io.BytesIO()
        return
    try:
        with tempfile.TemporaryFile() as file:
            yield file
    except OSError as error:
        if error.errno not in _FULL:
            raise
        raise StorageFatal(
            f"{tempfile.gettempdir()} has no room for a picture of up to {size_bytes / 1e6:.0f} MB while it "
            "is written; make room, or let TMPDIR name another disk, and run again"
        ) from error


def digest(file: BinaryIO) -> str:
    """The SHA-256 of all that it holds, in hex digits."""
    file.seek(0)
    found = hashlib.sha256()
    while block := file.read(BLOCK_BYTES):
        found.update(block)
    return found.hexdigest()


def contents(file: BinaryIO) -> bytes | BinaryIO:
    """What it holds, as bytes where these are in memory; else the file itself."""
    return file.getvalue() if isinstance(file, io.BytesIO) else file
