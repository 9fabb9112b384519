"""The installed command `stylize`: finds the packages that were installed with it, whatever has their names.

`flows` is a name that other projects use too. A folder on PYTHONPATH, or a program that runs in Python before
this one, may hold a package of that name; it is neither run nor run into.
"""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
OURS = ("flows", "stylize_core")
NOTHING_STARTED = 1


def main() -> None:
    """Run the command with our own packages, or refuse in one sentence."""
    if foreign := _taken():
        sys.stderr.write(f"{foreign}; start stylize where nothing imports that one first\n")
        raise SystemExit(NOTHING_STARTED)
    # Worker processes are handed the path as it is here.
    sys.path.insert(0, str(HERE))
    from flows.cli.app import main as run

    run()


def _taken() -> str:
    """Which of our names stands for another package already, and where both are; empty if none does."""
    for name in OURS:
        module = sys.modules.get(name)
        if module is None:
            continue
        found = getattr(module, "__file__", None) or next(iter(getattr(module, "__path__", [])), "nowhere")
        if not Path(found).resolve().is_relative_to(HERE / name):
            return (
                f"stylize needs its own package {name} in {HERE / name}, but {found} was imported before it"
            )
    return ""
