"""An S3 server on loopback that fails on request: moto behind a small layer that spoils chosen answers.

Everything is real except the store's disks: real HTTP, real sockets, the real client library.
"""

from __future__ import annotations

import base64
import fnmatch
import hashlib
import io
import os
import random
import re
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, cast
from urllib.parse import parse_qsl

import boto3
import pytest
from botocore.config import Config
from moto.core.base_backend import BackendDict
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from moto.s3.models import s3_backends
from werkzeug.serving import WSGIRequestHandler, make_server

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment
    from mypy_boto3_s3 import S3Client

Fault = Literal[
    "slow_down",  # 503 before anything is done
    "expired_token",
    "bad_signature",
    "access_denied",
    "payer_wanted",  # 403 unless the request says that its sender pays
    "encryption_wanted",  # 403 unless the request says how to encrypt
    "no_signature_wanted",  # 403 if the request is signed, as by credentials that nobody knows here
    "no_conditions",  # 501 if the request has a condition, as stores answer that do not know it
    "condition_unknown",  # 400 likewise
    "not_allowed",  # 405, as a gateway without this method answers
    "no_such_key",
    "no_such_bucket",
    "archived",
    "moved",  # 301 to another region
    "chatty",  # 403 whose code is a text that repeats the request's signature
    "full",  # 507, as some stores answer when their disks are full
    "hang",  # no answer until the store is reset
    "drop",  # connection closed, nothing done
    "drop_after",  # done, but the connection closes before the answer
    "cut_body",  # the promised length, half of the bytes, then the connection closes
    "short_body",  # half of the bytes under a length that agrees with them
    "wrong_bytes",  # the right length, one byte altered
    "web_page",  # 200 with the page of some proxy instead of the answer
    "stale",  # a listing that knows of nothing yet
    "garbled",  # a byte of what is sent arrives altered; the store compares SHA-256, as current ones do
    "garbled_old",  # likewise, and the store knows Content-MD5 alone, as older ones do
    "kms",  # encrypted by a key of the store: the ETag looks like an MD5 and is none
    "error_document",  # 200 with a document about an error, and no digest to tell
    "unproven",  # the right length, one byte altered, and no digest to tell
]
_ANSWERS: dict[str, tuple[str, str]] = {
    "slow_down": ("503 Slow Down", "SlowDown"),
    "expired_token": ("400 Bad Request", "ExpiredToken"),
    "bad_signature": ("403 Forbidden", "SignatureDoesNotMatch"),
    "access_denied": ("403 Forbidden", "AccessDenied"),
    "not_allowed": ("405 Method Not Allowed", "MethodNotAllowed"),
    "no_such_key": ("404 Not Found", "NoSuchKey"),
    "no_such_bucket": ("404 Not Found", "NoSuchBucket"),
    "archived": ("403 Forbidden", "InvalidObjectState"),
    "moved": ("301 Moved Permanently", "PermanentRedirect"),
    "chatty": ("403 Forbidden", "not with {sent}"),
    "no_conditions": ("501 Not Implemented", "NotImplemented"),
    "condition_unknown": ("400 Bad Request", "InvalidArgument"),
    "full": ("507 Insufficient Storage", "XMinioStorageFull"),
    "garbled": ("400 Bad Request", "XAmzContentChecksumMismatch"),
    "garbled_old": ("400 Bad Request", "BadDigest"),
}
_WANTED: dict[str, Callable[[WSGIEnvironment], bool]] = {
    "payer_wanted": lambda environ: environ.get("HTTP_X_AMZ_REQUEST_PAYER") != "requester",
    "encryption_wanted": lambda environ: "HTTP_X_AMZ_SERVER_SIDE_ENCRYPTION" not in environ,
    "no_signature_wanted": lambda environ: "HTTP_AUTHORIZATION" in environ,
    "no_conditions": lambda environ: "HTTP_IF_NONE_MATCH" in environ,
    "condition_unknown": lambda environ: "HTTP_IF_NONE_MATCH" in environ,
}
_DIGESTS = {
    "garbled": ("HTTP_X_AMZ_CHECKSUM_SHA256", "sha256"),
    "garbled_old": ("HTTP_CONTENT_MD5", "md5"),
}
_FOR_CLIENTS = {
    "AWS_ACCESS_KEY_ID": "AKIDTESTTESTTESTTEST",
    "AWS_SECRET_ACCESS_KEY": "secret-for-tests",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "NO_PROXY": "127.0.0.1",
}
ERROR_DOCUMENT = b"<?xml version='1.0'?><Error><Code>InternalError</Code></Error>"
_PAGE = b"<html><body>Please log in to the network</body></html>"


@dataclass
class _Rule:
    method: str
    key: str
    fault: Fault
    left: float
    share: float
    chance: random.Random = field(default_factory=lambda: random.Random(0))

    def takes(self, method: str, key: str) -> bool:
        meant = self.left > 0 and self.method in (method, "*") and fnmatch.fnmatchcase(key, self.key)
        return meant and self.chance.random() < self.share


@dataclass
class ObjectStore:
    """A running server with one bucket.

    Attributes:
        url: endpoint, `http://127.0.0.1:<port>`.
        client: a plain client for looking behind the scenes; its requests are never spoiled or counted.
        hits: (method, key) of every counted request in order; a listing has the method LIST and an empty key.
        listed: the prefix of every counted listing.
        ranges: (key, range) of every counted GET of an object; an empty range means all of it.
        spoiled: how many of them were spoiled by each fault.
    """

    url: str = ""
    bucket: str = "stylize-test"
    hits: list[tuple[str, str]] = field(default_factory=list)
    listed: list[str] = field(default_factory=list)
    ranges: list[tuple[str, str]] = field(default_factory=list)
    spoiled: Counter[str] = field(default_factory=Counter)
    _rules: list[_Rule] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _released: threading.Event = field(default_factory=threading.Event)

    @property
    def root(self) -> str:
        """The bucket as a root for `open_storage`."""
        return f"s3://{self.bucket}"

    @cached_property
    def client(self) -> S3Client:
        """See the class."""
        return boto3.session.Session().client(
            "s3",
            endpoint_url=self.url,
            aws_access_key_id="behind",
            aws_secret_access_key="the-scenes",
            region_name="us-east-1",
            config=Config(user_agent_extra="behind-the-scenes"),
        )

    def fail(
        self, method: str, key: str, fault: Fault, *, times: float = float("inf"), share: float = 1.0
    ) -> None:
        """Spoil the next `times` requests of this method (`*`: any; LIST) whose key matches the pattern.

        With a `share` below 1, so many of them, drawn by chance.
        """
        with self._lock:
            self._rules.append(_Rule(method, key, fault, times, share))

    def heal(self) -> None:
        """Forget all faults and let go of hanging requests."""
        with self._lock:
            self._rules.clear()
        self._released.set()
        self._released = threading.Event()

    def reset(self) -> None:
        """Back to one empty bucket, no faults, no hits."""
        self.heal()
        self.hits.clear()
        self.listed.clear()
        self.ranges.clear()
        self.spoiled.clear()
        cast("BackendDict[Any]", s3_backends).reset()
        self.client.create_bucket(Bucket=self.bucket)

    def lead_clients_here(self, patch: pytest.MonkeyPatch) -> None:
        """Reset the store, and have this process and its children find it, and nothing else of AWS."""
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patch.delenv(name)
        for name, value in _FOR_CLIENTS.items():
            patch.setenv(name, value)
        patch.setenv("AWS_ENDPOINT_URL_S3", self.url)
        self.reset()

    def put(self, key: str, data: bytes) -> None:
        """Store an object as somebody else's tool would: plain, without our metadata."""
        self.client.put_object(Bucket=self.bucket, Key=key, Body=data)

    def put_many(self, keys: Iterable[str]) -> None:
        """Store empty objects, thousands in a second: straight into the server's memory."""
        backend = s3_backends["123456789012"]["aws"]
        for key in keys:
            backend.put_object(self.bucket, key, b"")

    def get(self, key: str) -> bytes:
        """The stored bytes, whatever faults are set."""
        return self.client.get_object(Bucket=self.bucket, Key=key)["Body"].read()

    def count(self, method: str, key: str = "*") -> int:
        """How many counted requests there were."""
        return sum(m == method and fnmatch.fnmatchcase(k, key) for m, k in self.hits)

    def fault_for(self, method: str, key: str) -> Fault | None:
        """Note the request and use up the first rule that takes it."""
        with self._lock:
            self.hits.append((method, key))
            rule = next((rule for rule in self._rules if rule.takes(method, key)), None)
            if rule is None:
                return None
            rule.left -= 1
            self.spoiled[rule.fault] += 1
            return rule.fault

    def hold(self) -> None:
        """Wait until the store is healed."""
        self._released.wait(60)


@contextmanager
def running_object_store() -> Iterator[ObjectStore]:
    """A server in a thread of this process, for as long as the block runs."""
    store = ObjectStore()
    application = _spoiled(store, _one_at_a_time(DomainDispatcherApplication(create_backend_app)))
    server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=_Quiet)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    store.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield store
    finally:
        store.heal()
        server.shutdown()
        thread.join()
        server.server_close()


class _Quiet(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: object) -> None:  # noqa: A002
        pass


def _one_at_a_time(inner: WSGIApplication) -> WSGIApplication:
    """A store replaces an object at once; moto takes it away for a moment, so nobody may look meanwhile."""
    turn = threading.Lock()

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        with turn:
            return inner(environ, start_response)

    return application


def _spoiled(store: ObjectStore, inner: WSGIApplication) -> WSGIApplication:
    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if "behind-the-scenes" in environ.get("HTTP_USER_AGENT", ""):
            return inner(environ, start_response)
        key = environ["PATH_INFO"].encode("latin1").decode().removeprefix(f"/{store.bucket}").lstrip("/")
        method = environ["REQUEST_METHOD"]
        if method == "GET" and not key:
            store.listed.append(dict(parse_qsl(environ["QUERY_STRING"])).get("prefix", ""))
        elif method == "GET":
            store.ranges.append((key, environ.get("HTTP_RANGE", "")))
        fault = store.fault_for("LIST" if method == "GET" and not key else method, key)
        if fault is None:
            return inner(environ, start_response)
        return _answer(fault, store, inner, environ, start_response)

    return application


def _answer(
    fault: Fault,
    store: ObjectStore,
    inner: WSGIApplication,
    environ: WSGIEnvironment,
    start_response: StartResponse,
) -> Iterable[bytes]:
    if fault in _WANTED:
        if _WANTED[fault](environ):
            return _error(fault if fault in _ANSWERS else "access_denied", environ, start_response)
        return inner(environ, start_response)
    if fault in _ANSWERS and fault not in _DIGESTS:
        return _error(fault, environ, start_response)
    if fault == "hang":
        store.hold()
    if fault in ("hang", "drop"):
        return _hung_up(environ)
    if fault == "web_page":
        start_response("200 OK", [("Content-Type", "text/html"), ("Content-Length", str(len(_PAGE)))])
        return [_PAGE]
    if fault in _DIGESTS:
        return _garbled(fault, inner, environ, start_response)
    status, headers, body = _collect(inner, environ)
    if fault == "drop_after":
        return _hung_up(environ)
    if fault == "stale":
        body = re.sub(rb"<Contents>.*?</Contents>", b"", body, flags=re.DOTALL)
    return _spoiled_body(fault, status, headers, body, environ, start_response)


def _error(fault: Fault, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    status, code = _ANSWERS[fault]
    # Servers repeat what they were sent; none of it may reach our texts.
    sent = environ.get("HTTP_AUTHORIZATION", "") + environ.get("HTTP_X_AMZ_SECURITY_TOKEN", "")
    code = code.format(sent=sent)
    body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>not {sent}</Message></Error>".encode()
    environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    start_response(status, [("Content-Type", "application/xml"), ("Content-Length", str(len(body)))])
    return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]


def _garbled(
    fault: Fault, inner: WSGIApplication, environ: WSGIEnvironment, start_response: StartResponse
) -> Iterable[bytes]:
    """Take an altered body for the sent one, unless the digest that this store knows tells."""
    sent = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
    arrived = bytes([sent[0] ^ 1]) + sent[1:]
    header, algorithm = _DIGESTS[fault]
    promised = environ.get(header)
    if promised and promised != base64.b64encode(hashlib.new(algorithm, arrived).digest()).decode():
        return _error(fault, {**environ, "wsgi.input": io.BytesIO()}, start_response)
    # A store verifies what it was promised; what this one does not know, nobody compares.
    known = {name: value for name, value in environ.items() if name not in dict(_DIGESTS.values())}
    return inner({**known, "wsgi.input": io.BytesIO(arrived)}, start_response)


def _spoiled_body(
    fault: Fault,
    status: str,
    headers: dict[str, str],
    body: bytes,
    environ: WSGIEnvironment,
    start_response: StartResponse,
) -> Iterable[bytes]:
    half = body[: len(body) // 2]
    if fault in ("error_document", "unproven"):
        headers = {name: value for name, value in headers.items() if not name.startswith("X-Amz-")}
        headers["Etag"] = '"0123456789abcdef0123456789abcdef-2"'
    if fault == "kms":
        headers |= {"Etag": f'"{"0123456789abcdef" * 2}"', "X-Amz-Server-Side-Encryption": "aws:kms"}
    elif fault in ("wrong_bytes", "unproven"):
        middle = len(body) // 2
        body = body[:middle] + bytes([body[middle] ^ 1]) + body[middle + 1 :]
    elif fault == "error_document":
        body = ERROR_DOCUMENT
    elif fault == "short_body":
        body = half
    headers["Content-Length"] = str(len(body))
    start_response(status, list(headers.items()))
    if fault != "cut_body":
        return [body]
    return _then_hung_up(half, environ)


def _collect(inner: WSGIApplication, environ: WSGIEnvironment) -> tuple[str, dict[str, str], bytes]:
    begun: list[tuple[str, list[tuple[str, str]]]] = []

    def start(status: str, headers: list[tuple[str, str]], *_: object) -> Callable[[bytes], object]:
        begun.append((status, headers))
        return lambda _: None

    body = b"".join(inner(environ, cast("StartResponse", start)))
    status, headers = begun[0]
    return status, {name.title(): value for name, value in headers}, body


def _then_hung_up(half: bytes, environ: WSGIEnvironment) -> Iterator[bytes]:
    yield half
    _hung_up(environ)


def _hung_up(environ: WSGIEnvironment) -> Iterable[bytes]:
    connection: socket.socket = environ["werkzeug.socket"]
    connection.shutdown(socket.SHUT_RDWR)
    raise ConnectionResetError
