"""The private Prefect server's program: `python server_process.py <file descriptor of a bound socket>`.

The parent bound the socket, so no other program can take the port between choosing and using it. Standard
input is a pipe from the parent that nobody writes to: when it ends, the parent has ended, however it did, and
the server ends too and takes its home (`PREFECT_HOME`) along.
"""

from __future__ import annotations

import os
import shutil
import socket
import sys
import threading
import time

import uvicorn
from prefect.server.api.server import create_app

GRACE_S = 3


def main(descriptor: int) -> None:
    """Serve until SIGTERM, or until the parent ends."""
    app = create_app(ephemeral=True, final=True)
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=GRACE_S))
    orphaned = threading.Event()
    threading.Thread(target=_leave_with_parent, args=(server, orphaned), daemon=True).start()
    server.run(sockets=[socket.socket(fileno=descriptor)])
    if orphaned.is_set():
        _remove_home()


def _leave_with_parent(server: uvicorn.Server, orphaned: threading.Event) -> None:
    sys.stdin.buffer.read()
    orphaned.set()
    server.should_exit = True
    time.sleep(2 * GRACE_S)
    _remove_home()
    os._exit(1)


def _remove_home() -> None:
    shutil.rmtree(os.environ["PREFECT_HOME"], ignore_errors=True)


if __name__ == "__main__":
    main(int(sys.argv[1]))
