"""Who we are among processes: names a process so that others can tell later whether it still lives.

A process number means something only inside one boot of one machine and one process namespace; two containers
with the same host name each have a process 7. `pid_namespace_id()` tells such places apart. Temporary files
have such a name, so that those of dead writers are known.
"""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import socket
import time
from functools import cache
from pathlib import Path

ABANDONED_AFTER_S = 24 * 3600.0
NAME_MAX_BYTES = 255
_TEMPORARY = re.compile(
    r"\..*\.[A-Za-z0-9-]+-(?P<place>[0-9a-f]{8})-(?P<pid>\d+)-[0-9a-f]{12}\.stylize-tmp", re.DOTALL
)


@cache
def hostname() -> str:
    """This machine's name, fit for file names: letters, digits and dashes, at most 40."""
    return re.sub(r"[^A-Za-z0-9]+", "-", socket.gethostname())[:40].strip("-") or "host"


@cache
def pid_namespace_id() -> str:
    """Eight hex digits that two processes share only if they see the same process numbers."""
    boot = Path("/proc/sys/kernel/random/boot_id")
    identity = boot.read_text() if boot.exists() else ""
    own = Path("/proc/self/ns/pid")
    namespace = own.stat().st_ino if own.exists() else 0
    return hashlib.sha256(f"{socket.gethostname()}|{identity}|{namespace}".encode()).hexdigest()[:8]


def is_alive(pid: int) -> bool:
    """Whether a process with this number exists here (a zombie counts as gone, where the system tells)."""
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return _state(pid) not in ("Z", "X")


def process_start_time(pid: int) -> str:
    """When the process began, in the system's own units; empty where the system does not tell.

    Together with the number it survives reuse of the number.
    """
    fields = _status_fields(pid)
    return fields[19] if len(fields) > 19 else ""


def temporary_name(name: str) -> str:
    """A new name beside `name` that says who writes; cut to what file systems take."""
    tail = f".{hostname()}-{pid_namespace_id()}-{os.getpid()}-{secrets.token_hex(6)}.stylize-tmp"
    room = NAME_MAX_BYTES - 1 - len(tail.encode())
    return "." + os.fsencode(name)[:room].decode(errors="ignore") + tail


def is_temporary(name: str) -> bool:
    """Whether a file is called as `temporary_name` calls them."""
    return _TEMPORARY.fullmatch(name) is not None


def is_abandoned(file: os.DirEntry[str]) -> bool:
    """Whether it is a temporary file whose writer is dead here, or one that is older than a day."""
    match = _TEMPORARY.fullmatch(file.name)
    if match is None:
        return False
    if match["place"] == pid_namespace_id() and not is_alive(int(match["pid"])):
        return True
    return time.time() - file.stat(follow_symlinks=False).st_mtime > ABANDONED_AFTER_S


def _state(pid: int) -> str:
    fields = _status_fields(pid)
    return fields[0] if fields else ""


def _status_fields(pid: int) -> list[str]:
    """The fields of /proc/<pid>/stat after the name, which may itself hold spaces and brackets."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return []
