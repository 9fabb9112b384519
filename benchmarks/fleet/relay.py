"""Hands what passes between a client and a server on, and counts the requests among it."""

from __future__ import annotations

import re
import socket
import threading
import time
from contextlib import suppress

REQUEST = re.compile(rb"((?:GET|HEAD|POST|PUT|PATCH|DELETE) /api/\S*) HTTP/1\.1\r\n")


class Relay:
    """Hands bytes on to the server, and counts the requests among them.

    Attributes:
        port: where it listens, on loopback.
        seen: method and path of each request; what a websocket carries after its own is none.
    """

    def __init__(self, server_port: int) -> None:
        self._server_port = server_port
        self.seen: list[bytes] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]

    def __enter__(self) -> Relay:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()

    @property
    def requests(self) -> int:
        """How many there were so far."""
        return len(self.seen)

    def count(self, seconds: float) -> int:
        """How many requests come in that time."""
        before = self.requests
        time.sleep(seconds)
        return self.requests - before

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._carry, args=(client,), daemon=True).start()

    def _carry(self, client: socket.socket) -> None:
        """Both ways, until both sides have said all."""
        server_address = ("127.0.0.1", self._server_port)
        with client, suppress(OSError), socket.create_connection(server_address) as server:
            back = threading.Thread(target=self._pump, args=(server, client), daemon=True)
            back.start()
            self._pump(client, server)
            back.join()

    def _pump(self, one: socket.socket, other: socket.socket) -> None:
        with suppress(OSError):
            while data := one.recv(65536):
                self.seen += REQUEST.findall(data)  # a client sends the head of a request at once
                other.sendall(data)
        with suppress(OSError):
            other.shutdown(socket.SHUT_WR)
