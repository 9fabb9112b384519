"""How much memory this machine lets a process have, asked without torch."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import psutil

_GROUP_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))


def machine_memory() -> int:
    """All memory that there is for processes of this container or machine, bytes."""
    return min(int(psutil.virtual_memory().total), *_group_limits())


def process_room() -> int:
    """What this process may come to hold without anything else having to give way, bytes."""
    held = int(psutil.Process().memory_info().rss)
    return min(held + int(psutil.virtual_memory().available), *_group_limits())


def free_memory() -> int:
    """What this process may hold beyond what it holds now, bytes; 0 if nothing."""
    return max(0, process_room() - int(psutil.Process().memory_info().rss))


def _group_limits() -> list[int]:
    """What the control group allows, by either version of the interface; a huge number if nothing does."""
    found = [2**63]
    for path in _GROUP_LIMITS:
        with suppress(OSError, ValueError):
            found.append(int(path.read_text()))
    return found
