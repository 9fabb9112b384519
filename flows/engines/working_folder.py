"""Working folders that are taken away from under a run.

A worker of Prefect's makes an empty folder for each flow run, and when it is stopped it removes that while
the run still ends in order, or only just begins. All paths of a run are absolute by then; but no process can
start in a folder that is gone, and neither Prefect nor PyTorch can be loaded there.
"""

from __future__ import annotations

import os

ROOT = os.sep


def leave_lost_folder() -> None:
    """Go to the root if the working folder is gone: a process that starts begins where its parent is."""
    try:
        os.getcwd()  # noqa: PTH109  what multiprocessing asks
    except FileNotFoundError:
        os.chdir(ROOT)


def leave_empty_folder() -> None:
    """Go to the root from a working folder in which no relative path leads anywhere."""
    try:
        with os.scandir() as entries:
            is_empty = next(entries, None) is None
    except OSError:
        is_empty = True
    if is_empty:
        os.chdir(ROOT)
