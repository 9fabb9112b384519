"""What a shard asks of a Prefect server, counted between a real worker and a real server."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.fleet.relay import Relay
from benchmarks.many_pairs.batch import ROOT, write_manifest

SHARDS = 3
IDLE_S = 60.0
LONGEST_S = 300.0
PREFECT = (sys.executable, "-m", "prefect")
DEPLOY = """
from prefect import flow
flow.from_source(source={root!r}, entrypoint="flows/stylize_batch.py:stylize_batch").deploy(
    name="shard", work_pool_name="gpu", build=False, push=False, print_next_steps=False,
    parameters={{"manifest": {manifest!r}, "device": "cpu"}},
)
"""


@dataclass(frozen=True, slots=True)
class ServerTerms:
    """What the server has to do; the shards are so short that nothing in them depends on time.

    Attributes:
        states: changes of a shard's state, from scheduled to its end.
        requests: to the server for each shard, its start by a worker and its log included.
        idle_per_s: of a worker that has nothing to do.
    """

    states: float
    requests: float
    idle_per_s: float


def server_terms() -> ServerTerms:
    """A worker first idle for a minute, then with shards one after the other."""
    sys.path.append(str(ROOT / "tests"))
    from prefect_server.private_server import private_server  # the server that the tests use

    with (
        private_server(startup_timeout_s=120) as (url, home),
        Relay(int(url.split(":")[2].split("/")[0])) as relay,
        tempfile.TemporaryDirectory() as folder,
    ):
        ours = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT")}
        ours |= {"PYTHONPATH": str(ROOT), "PREFECT_HOME": str(home), "PREFECT_API_URL": url}
        manifest = write_manifest(Path(folder), output="out", size=64, steps=1)
        deploy = DEPLOY.format(root=str(ROOT), manifest=str(manifest))
        for words in (
            [*PREFECT, "work-pool", "create", "gpu", "--type", "process"],
            [sys.executable, "-c", deploy],
        ):
            subprocess.run(words, env=ours, check=True, capture_output=True)
        with _worker(ours | {"PREFECT_API_URL": f"http://127.0.0.1:{relay.port}/api"}):
            while not relay.requests:
                time.sleep(0.1)
            time.sleep(10)  # until it has introduced itself
            idle_per_s = relay.count(IDLE_S) / IDLE_S
            return _with_shards(url, relay, idle_per_s)


def _with_shards(url: str, relay: Relay, idle_per_s: float) -> ServerTerms:
    (deployment,) = _ask(url, "deployments/filter")
    began, before = time.monotonic(), relay.requests
    for index in range(SHARDS):
        run = {"parameters": {"shard": f"{index}/{SHARDS}"}}
        _ask(url, f"deployments/{deployment['id']}/create_flow_run", run)
    while not all(ended := [run["state_type"] in ("COMPLETED", "FAILED") for run in _runs(url)]):
        if time.monotonic() - began > LONGEST_S:
            raise TimeoutError(f"only {sum(ended)} of {SHARDS} shards have ended")
        time.sleep(1)
    time.sleep(5)  # what is sent at the end of a process
    idle = idle_per_s * (time.monotonic() - began)
    states = sum(len(_ask(url, f"flow_run_states/?flow_run_id={run['id']}", None)) for run in _runs(url))
    return ServerTerms(states / SHARDS, (relay.requests - before - idle) / SHARDS, idle_per_s)


def _runs(url: str) -> Any:
    return _ask(url, "flow_runs/filter")


def _ask(url: str, path: str, body: dict[str, Any] | None = {}) -> Any:  # noqa: B006  read only
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{url}/{path}", data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


@contextmanager
def _worker(environment: dict[str, str]) -> Iterator[None]:
    words = [*PREFECT, "worker", "start", "--pool", "gpu", "--limit", "1"]
    quiet = subprocess.DEVNULL
    with subprocess.Popen(words, env=environment, stdout=quiet, stderr=quiet, start_new_session=True) as it:
        try:
            yield
        finally:
            with suppress(ProcessLookupError):
                os.killpg(it.pid, signal.SIGKILL)
