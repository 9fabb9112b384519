"""deploy/compose.yaml: its fields, and its server, on a real PostgreSQL, and worker by its own checks."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal

import asyncpg
import pytest
from deployed import DEPLOY, from_yaml
from postgres import postgres
from processes import eventually
from pydantic import BaseModel, ConfigDict, Field

TEXT = (DEPLOY / "compose.yaml").read_text()
FILE: dict[str, Any] = from_yaml("compose.yaml")
SERVICES: dict[str, Any] = FILE["services"]
VARIABLE = re.compile(r"\$\{(\w+)(:[-?])?([^}]*)\}")
DATABASE = "PREFECT_SERVER_DATABASE_CONNECTION_URL"
Duration = Annotated[str, Field(pattern=r"^\d+s$")]


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Check(Strict):
    test: list[str]
    interval: Duration
    timeout: Duration
    retries: int


class Dependency(Strict):
    condition: Literal["service_healthy"]


class Device(Strict):
    driver: str
    count: int | Literal["all"]
    capabilities: list[str]


class Reservations(Strict):
    devices: list[Device]


class Resources(Strict):
    reservations: Reservations


class Deploy(Strict):
    resources: Resources


# Why so many: a field for each key of a service that the file uses.
class Service(Strict):
    image: str
    build: str | None = None
    command: list[str] | None = None
    environment: dict[str, str | None]
    ports: list[str] = []
    volumes: list[str] = []
    depends_on: dict[str, Dependency] = {}
    healthcheck: Check
    stop_grace_period: Duration | None = None
    restart: Literal["unless-stopped"]
    deploy: Deploy | None = None


class Compose(Strict):
    """What we use of the Compose Specification."""

    name: str
    services: dict[str, Service]
    volumes: dict[str, None]


def test_its_fields_are_those_of_the_specification() -> None:
    compose = Compose.model_validate(FILE)
    named = {name for service in compose.services.values() for name in service.depends_on}
    assert named < compose.services.keys()
    builds = [DEPLOY / service.build for service in compose.services.values() if service.build]
    assert [(build / "Dockerfile").is_file() for build in builds] == [True]
    mounted = {
        volume.partition(":")[0] for service in compose.services.values() for volume in service.volumes
    }
    assert mounted == compose.volumes.keys()


def test_nothing_is_reachable_from_other_machines() -> None:
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_it_holds_no_secret_and_says_what_to_do_without_one() -> None:
    variables = {match[1]: (match[2], match[3]) for match in VARIABLE.finditer(TEXT)}
    assert all(kind for kind, _ in variables.values()), "each has a default or an error"
    kind, text = variables.pop("POSTGRES_PASSWORD")
    assert kind == ":?"
    assert "deploy/.env" in text
    assert variables == {"STYLIZE_IMAGE": (":-", "stylize")}
    settings = [
        (name, value) for service in SERVICES.values() for name, value in service["environment"].items()
    ]
    secret = [value for name, value in settings if re.search("PASSWORD|SECRET|KEY|TOKEN", name)]
    assert secret
    assert all(value is None or VARIABLE.fullmatch(value) for value in secret)
    ignored = (DEPLOY.parent / ".gitignore").read_text().splitlines()
    assert ".env" in ignored


def test_the_settings_are_ones_that_prefect_knows() -> None:
    from prefect.settings.models.root import Settings

    known = str(Settings.model_json_schema())
    for service in ("server", "worker"):
        names = [name for name in SERVICES[service]["environment"] if name.startswith("PREFECT")]
        assert names
        assert all(f"'{name}'" in known for name in names)
    address = SERVICES["server"]["environment"][DATABASE]
    assert address.startswith("postgresql+asyncpg://prefect:")
    assert address.endswith("@postgres:5432/prefect")


def test_a_worker_has_a_minute_to_stop_its_runs() -> None:
    assert SERVICES["worker"]["stop_grace_period"] == "60s"


@pytest.mark.slow
def test_the_server_on_postgres_and_the_worker_start_and_their_health_checks_find_them_well(
    tmp_path: Path,
) -> None:
    port, worker_port = _free_port(), _free_port()
    at = f"127.0.0.1:{port}"
    with postgres() as database:
        here = {
            "PREFECT_HOME": str(tmp_path / "prefect"),
            DATABASE: database,
            "PREFECT_API_URL": f"http://{at}/api",
            "PREFECT_WORKER_WEBSERVER_PORT": str(worker_port),
        }
        other = {"0.0.0.0": "127.0.0.1", "4200": str(port)}
        with _started(tmp_path, "server", other, here):
            assert eventually(lambda: _is_well("server", "127.0.0.1:4200", at)), _log(tmp_path, "server")
            with _started(tmp_path, "worker", {}, here):
                moved = f"127.0.0.1:{worker_port}"
                well = eventually(lambda: _is_well("worker", "127.0.0.1:8080", moved))
                assert well, _log(tmp_path, "worker")
                pool = ("gpu", "process")  # in the database itself, so no other one was meant
                assert eventually(lambda: asyncio.run(_pools(database)) == [pool]), _log(tmp_path, "worker")
        assert not _is_well("server", "127.0.0.1:4200", at), "a check that is content with nothing"


async def _pools(database: str) -> list[tuple[str, str]]:
    """The names and types of all work pools."""
    connection = await asyncpg.connect(database.replace("+asyncpg", ""))
    try:
        return [tuple(row) for row in await connection.fetch("SELECT name, type FROM work_pool")]
    finally:
        await connection.close()


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def _ours(words: list[str]) -> list[str]:
    """A command of the image, by the Python of this test run."""
    programs = {"prefect": [sys.executable, "-m", "prefect"], "python": [sys.executable]}
    return programs[words[0]] + words[1:]


@contextmanager
def _started(home: Path, name: str, other: dict[str, str], here: dict[str, str]) -> Iterator[None]:
    """The service as its file has it, but for the words and settings that mean other machines."""
    words = _ours([other.get(word, word) for word in SERVICES[name]["command"]])
    assert all(word in SERVICES[name]["command"] for word in other)
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("PREFECT", "COV"))}
    said = {key: value for key, value in SERVICES[name]["environment"].items() if value is not None}
    environment = clean | said | here
    with (
        (home / f"{name}.log").open("wb") as log,
        subprocess.Popen(words, env=environment, stdout=log, stderr=log, start_new_session=True) as program,
    ):
        try:
            yield
        finally:
            os.killpg(program.pid, signal.SIGTERM)
            try:
                program.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(program.pid, signal.SIGKILL)


def _is_well(name: str, address: str, moved: str) -> bool:
    """What the service's own health check says, asked at another port."""
    kind, *words = SERVICES[name]["healthcheck"]["test"]
    assert kind == "CMD"
    assert address in words[-1]
    check = _ours([word.replace(address, moved) for word in words])
    return subprocess.run(check, stderr=subprocess.DEVNULL, check=False).returncode == 0


def _log(home: Path, name: str) -> str:
    return (home / f"{name}.log").read_text()[-2000:]
