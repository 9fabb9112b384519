"""The Prefect server of one run: the user's where `PREFECT_API_URL` names one, else a private one.

Prefect can start a server by itself, but then every worker process starts its own, Ctrl-C kills it before its
clients have finished with it, and `kill -9` leaves it behind.
"""

from __future__ import annotations

import os
import re
import ssl
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path

from flows.engines.prefect.private_server import LOOPBACK, QUIET, private_server, reason
from flows.errors import ServerUnavailable

HEALTH_TIMEOUT_S = 5.0
START_HEALTH_TIMEOUT_S = 30.0  # a busy server may be slow, and at the start waiting loses nothing
DRAIN_TIMEOUT_S = 5.0


@contextmanager
def prefect_server(*, startup_timeout_s: float = 120.0) -> Iterator[str]:
    """Yield the API address of a Prefect server that answers, with this process set up to use it.

    With `PREFECT_API_URL` set, that is the server. Otherwise a private one runs until the block ends; the
    block must then begin before anything imports prefect, which reads its settings once.

    Raises:
        ServerUnavailable: the user's server does not answer, or the private one does not start.
    """
    if url := os.environ.get("PREFECT_API_URL"):
        _require_health(url)
        with _environment(_common()):
            yield url
        return
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


def answers(url: str) -> bool:
    """Whether a Prefect server answers at this API address.

    After the death of the user's server Prefect's client holds up the end of the program by seconds for every
    event it has not sent; a program that has done its work may then leave without it.
    """
    try:
        _ask_health(url)
    except (OSError, ValueError, HTTPException):
        return False
    return True


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


def _require_health(url: str) -> None:
    try:
        _ask_health(url, timeout_s=START_HEALTH_TIMEOUT_S)
    except (OSError, ValueError, HTTPException) as error:
        raise ServerUnavailable(
            f"PREFECT_API_URL is {_without_password(url)}, but no Prefect server answers there "
            f"({reason(error)}); start that server, or unset PREFECT_API_URL to run with a private one"
        ) from error


def _without_password(url: str) -> str:
    """The address, less what stands before an `@` in it."""
    return re.sub(r"//[^/]*@", "//", url)


def _ask_health(url: str, *, timeout_s: float = HEALTH_TIMEOUT_S) -> None:
    """Return if a server answers; wanting a key or showing a strange certificate is Prefect's business."""
    try:
        with urllib.request.urlopen(f"{url.rstrip('/')}/health", timeout=timeout_s):  # noqa: S310
            pass
    except urllib.error.HTTPError as error:
        with error:
            if error.code not in (401, 403):
                raise
    except urllib.error.URLError as error:
        if not isinstance(error.reason, ssl.SSLCertVerificationError):
            raise


def _drain_client() -> None:
    """Let Prefect's client send what it has queued, while there is a server to take it."""
    if "prefect" in sys.modules:
        from prefect.events.worker import EventsWorker
        from prefect.logging.handlers import APILogWorker

        APILogWorker.drain_all(timeout=DRAIN_TIMEOUT_S)
        EventsWorker.drain_all(timeout=DRAIN_TIMEOUT_S)
