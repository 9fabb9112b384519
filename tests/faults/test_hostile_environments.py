"""A fault of the user's environment costs one clear line, or nothing; never a traceback, never a picture."""

from __future__ import annotations

import os
import shutil
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from processes import needs_proc, why_no_mount
from small_batch import report, small_batch
from test_unheard import QUIET_ENDS, RUN, shell

from flows.engines.prefect import view
from flows.engines.prefect.view import PrefectView


class _Sick(BaseHTTPRequestHandler):
    """A server that says it is well, and can do nothing else."""

    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/api/health" else 500)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_POST(self) -> None:
        self.do_GET()

    def log_message(self, *_: object) -> None:
        """Keep the test's output clean."""


@pytest.fixture(scope="module")
def sick() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), _Sick) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/api"
        server.shutdown()
        thread.join()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in (*view_process_variables(), *map(str.lower, view_process_variables())):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path / "prefect"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def view_process_variables() -> tuple[str, ...]:
    return ("SSL_CERT_FILE", "SSL_CERT_DIR", "ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY")


def shown(url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """What the user is told of a run that shows itself there and does nothing else."""
    monkeypatch.setenv("PREFECT_API_URL", url)
    notes: list[str] = []
    with PrefectView({}, notes.append) as one:
        one.expect(1)
    (note,) = notes
    assert note.startswith("Prefect could not be told of the run (")
    assert note.endswith("); records are not affected")
    assert "\n" not in note
    return note


@pytest.mark.slow
@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"SSL_CERT_FILE": "/nowhere"}, "look at SSL_CERT_FILE"),
        ({"ALL_PROXY": "socks5://127.0.0.1:1"}, "look at ALL_PROXY"),
        ({"http_proxy": "http://me:hunter2@127.0.0.1:1"}, "Connection refused); look at HTTP_PROXY"),
        ({"NO_PROXY": "::1,fe80::/10"}, "look at NO_PROXY"),
        # these two do no harm, so what the server says is what is told
        ({"PREFECT_LOGGING_LEVEL": "LOUD", "HOME": "/proc/nowhere", "TMPDIR": "/nowhere"}, "500"),
        ({"PREFECT_HOME": "/proc/nowhere", "PREFECT_API_KEY": "hunter2"}, "500"),
    ],
    ids=str,
)
def test_a_view_that_the_environment_breaks_names_what_to_look_at(
    variables: dict[str, str], words: str, sick: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(view, "BROKEN_OFF_S", 60.0)
    monkeypatch.setattr(view, "GRACE_S", 60.0)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    said = shown(sick, monkeypatch)
    assert words in said
    assert "hunter2" not in said


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("prefect.toml", b"broken = = [", "prefect.toml"),
        ("prefect.toml", b"[api]\nrequest_timeout = 'soon'\n", "request_timeout"),
        ("pyproject.toml", b"[tool.prefect.api]\nrequest_timeout = 'soon'\n", "request_timeout"),
        (".env", b"\xff\xfe=1\n", "UnicodeDecodeError"),
    ],
)
def test_a_view_that_a_file_in_the_working_folder_breaks_says_what_is_wrong_with_it(
    name: str, data: bytes, words: str, sick: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(view, "GRACE_S", 60.0)
    (folder / name).write_bytes(data)
    assert words in shown(sick, monkeypatch)


def test_a_server_that_never_answers_is_not_waited_for(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(view, "GRACE_S", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        said = shown(f"http://127.0.0.1:{silent.getsockname()[1]}/api", monkeypatch)
    assert "its server does not answer" in said


HOSTILE = {
    "HOME": "/proc/nowhere", "TMPDIR": "/nowhere", "SSL_CERT_FILE": "/nowhere", "HTTP_PROXY": "nonsense",
    "ALL_PROXY": "socks5://127.0.0.1:1", "NO_PROXY": "::1,fe80::/10", "TERM": "dumb", "COLUMNS": "1",
    "LC_ALL": "C", "LANG": "C", "PREFECT_LOGGING_LEVEL": "LOUD", "PREFECT_HOME": "/proc/nowhere",
}  # fmt: skip


@pytest.mark.slow
@needs_proc
@pytest.mark.parametrize(("prefix", "url"), [("", "nonsense"), ("unset HOME; ulimit -n 64; ", "")])
def test_a_run_needs_nothing_of_what_is_broken_around_it(tmp_path: Path, prefix: str, url: str) -> None:
    small_batch(tmp_path)
    for name in ("prefect.toml", "pyproject.toml", ".env"):
        (tmp_path / name).write_bytes(b"\xff = = [")
    named = {"PREFECT_API_URL": url} if url else {}
    done = shell(tmp_path, f"{prefix}S {RUN}", **HOSTILE, **named)
    assert done.returncode == 0, done.stderr
    assert report(tmp_path)["done"] == 4
    assert not [words for words in QUIET_ENDS if words in done.stderr]
    assert len([line for line in done.stderr.splitlines() if "Prefect" in line]) == bool(url)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("before", "code", "words"),
    [
        ("cp m.yaml photos; cd photos; rm -r ../photos; ", 1, "m.yaml: the working folder is gone"),
        ("ulimit -f 0; ", 1, "file too large"),
    ],
)
def test_a_fault_of_the_environment_that_stops_the_run_is_one_clear_error(
    tmp_path: Path, before: str, code: int, words: str
) -> None:
    small_batch(tmp_path)
    done = shell(tmp_path, f"{before}S {RUN}")
    assert (done.returncode, [word for word in QUIET_ENDS if word in done.stderr]) == (code, []), done.stderr
    assert words in done.stderr


NO_SHM = (
    "mkdir dev; for n in null zero random urandom; do touch dev/$n; mount --bind /dev/$n dev/$n; done; "
    "mount --rbind dev /dev; test ! -e /dev/shm || exit 99; "
)


@pytest.mark.slow
def test_a_machine_without_shared_memory_makes_every_picture(tmp_path: Path) -> None:
    if why := why_no_mount(tmp_path / "probe"):
        pytest.skip(f"nothing can be mounted here: {why}")
    small_batch(tmp_path)
    done = shell(tmp_path, f"export -f S; unshare -rm bash -c '{NO_SHM} S {RUN}'")
    assert done.returncode == 0, done.stderr
    assert report(tmp_path)["done"] == 4
    assert not [words for words in QUIET_ENDS if words in done.stderr]


@pytest.mark.slow
@pytest.mark.parametrize("server", ["", "http://127.0.0.1:9/api"])
def test_a_working_folder_that_one_may_not_enter_is_one_clear_error(tmp_path: Path, server: str) -> None:
    """Such as that of another user, whose shell a service was started from."""
    small_batch(tmp_path)
    as_user = "setpriv --bounding-set=-dac_override,-dac_read_search " if os.geteuid() == 0 else ""
    if as_user and not shutil.which("setpriv"):
        pytest.skip("root may enter every folder, and there is no setpriv to take that from it")
    home, run = tmp_path, RUN.replace("m.yaml", str(tmp_path / "m.yaml"))
    named = {"PREFECT_API_URL": server} if server else {}
    shut = f"mkdir shut; cd shut; chmod 0 .; export -f S; {as_user}bash -c"
    done = shell(home, f"{shut} 'S {run}'; code=$?; chmod 755 {home}/shut; exit $code", **named)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines()[0] == "checking inputs"
    (said,) = done.stderr.splitlines()[1:]
    assert said == "no worker can start in this working folder (Permission denied); go to another one"
    assert not [path for path in (home / "out").rglob("*") if path.suffix in (".png", ".json")]
