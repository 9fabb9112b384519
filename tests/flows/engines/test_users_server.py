"""The Prefect server that the environment names: it answers, or one sentence says why not."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from flows.engines.prefect.server import users_server, why_unavailable


class _Health(BaseHTTPRequestHandler):
    """`/<status>/health` answers with that status."""

    def do_GET(self) -> None:
        _, status, name = self.path.split("/")
        self.send_response(int(status) if name == "health" else 404)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Keep the test's output clean."""


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), _Health) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_without_a_name_in_the_environment_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    assert users_server() == ""


@pytest.mark.parametrize("status", [200, 401, 403])
def test_a_server_that_answers_is_used_as_it_is(
    server: str, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_API_URL", f"{server}/{status}")
    assert users_server() == f"{server}/{status}"
    assert why_unavailable(users_server()) == ""


@pytest.mark.parametrize("path", ["/404", "/500"])
def test_a_server_that_answers_but_is_not_well_is_named(server: str, path: str) -> None:
    assert path in why_unavailable(server + path)


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/api", "prefect.example", "http://[::1", "ftp:/x"])
def test_a_server_that_does_not_answer_is_named_in_one_line(url: str) -> None:
    said = why_unavailable(url)
    assert said.startswith(f"PREFECT_API_URL is {url}, but no Prefect server answers there (")
    assert "\n" not in said
