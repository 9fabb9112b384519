"""A Prefect server for this run alone: in its own session and temporary home, gone with its parent.

The parent holds the listening socket and the home, and starts the server again if it dies, so its clients see
a pause and not a refused connection. Without that, a dead server costs Prefect's client minutes of retries,
and seconds for each queued event at exit.
"""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path

from prefect_server import template as server_template

LOOPBACK = "127.0.0.1"
PROGRAM = Path(__file__).with_name("server_process.py")
LOG = "server.log"
RESTARTS = 10
BACKLOG = 128
ANSWER_TIMEOUT_S = 1.0
PAUSE_S = 0.02
STOP_GRACE_S = 8.0
HOME_PREFIX = "stylize-prefect-"
HOLDER = "holder"  # the file whose lock says that the home's run is alive
YOUNG_S = 60.0  # a home this young may not be locked yet

QUIET = {"PREFECT_SERVER_ANALYTICS_ENABLED": "false", "DO_NOT_TRACK": "1"}
SETTINGS = {
    **QUIET,
    "PREFECT_API_BLOCKS_REGISTER_ON_START": "false",
    "PREFECT_SERVER_LOGGING_LEVEL": "WARNING",
    "PREFECT_UI_ENABLED": "false",
}

log = logging.getLogger(__name__)


class ServerUnavailable(Exception):
    """The server did not start."""


@contextmanager
def private_server(*, startup_timeout_s: float) -> Iterator[tuple[str, Path]]:
    """Yield the API address and the home of a server that answers; both are gone after the block.

    Raises:
        ServerUnavailable: it ended or stayed silent for `startup_timeout_s` seconds.
    """
    _sweep_homes()
    with _private_home() as home, socket.socket() as listener:
        listener.bind((LOOPBACK, 0))
        listener.listen(BACKLOG)
        url = f"http://{LOOPBACK}:{listener.getsockname()[1]}/api"
        warm = server_template.install(home)
        server = _Server(home, listener)
        try:
            server.start()
            server.await_health(url, startup_timeout_s)
            if not warm:
                server_template.keep(home)
            threading.Thread(target=server.keep_alive, daemon=True).start()
            yield url, home
        finally:
            server.end()


class _Server:
    """The server's process, and the next one where it dies before `end()`."""

    def __init__(self, home: Path, listener: socket.socket) -> None:
        self._home, self._listener = home, listener
        self._changing, self._ending = threading.Lock(), False

        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = self._launch()

    def await_health(self, url: str, timeout_s: float) -> None:
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                with direct.open(f"{url}/health", timeout=ANSWER_TIMEOUT_S):
                    return
            except (OSError, HTTPException) as error:
                self._give_up_if_hopeless(deadline, error)
            time.sleep(PAUSE_S)

    def keep_alive(self) -> None:
        for left in reversed(range(RESTARTS + 1)):
            code = self._process.wait() if self._process else 0
            with self._changing:
                if self._ending:
                    return
                _close_input(self._process)
                log.warning(
                    "the private Prefect server died (exit code %d) and is %sstarted again",
                    code,
                    "" if left else "not ",
                )
                if left:
                    self._process = self._launch()
        self._listener.close()  # from now on clients are refused instead of kept waiting

    def end(self) -> None:
        with self._changing:
            self._ending = True
        if process := self._process:
            process.terminate()
            try:
                process.wait(STOP_GRACE_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            _close_input(process)

    def _launch(self) -> subprocess.Popen[bytes]:
        foreign = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
        with (self._home / LOG).open("ab") as output:
            return subprocess.Popen(
                [sys.executable, "-P", str(PROGRAM), str(self._listener.fileno())],
                stdin=subprocess.PIPE,  # ends when this process does
                stdout=output,
                stderr=output,
                cwd=self._home,
                env={**foreign, **SETTINGS, "PREFECT_HOME": str(self._home)},
                pass_fds=[self._listener.fileno()],
                start_new_session=True,  # Ctrl-C is for the parent alone
            )

    def _give_up_if_hopeless(self, deadline: float, error: Exception) -> None:
        if (code := self._process.poll() if self._process else None) is not None:
            what = f"ended with exit code {code}"
        elif time.monotonic() > deadline:
            what = f"did not answer in time ({reason(error)})"
        else:
            return
        words = (self._home / LOG).read_text(errors="replace").strip().splitlines() or ["none"]
        raise ServerUnavailable(
            f"the private Prefect server {what}; its last words: {words[-1]}. "
            "Set PREFECT_API_URL to use a server of your own"
        ) from error


def reason(error: Exception) -> str:
    """The plain words in a network error."""
    inner = getattr(error, "reason", error)
    return getattr(inner, "strerror", None) or str(inner)


def _close_input(process: subprocess.Popen[bytes] | None) -> None:
    if process and process.stdin:
        process.stdin.close()


@contextmanager
def _private_home() -> Iterator[Path]:
    """A temporary folder, held by a lock that ends with this process, however it ends."""
    home = Path(tempfile.mkdtemp(prefix=f"{HOME_PREFIX}{os.getpid()}-"))
    try:
        with (home / HOLDER).open("w") as holder:
            fcntl.flock(holder, fcntl.LOCK_EX)
            yield home
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _sweep_homes() -> None:
    """Remove the homes that killed runs of this user left behind."""
    for home in Path(tempfile.gettempdir()).glob(f"{HOME_PREFIX}*"):
        try:
            status = home.lstat()
            if status.st_uid == os.geteuid() and time.time() - status.st_mtime > YOUNG_S:
                with (home / HOLDER).open("a") as holder:
                    fcntl.flock(holder, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(home, ignore_errors=True)
        except OSError:
            continue  # in use, or gone meanwhile
