"""A schedule as users have it: a real server, a work pool, a worker, and a cron that fires by itself.

What may break it lies in no code of ours: the pinned packages decide whether Prefect's scheduler works.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from commands import ROOT
from processes import eventually
from small_batch import report, small_batch

PREFECT = (sys.executable, "-m", "prefect")
DEPLOY = """
from prefect import flow
flow.from_source(source={root!r}, entrypoint="flows/stylize_batch.py:stylize_batch").deploy(
    name="every-minute", work_pool_name="gpu", cron="* * * * *", build=False, push=False,
    print_next_steps=False, parameters={{"manifest": {manifest!r}, "device": "cpu"}},
)
"""


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Where a server of this test alone is, and how its services look around more often than by default."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT", "COV"))}
    return ours | {
        "PYTHONPATH": str(ROOT),
        "PREFECT_HOME": str(tmp_path / "prefect"),
        "PREFECT_API_URL": f"http://127.0.0.1:{port}/api",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        "PREFECT_SERVER_SERVICES_SCHEDULER_LOOP_SECONDS": "5",
        "PREFECT_WORKER_QUERY_SECONDS": "2",
    }


@contextmanager
def running(environment: dict[str, str], log: Path, *words: str) -> Iterator[None]:
    """A program of Prefect's own, in a session of its own, until the block ends."""
    with (
        log.open("wb") as output,
        subprocess.Popen(
            [*PREFECT, *words], env=environment, stdout=output, stderr=output, start_new_session=True
        ) as program,
    ):
        try:
            yield
        finally:
            os.killpg(program.pid, signal.SIGTERM)
            try:
                program.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(program.pid, signal.SIGKILL)


def ask(environment: dict[str, str], path: str) -> Any:
    url = f"{environment['PREFECT_API_URL']}/{path}"
    request = urllib.request.Request(url, b"{}", {"Content-Type": "application/json"})
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def is_up(environment: dict[str, str]) -> bool:
    try:
        with urllib.request.urlopen(f"{environment['PREFECT_API_URL']}/health", timeout=2):
            return True
    except OSError:
        return False


@pytest.mark.slow
def test_a_cron_fires_by_itself_and_its_run_makes_what_the_manifest_asks_for(
    environment: dict[str, str], tmp_path: Path
) -> None:
    path = small_batch(tmp_path, photos=1, paintings=1)

    def ended() -> list[dict[str, Any]]:
        runs = ask(environment, "flow_runs/filter")
        return [run for run in runs if run["state"]["type"] in ("COMPLETED", "FAILED", "CRASHED")]

    host, _, port = environment["PREFECT_API_URL"].removeprefix("http://").partition(":")
    port = port.partition("/")[0]
    with ExitStack() as programs:
        server = ("server", "start", "--host", host, "--port", port, "--no-ui")
        programs.enter_context(running(environment, tmp_path / "server.log", *server))
        assert eventually(lambda: is_up(environment)), (tmp_path / "server.log").read_text()
        for command in (
            [*PREFECT, "work-pool", "create", "gpu", "--type", "process"],
            [sys.executable, "-c", DEPLOY.format(root=str(ROOT), manifest=str(path))],
        ):
            subprocess.run(command, env=environment, check=True, capture_output=True)
        worker = ("worker", "start", "--pool", "gpu", "--limit", "1")
        programs.enter_context(running(environment, tmp_path / "worker.log", *worker))
        # Twice the usual patience: a minute has to begin first, and a run's process to start.
        fired = eventually(lambda: bool(ended())) or eventually(lambda: bool(ended()))
        assert fired, (tmp_path / "server.log").read_text()[-2000:]
        first = min(ended(), key=lambda run: str(run["start_time"]))
    assert first["auto_scheduled"]
    assert (first["state"]["type"], first["state"]["message"]) == (
        "COMPLETED", "1 of 1 done (1 now, 0 before)",
    ), (tmp_path / "worker.log").read_text()[-2000:]  # fmt: skip
    assert report(tmp_path)["done"] == 1
