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

GRACE_S = 3


def main(descriptor: int) -> None:
    """Serve until SIGTERM, or until the parent ends."""
    threading.Thread(target=_leave_with_parent, daemon=True).start()
    import uvicorn  # these take seconds, and the parent may end meanwhile
    from prefect.server.api.server import create_app

    app = create_app(ephemeral=True, final=True)
    config = uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=GRACE_S)
    uvicorn.Server(config).run(sockets=[socket.socket(fileno=descriptor)])


def _leave_with_parent() -> None:
    os.read(sys.stdin.fileno(), 1)  # not buffered: such a reader aborts the interpreter when that ends first
    shutil.rmtree(os.environ["PREFECT_HOME"], ignore_errors=True)
    os._exit(1)  # there is nothing left to end properly


if __name__ == "__main__":
    main(int(sys.argv[1]))
