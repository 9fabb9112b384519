"""Whether a record makes its pair done, and what becomes of the files of a record that is replaced."""

from __future__ import annotations

from typing import BinaryIO

from flows.errors import NotFound, Oversized
from flows.model.identity import Ingredients, differences
from flows.model.pair import Pair
from flows.records.earlier import identity_today, ingredients_today
from flows.records.record import Record, UnreadableRecord
from flows.storage.base import Storage
from flows.text import safe_text

_JSON = "application/json"
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
    if identity_today(record, pair) != identity or not identity:
        made = ingredients_today(record, pair)
        changed = differences(made, ingredients) if made else ""
        return changed or "identity changed"
    if record.output is None or (record.name, record.output.name) != (pair.name, pair.output_name):
        return "record names another picture"
    if size is None:
        return "picture missing"
    if size != record.output.size_bytes:
        return f"picture has {size} bytes, record says {record.output.size_bytes}"
    return ""


def makes_done(record: Record, pair: Pair, identity: str, storage: Storage) -> bool:
    """Whether this record makes the pair done, with the picture that is there now.

    Raises:
        StorageError: nobody can tell whether the picture is there.
    """
    if record.ingredients is None or identity_today(record, pair) != identity:
        return False
    stat = storage.stat(pair.output_name)
    size = None if stat is None else stat.size
    return not why_not_done(record, pair, identity, ingredients=record.ingredients, size=size)


def keep_picture(
    storage: Storage,
    pair: Pair,
    record: Record,
    picture: bytes | BinaryIO,
    *,
    content_type: str,
    before: Record | None,
) -> bool:
    """Write a picture, then the record that makes it count; False if another run made the same meanwhile.

    Where there was no record, the store lets only one run create it. A record of the same picture that has
    come since stays. Whatever else has come (another manifest's record, that of a failure, what nobody can
    read) is replaced: the picture has been replaced already, and the record has to speak of the one there.

    Args:
        picture: its bytes, or a file that holds them and can seek.
        before: the record that stood there before the picture was made; None if there was none of use.

    Raises:
        StorageError: something could not be written.
    """

    def write() -> None:
        if isinstance(picture, bytes):
            storage.write(pair.output_name, picture, content_type=content_type)
        else:
            storage.write_file(pair.output_name, picture, content_type=content_type)

    write()
    if before is None and storage.create(pair.record_name, record.to_bytes(), content_type=_JSON):
        return True
    now = read_record(storage, pair.record_name)
    if now is None or now == before or now.status != "done":
        _replace(storage, pair.record_name, record, old=now)
        return True
    same = now.identity == record.identity
    if not same or (now.output, now.files) != (record.output, record.files):
        # The other run's picture, if only of other bits, may have come between our picture and our record.
        write()
        _replace(storage, pair.record_name, record, old=now)
    return not same


def record_failure(storage: Storage, pair: Pair, record: Record, *, unread: bool = False) -> bool:
    """Write the record of a failure, unless the very picture is there after all; whether it was written.

    Args:
        unread: whether an input could not be read. Then a picture that is done stays, whatever it was made
            of: a disk that is away for a night takes nothing along.

    Raises:
        StorageError: it could not be written.
    """
    old = read_record(storage, pair.record_name)
    if old is not None:
        wanted = identity_today(old, pair) if unread else record.identity
        if makes_done(old, pair, wanted, storage):
            return False
    _replace(storage, pair.record_name, record, old=old)
    return True


def replace_record(storage: Storage, name: str, record: Record) -> None:
    """Write the record; then the old one's files go, unless the new one speaks of them too.

    In this order a picture that some record speaks of is always there. Without the second step the picture of
    older settings could be taken for the one that the new record is about.

    Raises:
        StorageError: it could not be written.
    """
    _replace(storage, name, record, old=read_record(storage, name))


def _replace(storage: Storage, name: str, record: Record, *, old: Record | None) -> None:
    storage.write(name, record.to_bytes(), content_type=_JSON)
    if old is not None:
        for left in sorted(own_files(old, name) - record.files):
            storage.delete(left)


def announce_files(storage: Storage, pair: Pair, record: Record, *, keep_done: bool) -> None:
    """Let a record say which files a try may leave, before the first one is written.

    Args:
        record: of the try, which has not ended, with those files.
        keep_done: whether the very picture, if it is there, stays until the try has made it again. Its own
            record names the same files already.

    Raises:
        StorageError: it could not be written.
    """
    old = read_record(storage, pair.record_name)
    if not (keep_done and old is not None and makes_done(old, pair, record.identity, storage)):
        _replace(storage, pair.record_name, record, old=old)


def withdraw_unfinished(storage: Storage, name: str) -> None:
    """Leave nothing of a try that was given up: first its files, then the record that lists them.

    Raises:
        StorageError: something could not be deleted; then the record is still there.
    """
    record = read_record(storage, name)
    if record is not None and record.unfinished:
        for left in sorted(own_files(record, name)):
            storage.delete(left)
        storage.delete(name)


def own_files(record: Record, name: str) -> frozenset[str]:
    """The record's files that its name allows; a record that was copied there speaks of another pair's."""
    return frozenset(file for file in record.files if file.startswith(name.removesuffix("json")))


def read_record(storage: Storage, name: str) -> Record | None:
    """The record of that name; None if there is none, or none that this program can use."""
    try:
        return load_record(storage, name)
    except UnreadableRecord:
        return None


def load_record(storage: Storage, name: str) -> Record | None:
    """The record of that name, by one request; None if there is nothing.

    Raises:
        UnreadableRecord: there is something else.
        StorageError: it could not be read.
    """
    try:
        return Record.parse(storage.read(name, at_most=LARGEST_RECORD_BYTES))
    except NotFound:
        return None
    except Oversized:
        raise UnreadableRecord(f"it has more than {LARGEST_RECORD_BYTES} bytes") from None
