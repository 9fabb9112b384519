"""A ready-made database for private Prefect servers, kept in the user's cache folder.

An empty database costs more than half of a server's start in migrations. The first start that has gone
through them leaves a copy behind, one per Prefect version; later ones begin with a copy of that. All of it is
optional: with no cache folder, or a broken copy in it, the server migrates an empty database as usual.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from contextlib import closing, suppress
from importlib.metadata import version
from pathlib import Path

DATABASE = "prefect.db"


def install(home: Path) -> bool:
    """Put a copy of the template into the server's home; False if there is no sound one."""
    database = home / DATABASE
    try:
        shutil.copyfile(_template(), database)
        _check(database)
    except (OSError, RuntimeError, sqlite3.Error):
        database.unlink(missing_ok=True)
        return False
    return True


def keep(home: Path) -> None:
    """Make the template from the database of a server that is up; two runs that do it at once do no harm."""
    with suppress(OSError, RuntimeError, sqlite3.Error):
        template = _template()
        template.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=template.parent, prefix=".new-") as folder:
            fresh = Path(folder) / template.name
            with closing(sqlite3.connect(home / DATABASE)) as live, closing(sqlite3.connect(fresh)) as copy:
                live.backup(copy)
            fresh.replace(template)


def _template() -> Path:
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "stylize" / f"prefect-{version('prefect')}.db"


def _check(database: Path) -> None:
    with closing(sqlite3.connect(database)) as connection:
        if connection.execute("PRAGMA quick_check").fetchone() != ("ok",):
            raise sqlite3.DatabaseError("damaged")
        connection.execute("SELECT version_num FROM alembic_version").fetchone()
