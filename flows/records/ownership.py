"""Which files are ours: every picture and film says so inside, and a record speaks for those beside it.

What is ours is never taken as an input that somebody's pattern happens to find, and may be replaced; what is
somebody else's is never replaced unless the manifest allows it.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Container, Iterator
from pathlib import PurePosixPath

from flows.errors import Denied, ForeignFile, NotFound, StorageError
from flows.model.pair import Pair
from flows.records.record import Record, UnreadableRecord
from flows.records.report import Report
from flows.records.store import load_record
from flows.storage.base import Storage, ends_of
from flows.storage.location import is_remote
from flows.storage.opening import open_storage, split_uri
from stylize_core.image.facts import MAX_FACTS_BYTES, embedded_facts

SIDECAR = ".json"
"""The suffix of records and reports, and of no picture."""
HIDDEN = ".stylize"
"""What the names of locks and checkpoints begin with."""

_NUMBER = re.compile(r"\.[0-9]{4,}$")
_PEEK_BYTES = 2 * MAX_FACTS_BYTES
"""How much of a file's beginning and end is searched: facts stand before the pixels or behind them."""


def is_recorded(uri: str, *, listed: Container[str] | None = None) -> bool:
    """Whether a record beside a file speaks of it.

    Args:
        listed: every URI of its object store that may lie beside it; None to look there.
    """
    return any(
        _speaks_of(record, uri) for record in records_beside(uri) if listed is None or record in listed
    )


def carries_facts(uri: str) -> bool:
    """Whether a picture or film says that this program made it, for whichever manifest."""
    return bool(facts_of(uri))


def facts_of(uri: str) -> dict[str, str]:
    """What a picture or film says of its making; nothing if it is not of this program.

    It is searched where facts stand. What cannot be read is not ours: reading it as an input will say why.
    """
    if not is_remote(uri):
        return embedded_facts(_local_ends(uri))
    root, name = split_uri(uri)
    try:
        return stored_facts(open_storage(root), name)
    except StorageError:
        return {}


def stored_facts(storage: Storage, name: str) -> dict[str, str]:
    """What a picture or film in a storage says of its making, by its beginning and its end.

    Raises:
        StorageError: it is not there, or could not be read.
    """
    return embedded_facts(storage.ends(name, _PEEK_BYTES))


def own_record(storage: Storage, pair: Pair) -> Record | None:
    """The pair's record; None if there is none, or a damaged one, which may be replaced.

    Raises:
        ForeignFile: something that is not of this program stands there; naming the file and what to do.
        StorageError: the output could not be read.
    """
    try:
        return load_record(storage, pair.record_name)
    except UnreadableRecord as error:
        if not error.damaged:
            raise foreign_record(storage, pair.record_name, error) from None
        return None


def refuse_foreign_files(
    storage: Storage, pair: Pair, record: Record | None, present: Container[str] | None = None
) -> None:
    """Raise if a picture or film that the pair would replace is not of this program.

    Whatever the pair's record speaks of may be replaced.

    Args:
        record: the pair's, if there is one.
        present: the names of what there is below the output, if they are known; else each is tried.

    Raises:
        ForeignFile: naming the file and what to do.
        StorageError: the output could not be read.
    """
    known = record.files if record else frozenset()
    for name in (pair.output_name, *pair.extra_names):
        if name not in known and (present is None or name in present):
            refuse_foreign_file(storage, name)


def refuse_foreign_file(storage: Storage, name: str) -> None:
    """Raise if a file is there that does not say that this program made it.

    A link is nobody's file: it may be replaced, and what it leads to stays. What else cannot be opened is
    left to the writer, who replaces regular files and links only.

    Raises:
        ForeignFile: naming the file and what to do.
        StorageError: it could not be read.
    """
    try:
        ours = bool(stored_facts(storage, name))
    except (NotFound, Denied):
        return
    if not ours:
        raise _foreign(storage, name, "stylize did not make it")


def foreign_record(storage: Storage, name: str, error: UnreadableRecord) -> ForeignFile:
    """The error about somebody else's file where a record goes."""
    return _foreign(storage, name, error.reason if error.newer else "it is no record of stylize")


def _foreign(storage: Storage, name: str, why: str) -> ForeignFile:
    return ForeignFile(
        f"{storage.uri(name)} stands where a result goes, and {why}; move it away, choose another "
        "`name:` or `output:`, or allow it with `foreign_files: replace`"
    )


def may_replace_report(storage: Storage, name: str) -> bool:
    """Whether a report of ours has that name, or nothing at all.

    Raises:
        StorageError: it could not be read.
    """
    try:
        return Report.is_report(storage.read(name))
    except NotFound:
        return True


def records_beside(uri: str) -> Iterator[str]:
    """Where the record of a picture, and that of a snapshot, would lie."""
    folder, slash, name = uri.rpartition("/")
    stem = PurePosixPath(name).stem
    yield folder + slash + stem + SIDECAR
    if _NUMBER.search(stem):
        yield folder + slash + _NUMBER.sub("", stem) + SIDECAR


def _speaks_of(record_uri: str, uri: str) -> bool:
    if not is_remote(record_uri) and not os.path.exists(record_uri):  # noqa: PTH110  asked for every file
        return False
    try:
        root, name = split_uri(record_uri)
        record = load_record(open_storage(root), name)
    except (StorageError, UnreadableRecord):
        return False
    return record is not None and any(uri.endswith("/" + file) for file in record.files)


def read_beginning(path: str) -> bytes:
    """The beginning of a local file; nothing of one that cannot be read."""
    return _local_ends(path)[:_PEEK_BYTES]


def _local_ends(path: str) -> bytes:
    """The beginning and the end of a regular local file; nothing of another one, or one that cannot be read.

    A list may name a FIFO, which nobody must wait for, or a device without an end.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            return b""
        with os.fdopen(handle, "rb", closefd=False) as file:
            return ends_of(file, _PEEK_BYTES)
    except OSError:
        return b""
    finally:
        os.close(handle)
