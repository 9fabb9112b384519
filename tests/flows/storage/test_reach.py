"""An S3 service that is not reached is named with its address and what of the environment counts."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from object_store import Fault, ObjectStore

from flows.errors import StorageError, StorageFatal, StorageTransient
from flows.storage.base import Patience
from flows.storage.opening import open_storage

ONCE = Patience(attempts=1, rounds=1, connect_timeout_s=5, read_timeout_s=5)
READ_TOO_SHORT = Patience(attempts=1, rounds=1, connect_timeout_s=5, read_timeout_s=0.3)


@pytest.fixture(autouse=True)
def _nothing_of_this_machine(object_store: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    for name in ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.delenv(name, raising=False)


def why_not(monkeypatch: pytest.MonkeyPatch, patience: Patience, **variables: str) -> StorageError:
    """The error of a listing with these variables set; one line without a secret."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(StorageError) as caught:
        list(open_storage("s3://stylize-test/out", patience=patience).list())
    text = str(caught.value)
    assert "\n" not in text
    assert "hunter2" not in text
    return caught.value


@contextmanager
def dead_port() -> Iterator[str]:
    """An address at which nobody listens."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{unused.getsockname()[1]}"


@pytest.fixture
def tls_endpoint(tmp_path: Path) -> Iterator[str]:
    """A service whose certificate nobody knows."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(own_certificate(tmp_path))
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=shake_hands, args=(server, context))
        thread.start()
        yield f"https://127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)
    thread.join()


def shake_hands(server: socket.socket, context: ssl.SSLContext) -> None:
    with suppress(OSError):
        while True:
            connection, _ = server.accept()
            with connection, suppress(OSError):
                context.wrap_socket(connection, server_side=True).close()


def own_certificate(folder: Path) -> Path:
    key, name, now = ec.generate_private_key(ec.SECP256R1()), x509.Name([]), datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    dated = builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    certificate = dated.sign(key, hashes.SHA256())
    path = folder / "own.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    return path


def test_an_endpoint_where_nobody_listens_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with dead_port() as address:
        error = why_not(monkeypatch, ONCE, AWS_ENDPOINT_URL_S3=f"http://me:hunter2@{address}")
    assert isinstance(error, StorageTransient)
    assert f"s3://stylize-test/out at http://{address}: no proper answer" in str(error)
    assert "(EndpointConnectionError: connection refused); check the network" in str(error)


def test_a_host_that_is_not_known_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    error = why_not(monkeypatch, ONCE, AWS_ENDPOINT_URL_S3="http://store.invalid:9000")
    assert "at http://store.invalid:9000: " in str(error)
    assert "the host's name is not known" in str(error)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("access_denied", "AccessDenied; allow s3:ListBucket"),
        ("no_such_bucket", "NoSuchBucket: the bucket does not exist"),
        ("expired_token", "no usable credentials (ExpiredToken)"),
        ("slow_down", "SlowDown again and again"),
        ("moved", "PermanentRedirect"),
        ("drop", "ConnectionClosedError"),
    ],
)
def test_what_a_bucket_answers_at_the_start_names_who_answered(
    object_store: ObjectStore, monkeypatch: pytest.MonkeyPatch, fault: Fault, words: str
) -> None:
    object_store.fail("*", "*", fault)
    text = str(why_not(monkeypatch, ONCE))
    assert text.startswith(f"s3://stylize-test/out at {object_store.url}: ")
    assert words in text


def test_an_answer_that_does_not_come_names_who_was_asked(
    object_store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    object_store.fail("LIST", "*", "hang")
    text = str(why_not(monkeypatch, READ_TOO_SHORT))
    assert f"at {object_store.url}: no proper answer from the store (ReadTimeoutError)" in text


def test_a_certificate_that_is_not_trusted_says_which_variable_counts(
    tls_endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = why_not(monkeypatch, ONCE, AWS_ENDPOINT_URL_S3=tls_endpoint, SSL_CERT_FILE="/nowhere/ca.pem")
    assert isinstance(error, StorageFatal)
    assert f"at {tls_endpoint}: its certificate is not trusted" in str(error)
    assert "set AWS_CA_BUNDLE (SSL_CERT_FILE is not used for S3) or the endpoint" in str(error)


@pytest.mark.parametrize("variable", ["AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"])
@pytest.mark.parametrize("content", [None, "no certificate"], ids=["missing", "no certificates"])
def test_a_stale_bundle_of_certificates_is_named_by_its_variable(
    tls_endpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, content: str | None
) -> None:
    bundle = tmp_path / "ca.pem"
    if content:
        bundle.write_text(content)
    error = why_not(monkeypatch, ONCE, AWS_ENDPOINT_URL_S3=tls_endpoint, **{variable: str(bundle)})
    assert isinstance(error, StorageFatal)
    words = f"{variable} names {bundle}, from which no certificates can be read; correct or unset {variable}"
    assert words in str(error)


def test_a_bundle_that_lacks_the_certificate_is_named_by_its_variable(
    tls_endpoint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    bundle = own_certificate(other)
    error = why_not(monkeypatch, ONCE, AWS_ENDPOINT_URL_S3=tls_endpoint, AWS_CA_BUNDLE=str(bundle))
    assert "it is not among those of AWS_CA_BUNDLE; correct AWS_CA_BUNDLE or the endpoint" in str(error)


def test_https_to_a_service_without_it_says_so(
    object_store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = why_not(monkeypatch, ONCE, AWS_ENDPOINT_URL_S3=object_store.url.replace("http:", "https:"))
    assert "no TLS there, perhaps http:// is meant" in str(error)


@pytest.mark.parametrize("proxy", ["http://me:hunter2@{dead}", "socks5://{dead}", "nonsense", "http://["])
@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy"])
def test_a_proxy_that_does_not_work_is_named_by_its_variable(
    monkeypatch: pytest.MonkeyPatch, proxy: str, variable: str
) -> None:
    with dead_port() as dead:
        named = proxy.replace("{dead}", dead)
        error = why_not(
            monkeypatch, ONCE, AWS_ENDPOINT_URL_S3="http://store.invalid:9000", **{variable: named}
        )
    assert "at http://store.invalid:9000: no proper answer" in str(error)
    assert f"through the proxy that {variable} names; correct or unset {variable}" in str(error)


def test_a_host_of_no_proxy_is_no_matter_of_the_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    with dead_port() as dead:
        error = why_not(
            monkeypatch,
            ONCE,
            AWS_ENDPOINT_URL_S3=f"http://{dead}",
            HTTP_PROXY="nonsense",
            NO_PROXY="127.0.0.1",
        )
    assert "check the network, run again" in str(error)
    assert "proxy" not in str(error)


def test_a_proxy_of_a_kind_that_is_not_used_for_s3_is_said_to_be_none(
    object_store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks5://127.0.0.1:1")
    assert list(open_storage("s3://stylize-test/out", patience=ONCE).list()) == []
    error = why_not(monkeypatch, ONCE, AWS_ENDPOINT_URL_S3="http://store.invalid:9000")
    assert "check the network (ALL_PROXY is not used for S3, HTTPS_PROXY is)" in str(error)
