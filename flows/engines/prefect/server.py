"""The Prefect server that the user's environment names."""

from __future__ import annotations

import os
import re
import ssl
import urllib.error
import urllib.request
from http.client import HTTPException

from flows.errors import ServerUnavailable

HEALTH_TIMEOUT_S = 30.0  # a busy server may be slow, and at the start waiting loses nothing


def users_server() -> str:
    """The address in `PREFECT_API_URL`, of a server that answers; empty if none is named.

    Raises:
        ServerUnavailable: one is named and does not answer.
    """
    url = os.environ.get("PREFECT_API_URL", "")
    if url:
        _require_health(url)
    return url


def _require_health(url: str) -> None:
    try:
        _ask_health(url)
    except (OSError, ValueError, HTTPException) as error:
        raise ServerUnavailable(
            f"PREFECT_API_URL is {_without_password(url)}, but no Prefect server answers there "
            f"({_reason(error)}); start that server, or unset PREFECT_API_URL to run without one"
        ) from error


def _without_password(url: str) -> str:
    """The address, less what stands before an `@` in it."""
    return re.sub(r"//[^/]*@", "//", url)


def _ask_health(url: str) -> None:
    """Return if a server answers; wanting a key or showing a strange certificate is Prefect's business."""
    try:
        with urllib.request.urlopen(f"{url.rstrip('/')}/health", timeout=HEALTH_TIMEOUT_S):  # noqa: S310
            pass
    except urllib.error.HTTPError as error:
        with error:
            if error.code not in (401, 403):
                raise
    except urllib.error.URLError as error:
        if not isinstance(error.reason, ssl.SSLCertVerificationError):
            raise


def _reason(error: Exception) -> str:
    """The plain words in a network error."""
    inner = getattr(error, "reason", error)
    return getattr(inner, "strerror", None) or str(inner)
