"""A Prefect installation as operators have it, on loopback: a server, work pools, workers, deployments."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import yaml
from commands import ROOT
from prefect_server import template as server_template
from processes import eventually

PREFECT = (sys.executable, "-m", "prefect", "--no-prompt")
FINAL = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")
LOOPBACK = "127.0.0.1"
MARK = "STYLIZE_TEST_WORKER"


@dataclass
class Site:
    """A place with a server of its own; its programs look around more often than by default.

    Attributes:
        home: a folder for the database, and for what the programs say.
        environment: of every program here.
        programs: those that were started and are not ended yet, by their names.
    """

    home: Path
    port: int
    environment: dict[str, str]
    programs: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    # ---- programs

    def start(self, name: str, *words: str, **environment: str) -> subprocess.Popen[bytes]:
        """Start a program of Prefect's own, in a session of its own."""
        with self.log_of(name).open("ab") as log:
            program = subprocess.Popen(
                [*PREFECT, *words],
                env=self.environment | environment,
                cwd=self.home,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.programs[name] = program
        return program

    def start_server(self) -> None:
        """Start the server, and wait until it answers."""
        where = ("--host", LOOPBACK, "--port", str(self.port))
        self.start("server", "server", "start", *where, "--no-ui")
        assert eventually(self.is_up), self.said_by("server")

    def start_worker(self, name: str, pool: str, *, limit: int = 1, **environment: str) -> None:
        """Start a worker of a pool."""
        mark = {MARK: f"{self.port}-{name}"}
        self.start(
            name,
            "worker",
            "start",
            "--pool",
            pool,
            "--name",
            name,
            "--limit",
            str(limit),
            **mark,
            **environment,
        )

    def processes_of(self, name: str, words: str = "") -> list[int]:
        """The ids of a worker and of all that it has started whose command line contains `words`."""
        mark = f"{MARK}={self.port}-{name}".encode()
        found = []
        for folder in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                ours = mark in (folder / "environ").read_bytes().split(b"\0")
                if ours and words.encode() in (folder / "cmdline").read_bytes():
                    found.append(int(folder.name))
        return found

    def end(self, name: str, number: int = signal.SIGTERM) -> None:
        """End a program and all that it has started in its session."""
        program = self.programs.pop(name)
        with suppress(ProcessLookupError):
            os.killpg(program.pid, number)
        try:
            program.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(program.pid, signal.SIGKILL)
            program.wait()

    def command(self, *words: str) -> str:
        """Run a command of Prefect's to its end; what it says."""
        done = subprocess.run(
            [*PREFECT, *words],
            env=self.environment,
            cwd=self.home,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def log_of(self, name: str) -> Path:
        """Where a program's words go."""
        return self.home / f"{name}.log"

    def said_by(self, *names: str) -> str:
        """The last words of some programs, for messages of tests."""
        return "\n".join(f"{name}: {self.log_of(name).read_text(errors='replace')[-3000:]}" for name in names)

    # ---- what stands in prefect.yaml

    def deploy(self, *names: str, change: Callable[[dict[str, Any]], None] = lambda deployment: None) -> None:
        """Deploy what prefect.yaml describes under these names, with changes of the test's own."""
        described = yaml.safe_load((ROOT / "prefect.yaml").read_text())
        chosen = [one for one in described["deployments"] if one["name"] in names]
        assert len(chosen) == len(names), f"prefect.yaml has {described['deployments']}"
        for one in chosen:
            change(one)
        file = self.home / "prefect.yaml"
        file.write_text(yaml.safe_dump(described | {"deployments": chosen}))
        self.command("deploy", "--all", "--prefect-file", str(file))

    # ---- the server's own answers

    def ask(self, path: str, body: object = None, *, method: str = "") -> Any:
        """An answer of the server's API."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            f"{self.environment['PREFECT_API_URL']}/{path}", data, {"Content-Type": "application/json"},
            method=method or ("GET" if data is None else "POST"),
        )  # fmt: skip
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.loads(answer.read() or b"null")

    def is_up(self) -> bool:
        """Whether the server answers."""
        try:
            return self.ask("health") is True
        except OSError:
            return False

    def run(self, deployment: str, **parameters: object) -> str:
        """Start a run of a deployment, named as `flow/deployment`; its id."""
        found = self.ask(f"deployments/name/{deployment}")
        wanted = {"parameters": parameters, "state": {"type": "SCHEDULED"}}
        return str(self.ask(f"deployments/{found['id']}/create_flow_run", wanted)["id"])

    def runs(self, flow: str = "") -> list[dict[str, Any]]:
        """All flow runs, or those of one flow."""
        chosen = {"flows": {"name": {"any_": [flow]}}} if flow else {}
        found: list[dict[str, Any]] = self.ask("flow_runs/filter", chosen | {"limit": 200})
        return found

    def state(self, run: str) -> dict[str, Any]:
        """The state of a flow run."""
        found: dict[str, Any] = self.ask(f"flow_runs/{run}")["state"]
        return found

    def await_state(self, run: str, types: Sequence[str] = FINAL, *, patience: int = 2) -> dict[str, Any]:
        """Wait until a flow run is in a state of such a type; patience counts the usual one."""
        reached = any(eventually(lambda: self._type_of(run) in types, every_s=1) for _ in range(patience))
        assert reached, (self.state(run), self.said_by(*self.programs))
        return self.state(run)

    def _type_of(self, run: str) -> str:
        try:
            return str(self.state(run)["type"])
        except OSError as error:
            if isinstance(error, HTTPError):
                raise
            return "the server is away"

    def logs_of(self, run: str) -> list[str]:
        """What stands in a flow run's own log."""
        wanted = {"logs": {"flow_run_id": {"any_": [run]}}, "sort": "TIMESTAMP_ASC", "limit": 200}
        return [str(line["message"]) for line in self.ask("logs/filter", wanted)]

    def artifacts_of(self, run: str) -> dict[str, dict[str, Any]]:
        """A flow run's artifacts, by their kinds."""
        wanted = {"artifacts": {"flow_run_id": {"any_": [run]}}, "sort": "CREATED_DESC"}
        return {str(one["type"]): one for one in self.ask("artifacts/filter", wanted)}


@contextmanager
def prefect_site(home: Path, database: str = "", *, scheduled_every_s: int = 5) -> Iterator[Site]:
    """A site whose server answers; afterwards nothing of it runs any more.

    Args:
        database: the URL of the server's database; empty for SQLite, which bears one worker.
        scheduled_every_s: how often the server looks for schedules; Prefect's own 60 cost it less.
    """
    home.mkdir(parents=True, exist_ok=True)
    (home / "prefect").mkdir()
    if not database:
        server_template.install(home / "prefect")  # saves the migrations of an empty database
    with socket.socket() as free:
        free.bind((LOOPBACK, 0))
        port = free.getsockname()[1]
    foreign = {name: value for name, value in os.environ.items() if not name.startswith(("PREFECT", "COV"))}
    settings = {
        "PYTHONPATH": str(ROOT),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",  # an activated environment
        "PREFECT_HOME": str(home / "prefect"),
        "PREFECT_API_URL": f"http://{LOOPBACK}:{port}/api",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        "PREFECT_SERVER_SERVICES_SCHEDULER_LOOP_SECONDS": str(scheduled_every_s),
        "PREFECT_WORKER_QUERY_SECONDS": "2",
        "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",
    }
    if database:
        settings["PREFECT_API_DATABASE_CONNECTION_URL"] = database
    site = Site(home, port, foreign | settings)
    try:
        site.start_server()
        yield site
    finally:
        for name in list(reversed(site.programs)):
            site.end(name)
