"""A folder on a local (or mounted) file system as storage."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import stat as modes
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BufferedReader
from itertools import takewhile
from pathlib import Path
from typing import BinaryIO

from flows.errors import Denied
from flows.storage.base import BINARY, BLOCK_BYTES, Closed, Listed, Stat, check_size, checked_name, ends_of
from flows.storage.errors import from_os
from flows.storage.process_id import is_abandoned, is_temporary, temporary_name

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_NO_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}
_NO_FOLDER_SYNC = {errno.EINVAL, errno.EOPNOTSUPP}


# Why so many: the protocol of a storage, and how each path is held inside its root.
class LocalStorage:
    """Files below one folder, which is made when the first file is written."""

    def __init__(self, root: str) -> None:
        self._root = Path(root)

    @property
    def root(self) -> str:
        """The absolute folder."""
        return str(self._root)

    def uri(self, name: str) -> str:
        """The absolute path of `name`."""
        return str(self._root / self._checked(name))

    def read(self, name: str, *, at_most: int | None = None) -> bytes:
        """All bytes of a regular file; a link, folder, FIFO or device is refused without waiting for it."""
        with self._opened(name) as file:
            check_size(os.fstat(file.fileno()).st_size, at_most, place=f"{self.root}/{name}")
            return file.read()

    def blocks(self, name: str) -> Iterator[bytes]:
        """The same in blocks."""
        with self._opened(name) as file:
            while block := file.read(BLOCK_BYTES):
                yield block

    def ends(self, name: str, each: int) -> bytes:
        """The beginning and the end."""
        with self._opened(name) as file:
            return ends_of(file, each)

    def digest(self, name: str) -> str:
        """The SHA-256 of what `read` would return, in hex digits."""
        with self._opened(name) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def stat(self, name: str) -> Stat | None:
        """Size and token of a regular file, None if there is nothing; anything else is refused."""
        path = self._path(name)
        with self._explained(path):
            try:
                found = path.lstat()
            except (FileNotFoundError, NotADirectoryError):
                return None
            _require_regular(found, path)
            return _stat(found)

    def list(self, prefix: str = "", *, closed: Closed | None = None) -> Iterator[Listed]:
        """Regular files whose name starts with `prefix`, sorted; links are neither listed nor entered."""
        start, _, beginning = prefix.rpartition("/")
        folder = self.uri(start) if start else self.root
        below = len(self.root.rstrip("/")) + 1
        named = ((file.path[below:], file) for file in self._walk(folder, closed, beginning))
        wanted = ((n, f) for n, f in named if n.startswith(prefix) and not is_temporary(f.name))
        for name, file in sorted(wanted, key=lambda pair: pair[0]):
            try:
                found = _stat(file.stat(follow_symlinks=False))
            except OSError as error:
                self._pass_over(os.path.dirname(file.path), error, closed)  # noqa: PTH120
            else:
                yield Listed(name, found)

    def write(self, name: str, data: bytes, *, content_type: str = BINARY) -> None:
        """Replace `name` by complete and durable bytes; a link there is replaced, not followed."""
        path = self._path(name)
        with self._explained(path, needed=len(data)):
            _make_folders(path.parent)
            with _temporary(path, data) as temporary:
                temporary.replace(path)
            _sync_folder(path.parent)

    def write_file(self, name: str, file: BinaryIO, *, content_type: str = BINARY) -> None:
        """The same with all that an open file holds."""
        path = self._path(name)
        with self._explained(path, needed=file.seek(0, os.SEEK_END)):
            _make_folders(path.parent)
            with _temporary(path, file) as temporary:
                temporary.replace(path)
            _sync_folder(path.parent)

    def create(self, name: str, data: bytes, *, content_type: str = BINARY) -> bool:
        """Make `name` appear with complete and durable bytes, unless anything of that name exists."""
        path = self._path(name)
        with self._explained(path, needed=len(data)):
            _make_folders(path.parent)
            try:
                _link_new(path, data)
            except FileExistsError:
                return False
            _sync_folder(path.parent)
            return True

    def delete(self, name: str) -> None:
        """Remove the file or link, not what a link leads to."""
        path = self._path(name)
        with self._explained(path, needed=0), suppress(FileNotFoundError, NotADirectoryError):
            path.unlink()
            _sync_folder(path.parent)

    def remove_abandoned(self) -> int:
        """Remove temporary files whose writer is dead on this machine, or that are older than a day.

        What this user may not look into or remove stays: it is no reason not to write elsewhere.
        """
        removed = 0
        for file in self._walk(self.root, lambda _: None):
            with suppress(OSError):
                if is_abandoned(file):
                    Path(file.path).unlink()
                    removed += 1
        return removed

    @contextmanager
    def _opened(self, name: str) -> Iterator[BufferedReader]:
        handle = _open_without_links(self.root, self._checked(name))
        path = f"{self.root}/{name}"
        if handle is None:
            resolved = self._path(name)
            with self._explained(resolved):
                handle = os.open(resolved, _READ)
        try:
            with self._explained(path), os.fdopen(handle, "rb", closefd=False) as file:
                _require_regular(os.fstat(handle), path)
                yield file
        finally:
            os.close(handle)  # also of a folder, of which no file is made

    def _checked(self, name: str) -> str:
        if "//" in name:
            raise Denied(f"{name!r} is not a name below {self._root}; remove the empty part")
        return checked_name(name, root=self.root)

    def _path(self, name: str) -> Path:
        """Where `name` is, with folders resolved; `Denied` if a linked folder leads out of the root."""
        path = Path(self.uri(name))
        with self._explained(path):
            folder = Path(os.path.realpath(path.parent))
        if not folder.is_relative_to(os.path.realpath(self._root)):
            raise Denied(f"{path} leaves {self._root} through a linked folder; replace the link by a folder")
        return folder / path.name

    def _walk(self, start: str, closed: Closed | None, beginning: str = "") -> Iterator[os.DirEntry[str]]:
        """Every regular file below the folder `start`, by way of its entries whose names begin so.

        Nothing if the folder does not exist.
        """
        folders = [start]
        while folders:
            folder = folders.pop()
            try:
                with os.scandir(folder) as found:
                    entries = [entry for entry in found if entry.name.startswith(beginning)]
                folders += [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]
                files = [entry for entry in entries if entry.is_file(follow_symlinks=False)]
            except OSError as error:
                self._pass_over(folder, error, closed)
                continue
            beginning = ""
            yield from files

    def _pass_over(self, folder: str, error: OSError, closed: Closed | None) -> None:
        """Go on without what is gone; with a folder below the root that is closed if somebody hears of it."""
        if isinstance(error, FileNotFoundError | NotADirectoryError):
            return
        if closed is None or folder == self.root:
            raise from_os(error, Path(folder), root=Path(os.path.realpath(self._root))) from error
        closed(folder[len(self.root.rstrip("/")) + 1 :] + "/")

    @contextmanager
    def _explained(self, path: Path | str, *, needed: int | None = None) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise from_os(
                error, Path(path), root=Path(os.path.realpath(self._root)), needed=needed
            ) from error


def _open_without_links(root: str, name: str) -> int | None:
    """A handle of the file by a walk from folder to folder that follows no link below the root.

    None where there is a link on the way, or anything else to be said about it. It is several times as fast
    as to resolve the path first, and a plan reads a hundred thousand records.
    """
    *folders, last = name.split("/")
    try:
        folder = os.open(root, _FOLDER)
    except OSError:
        return None
    try:
        for part in folders:
            inner = os.open(part, _FOLDER | os.O_NOFOLLOW, dir_fd=folder)
            os.close(folder)
            folder = inner
        return os.open(last, _READ, dir_fd=folder)
    except OSError:
        return None
    finally:
        os.close(folder)


def _stat(found: os.stat_result) -> Stat:
    return Stat(found.st_size, f"{found.st_mtime_ns}-{found.st_ino}")


def _require_regular(found: os.stat_result, path: Path | str) -> None:
    if not modes.S_ISREG(found.st_mode):
        raise Denied(f"{path} is not a regular file (a link, folder, FIFO or device); put a plain file there")


def _make_folders(folder: Path) -> None:
    """Make the folder and its parents, each durable in its own parent."""
    missing = list(takewhile(lambda parent: not parent.is_dir(), (folder, *folder.parents)))
    for new in reversed(missing):
        with suppress(FileExistsError):
            new.mkdir()
        _sync_folder(new.parent)


@contextmanager
def _temporary(path: Path, data: bytes | BinaryIO) -> Iterator[Path]:
    """A durable file with `data`, or what that file holds, beside `path`; gone afterwards unless renamed."""
    temporary = path.with_name(temporary_name(path.name))
    try:
        _write_new(temporary, data)
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)


def _write_new(path: Path, data: bytes | BinaryIO) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
    with os.fdopen(handle, "wb") as file:
        if isinstance(data, bytes | bytearray):
            file.write(data)
        else:
            data.seek(0)
            shutil.copyfileobj(data, file, BLOCK_BYTES)
        file.flush()
        os.fsync(handle)


def _link_new(path: Path, data: bytes) -> None:
    """Give `path` its bytes at once by a hard link; where there are none, it is empty for a moment before."""
    with _temporary(path, data) as temporary:
        try:
            path.hardlink_to(temporary)
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            _write_new(path, b"")  # who comes second finds it there
            try:
                temporary.replace(path)
            except OSError:
                path.unlink(missing_ok=True)
                raise


def _sync_folder(folder: Path) -> None:
    """Make the names in the folder durable, as far as its file system can; some mounted ones cannot."""
    handle = os.open(folder, _FOLDER)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in _NO_FOLDER_SYNC:
            raise
    finally:
        os.close(handle)
