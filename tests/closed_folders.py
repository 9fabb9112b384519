"""Folders that nobody may look into, for tests that run as root, whom no file system refuses."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest


def close(folder: Path, patch: pytest.MonkeyPatch) -> Path:
    """Have this folder refuse to be listed from now on; what lies in it is reached by its name."""
    real = os.scandir

    def scandir(place: str = ".") -> Iterator[Any]:
        if str(place) == str(folder):
            raise PermissionError(13, "Permission denied", place)
        return real(place)

    patch.setattr(os, "scandir", scandir)
    return folder
