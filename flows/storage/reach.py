"""Why an S3 service is not reached, in one sentence: its address, and what of the environment counts.

The client library asks through the proxy of HTTPS_PROXY or HTTP_PROXY and trusts what AWS_CA_BUNDLE or
REQUESTS_CA_BUNDLE names; ALL_PROXY and SSL_CERT_FILE, which other programs heed, it does not look at.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from urllib3.exceptions import NameResolutionError

from flows.errors import StorageError, StorageFatal, StorageTransient

_BUNDLES = ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE")


def address_of(endpoint: str) -> str:
    """An endpoint as texts may tell it: scheme, host and port, without what may be a password.

    >>> address_of("https://user:secret@host:9000/path?signature=x")
    'https://host:9000'
    """
    parts = urlsplit(endpoint)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def unreached(error: Exception, place: str, endpoint: str) -> StorageError:
    """What it means that nothing came back from `endpoint`, which `place` names for people."""
    if bundle := _broken_bundle(endpoint):
        return StorageFatal(f"{place}: {bundle}")
    proxy = _proxy_variable(endpoint)
    causes = tuple(_causes(error))
    if any("CERTIFICATE_VERIFY_FAILED" in str(cause) for cause in causes):
        return StorageFatal(f"{place}: its certificate is not trusted; {_trusted()}")
    said = f"{place}: no proper answer from the store ({_why(causes)})"
    if proxy:
        return StorageTransient(
            f"{said} through the proxy that {proxy} names; correct or unset {proxy}, or add "
            "the host to NO_PROXY"
        )
    ignored = next((name for name in ("ALL_PROXY", "all_proxy") if os.environ.get(name)), "")
    hint = f" ({ignored} is not used for S3, HTTPS_PROXY is)" if ignored else ""
    return StorageTransient(f"{said}; check the network{hint}, run again")


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error and what it came from, as boto3, urllib3 and Python chain them."""
    seen: list[BaseException] = []
    while error is not None and error not in seen:
        seen.append(error)
        yield error
        inner = getattr(error, "kwargs", {}).get("error") or getattr(error, "original_error", None)
        error = inner or error.__cause__ or error.__context__


def _why(causes: tuple[BaseException, ...]) -> str:
    name = type(causes[0]).__name__
    if any(isinstance(cause, NameResolutionError) for cause in causes):
        return f"{name}: the host's name is not known"
    if any(isinstance(cause, ConnectionRefusedError) for cause in causes):
        return f"{name}: connection refused"
    wrong = any("WRONG_VERSION_NUMBER" in str(cause) for cause in causes)
    return f"{name}: no TLS there, perhaps http:// is meant" if wrong else name


def _proxy_variable(endpoint: str) -> str:
    """The variable whose proxy is between; empty if there is none."""
    parts = urlsplit(endpoint)
    if not getproxies().get(parts.scheme) or proxy_bypass(parts.hostname or ""):
        return ""
    name = f"{parts.scheme}_proxy"
    return name if os.environ.get(name) else name.upper()


def _broken_bundle(endpoint: str) -> str:
    """What is wrong with the certificates that the environment names, if the endpoint needs any."""
    name = next((name for name in _BUNDLES if os.environ.get(name)), "")
    if not name or not endpoint.startswith("https:"):
        return ""
    path = os.environ[name]
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(**{"capath" if os.path.isdir(path) else "cafile": path})  # noqa: PTH112
    except OSError:
        return f"{name} names {path}, from which no certificates can be read; correct or unset {name}"
    return ""


def _trusted() -> str:
    used = next((name for name in _BUNDLES if os.environ.get(name)), "")
    if used:
        return f"it is not among those of {used}; correct {used} or the endpoint"
    hint = " (SSL_CERT_FILE is not used for S3)" if os.environ.get("SSL_CERT_FILE") else ""
    return f"set AWS_CA_BUNDLE{hint} or the endpoint"
