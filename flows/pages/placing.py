"""Where pages go: beside the pictures, or where the user says; never over somebody else's file."""

from __future__ import annotations

from pathlib import Path

from flows.errors import NotFound, Oversized, StorageError
from flows.storage.base import Storage
from flows.storage.opening import open_storage
from stylize_core.image.facts import embedded_facts

_TYPE = "text/html; charset=utf-8"
_LARGEST_BYTES = 128 * 2**20


def page_before(storage: Storage, name: str) -> bytes:
    """The page that lies there; nothing where there is none, or nothing that could be one.

    Raises:
        StorageError: nobody can tell.
    """
    try:
        return storage.read(name, at_most=_LARGEST_BYTES)
    except (NotFound, Oversized):
        return b""


def is_page(data: bytes) -> bool:
    """Whether these bytes say that this program made them, or are none."""
    return not data or bool(embedded_facts(data[:8192]))


def put_page(storage: Storage, name: str, page: bytes) -> str:
    """Write the page; where it lies."""
    storage.write(name, page, content_type=_TYPE)
    return storage.uri(name)


def storage_of(path: Path) -> tuple[Storage, str]:
    """The folder and the name of a file that the user names.

    Raises:
        StorageError: the folder is not there.
    """
    place = path.absolute()
    if not place.parent.is_dir():
        raise StorageError(f"{place.parent} is no folder; make it, or name another file")
    return open_storage(str(place.parent)), place.name
