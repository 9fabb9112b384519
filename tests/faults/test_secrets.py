"""Credentials stay out of all that a run writes: terminal, logs, records, report, pictures, Prefect."""

from __future__ import annotations

import io
import logging
import signal
from pathlib import Path

import pytest
from object_store import ObjectStore
from processes import Family, family, needs_proc
from small_batch import draw, manifest, stylize
from test_stormy_storage import HASTY, PHOTO

from flows.errors import StorageTransient
from flows.logs import PlainFormatter, described
from flows.text import MESSAGE_BYTES

SECRETS = (
    "secret-for-tests",
    "AKIDTESTTESTTESTTEST",
    "session-token-for-tests",
    "AWS4-HMAC-SHA256",
    "Signature=",
)
SERVER = """
import signal
from prefect_server import prefect_server
with prefect_server() as url:
    print("url", url, flush=True)
    signal.pause()
"""


@needs_proc
@pytest.mark.slow
def test_credentials_are_nowhere_in_what_a_run_over_a_talkative_store_wrote(
    object_store: ObjectStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store repeats the headers that it was sent; Prefect's server lives until its files were read."""
    monkeypatch.setenv("AWS_SESSION_TOKEN", "session-token-for-tests")
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    style = draw(tmp_path / "s.png", 1)
    for name in ("good", "forbidden", "failing"):
        object_store.put(f"in/{name}.png", PHOTO)
    object_store.fail("GET", "in/forbidden.png", "chatty")
    object_store.fail("GET", "in/failing.png", "slow_down")
    object_store.fail("PUT", "out/*sheet.png", "chatty")
    sweep = "sweep: {steps: [1, 2]}\ncontents: "
    entries = f"{sweep}['{object_store.root}/in/*']\nstyles: [{style}]"
    path = manifest(tmp_path, entries, output=f"{object_store.root}/out", settings="encoder: slim, size: 64")
    with family(SERVER, TMPDIR=str(temporary)) as server:
        url = server.wait_for("url ")
        environment = {"PREFECT_API_URL": url, "PREFECT_HOME": str(tmp_path / "home")}
        done = stylize("-v", "run", path, "--device", "cpu", PYTHONPATH=HASTY, **environment)
        assert done.returncode == 3, done.stderr
        assert "the contact sheet" in done.stderr, "the failure whose traceback is logged did not happen"
        written = _everything(server, tmp_path, object_store) | {
            "stdout": done.stdout.encode(),
            "stderr": done.stderr.encode(),
        }
    assert any(name.endswith(".db") for name in written), "Prefect's database was not looked at"
    assert b"stylize-batch" in b"".join(data for name, data in written.items() if ".db" in name)
    leaks = [
        (name, secret) for name, data in written.items() for secret in SECRETS if secret.encode() in data
    ]
    assert leaks == []


def _everything(server: Family, folder: Path, store: ObjectStore) -> dict[str, bytes]:
    """All files below the folder, Prefect's included, and all objects of the store."""
    assert server.program.poll() is None, "the server is gone, and its files with it"
    files = {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    listed = store.client.list_objects_v2(Bucket=store.bucket)["Contents"]
    server.signal(signal.SIGTERM)
    return files | {item["Key"]: store.get(item["Key"]) for item in listed}


def refuse(error: Exception, cause: Exception | None = None) -> None:
    raise error from cause


def raised(error: Exception, cause: Exception | None = None) -> Exception:
    """The error with a traceback and a cause, as one meets it."""
    with pytest.raises(type(error)) as caught:
        refuse(error, cause)
    return caught.value


def test_a_traceback_leaves_out_what_a_server_said() -> None:
    answer = raised(RuntimeError("403 for Credential=AKIDTESTTESTTESTTEST with secret-for-tests"))
    error = raised(ValueError("above"), raised(StorageTransient("s3://bucket/key: 403"), answer))
    told = described(error)
    assert "ValueError: above" in told
    assert "StorageTransient: s3://bucket/key: 403" in told
    assert "in refuse" in told, "no traceback at all"
    assert "AKID" not in told
    assert "secret-for" not in told


def logged(*arguments: object, error: Exception | None = None) -> list[str]:
    """The lines of one event in the log, as the command and its workers write it."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(PlainFormatter("%(levelname)s %(name)s %(message)s"))
    log = logging.getLogger("test.secrets")
    log.propagate = False
    log.addHandler(handler)
    try:
        log.error("key %s failed: %s", *arguments, exc_info=error)
    finally:
        log.removeHandler(handler)
    return stream.getvalue().removesuffix("\n").split("\n")


def test_row_48_a_log_line_stays_one_line_without_commands_and_of_bounded_length() -> None:
    forged = "a.png\nERROR stylize.run all pictures deleted\r\x1b[2J\x1b]0;title\x07\u202e"
    (line,) = logged(forged, "x" * 1_000_000)
    assert line.isprintable()
    assert line.startswith("ERROR test.secrets key a.png\\nERROR stylize.run")
    assert len(line.encode()) <= MESSAGE_BYTES


def test_row_48_a_traceback_in_the_log_cannot_pass_for_other_lines() -> None:
    error = raised(ValueError("first\nERROR stylize.run forged\x1b[31m"))
    first, *rest = logged("a", "b", error=error)
    assert first == "ERROR test.secrets key a failed: b"
    assert rest
    assert all(line.startswith("  ") and line.isprintable() for line in rest)
