"""A real Prefect server on loopback for tests: in its own session and home, gone with its parent.

Prefect can start a server by itself, but then every worker process starts its own, Ctrl-C kills it before its
clients have finished with it, and `kill -9` leaves it behind.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from prefect_server.private_server import LOOPBACK, QUIET, private_server

HEALTH_TIMEOUT_S = 5.0
START_HEALTH_TIMEOUT_S = 30.0  # a busy server may be slow, and at the start waiting loses nothing
DRAIN_TIMEOUT_S = 5.0


@contextmanager
def prefect_server(*, startup_timeout_s: float = 120.0) -> Iterator[str]:
    """Yield the API address of a private Prefect server, with this process set up to use it.

    The block must begin before anything imports prefect, which reads its settings once.

    Raises:
        ServerUnavailable: it does not start.
    """
    if "prefect" in sys.modules:
        raise RuntimeError("prefect was imported before prefect_server() could choose its server")
    with (
        private_server(startup_timeout_s=startup_timeout_s) as (url, home),
        _environment(_private(url, home)),
    ):
        try:
            yield url
        finally:
            _drain_client()


def _common() -> dict[str, str | None]:
    return {**QUIET, "PREFECT_LOGGING_LEVEL": os.environ.get("PREFECT_LOGGING_LEVEL", "WARNING")}


def _private(url: str, home: Path) -> dict[str, str | None]:
    proxied = [name for name in ("NO_PROXY", "no_proxy") if name in os.environ] or ["NO_PROXY"]
    direct = {name: ",".join(filter(None, (os.environ.get(name), LOOPBACK))) for name in proxied}
    profile = {"PREFECT_PROFILE": None}  # it would name a profile of another home
    return {**_common(), **profile, **direct, "PREFECT_HOME": str(home), "PREFECT_API_URL": url}


@contextmanager
def _environment(settings: Mapping[str, str | None]) -> Iterator[None]:
    """Set variables of this process, or remove those with None, for the time of the block."""
    before = {name: os.environ.get(name) for name in settings}
    _set_variables(settings)
    try:
        yield
    finally:
        _set_variables(before)


def _set_variables(settings: Mapping[str, str | None]) -> None:
    for name, value in settings.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def _drain_client() -> None:
    """Let Prefect's client send what it has queued, while there is a server to take it."""
    if "prefect" in sys.modules:
        from prefect.events.worker import EventsWorker
        from prefect.logging.handlers import APILogWorker

        APILogWorker.drain_all(timeout=DRAIN_TIMEOUT_S)
        EventsWorker.drain_all(timeout=DRAIN_TIMEOUT_S)
