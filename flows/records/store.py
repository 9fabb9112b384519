"""Whether a record makes its pair done, and what becomes of the files of a record that is replaced."""

from __future__ import annotations

from flows.errors import NotFound
from flows.model.identity import Ingredients, differences
from flows.model.pair import Pair
from flows.records.record import Record, UnreadableRecord
from flows.storage.base import Storage
from flows.storage.opening import read_uri
from flows.text import safe_text

LARGEST_RECORD_BYTES = 16 * 2**20
"""No record of ours comes near; whatever is larger is foreign and is not even read."""


def why_not_done(
    record: Record, pair: Pair, identity: str, *, ingredients: Ingredients, size: int | None
) -> str:
    """Why the pair is not done although it has this record; empty if it is done.

    The one definition of done, for plan, worker and status: the record says so, it is this pair's and of
    what is asked for, and the picture that the pair asks for is there with the recorded size.

    Args:
        identity: of the ingredients; empty while one of them is unknown, and then no pair is done.
        ingredients: what the pair is to be made of, to say what has changed.
        size: of what is stored under the pair's output name, in bytes; None if nothing is.
    """
    if record.status != "done" or record.failure is not None:
        return f"failed before: {safe_text(record.failure.kind)}" if record.failure else "failed before"
    if record.identity != identity or not identity:
        changed = differences(record.ingredients, ingredients) if record.ingredients else ""
        return changed or "identity changed"
    if record.output is None or (record.name, record.output.name) != (pair.name, pair.output_name):
        return "record names another picture"
    if size is None:
        return "picture missing"
    if size != record.output.size_bytes:
        return f"picture has {size} bytes, record says {record.output.size_bytes}"
    return ""


def replace_record(storage: Storage, name: str, record: Record) -> None:
    """Write the record; then the old one's files go, unless the new one speaks of them too.

    In this order a picture that some record speaks of is always there. Without the second step the picture of
    older settings could be taken for the one that the new record is about.

    Raises:
        StorageError: it could not be written.
    """
    old = read_record(storage, name)
    storage.write(name, record.to_bytes(), content_type="application/json")
    if old is not None:
        for left in sorted(_own(old, name) - record.files):
            storage.delete(left)


def withdraw_unfinished(storage: Storage, name: str) -> None:
    """Leave nothing of a try that was given up: first its files, then the record that lists them.

    Raises:
        StorageError: something could not be deleted; then the record is still there.
    """
    record = read_record(storage, name)
    if record is not None and record.unfinished:
        for left in sorted(_own(record, name)):
            storage.delete(left)
        storage.delete(name)


def _own(record: Record, name: str) -> frozenset[str]:
    """The record's files that its name allows; a record that was copied there speaks of another pair's."""
    return frozenset(file for file in record.files if file.startswith(name.removesuffix("json")))


def read_record(storage: Storage, name: str) -> Record | None:
    """The record of that name; None if there is none, or none that this program can use."""
    stat = storage.stat(name)
    if stat is None:
        return None
    try:
        return load_record(storage, name, size=stat.size)
    except UnreadableRecord:
        return None


def record_at(uri: str) -> Record | None:
    """The record at that path or URI, by one request; None if there is something else.

    Raises:
        StorageError: there is nothing, or it could not be read.
    """
    try:
        return Record.parse(read_uri(uri))
    except UnreadableRecord:
        return None


def load_record(storage: Storage, name: str, *, size: int) -> Record | None:
    """The record that a listing has found with that size; None if it is gone meanwhile.

    Raises:
        UnreadableRecord: there is something else.
        StorageError: it could not be read.
    """
    if size > LARGEST_RECORD_BYTES:
        raise UnreadableRecord(f"it has {size} bytes")
    try:
        return Record.parse(storage.read(name))
    except NotFound:
        return None
