"""The Prefect server that the user's environment names, and why it is not to be had."""

from __future__ import annotations

import os
import re
import ssl
import urllib.error
import urllib.request
from http.client import HTTPException

HEALTH_TIMEOUT_S = 30.0  # a busy server may be slow, and no run waits for the answer


def users_server() -> str:
    """The address in `PREFECT_API_URL`; empty if none is named."""
    return os.environ.get("PREFECT_API_URL", "")


def why_unavailable(url: str) -> str:
    """Why no Prefect server answers there, in a sentence that names the address; empty if one does."""
    try:
        _ask_health(url)
    except (OSError, ValueError, HTTPException) as error:
        return (
            f"PREFECT_API_URL is {_without_password(url)}, but no Prefect server answers there "
            f"({_reason(error)})"
        )
    return ""


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
