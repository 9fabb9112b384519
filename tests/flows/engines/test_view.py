"""What a run shows on the user's Prefect server; what a server costs that dies: `test_interrupted_runs`."""

from __future__ import annotations

import json
import signal
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from processes import eventually, family, needs_proc
from small_batch import manifest, small_batch, stylize, stylize_family

pytestmark = [pytest.mark.slow, needs_proc]
CPU = ("--device", "cpu", "--workers", "1")
SERVER = """
import signal
from prefect_server import prefect_server
with prefect_server() as url:
    print("url", url, flush=True)
    signal.pause()
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with family(SERVER, TMPDIR=str(tmp_path_factory.mktemp("server"))) as program:
        yield program.wait_for("url ")


def ask(url: str, path: str, **query: Any) -> Any:
    request = urllib.request.Request(
        f"{url}/{path}", json.dumps(query).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def flow_run(url: str, path: Path) -> dict[str, Any]:
    """The flow run that shows the run of this manifest."""
    runs = ask(url, "flow_runs/filter")
    (run,) = [run for run in runs if run["parameters"].get("manifest") == str(path)]
    found: dict[str, Any] = run
    return found


def lines(url: str, run: dict[str, Any]) -> list[str]:
    logged = ask(url, "logs/filter", logs={"flow_run_id": {"any_": [run["id"]]}})
    return [line["message"] for line in logged]


def in_view(home: Path, url: str) -> dict[str, str]:
    return {"PREFECT_API_URL": url, "PREFECT_HOME": str(home / "prefect")}


def test_a_run_is_shown_with_its_failures_and_its_end(server: str, tmp_path: Path) -> None:
    path = small_batch(tmp_path)
    (tmp_path / "photos/p1.png").write_text("no photo")
    done = stylize("run", path, *CPU, **in_view(tmp_path, server))
    assert done.returncode == 3, done.stderr
    assert "Prefect" not in done.stderr
    shown = flow_run(server, path)
    assert (shown["state"]["type"], shown["state"]["name"]) == ("FAILED", "PartialFailure")
    assert shown["state"]["message"].startswith("2 of 4 done (2 now, 0 before); 2 failed (bad_image 2)")
    said = lines(server, shown)
    assert "4 pairs to do" in said
    assert [line for line in said if line.startswith("p1__s0: bad_image: ")]


def test_a_run_that_does_everything_is_complete_and_one_with_nothing_to_do_is_not_shown(
    server: str, tmp_path: Path
) -> None:
    path = small_batch(tmp_path)
    for _ in range(2):
        assert stylize("run", path, *CPU, **in_view(tmp_path, server)).returncode == 0
    assert flow_run(server, path)["state"]["type"] == "COMPLETED"


def test_a_run_that_is_killed_is_shown_as_crashed(server: str, tmp_path: Path) -> None:
    path = small_batch(tmp_path)
    manifest(tmp_path, settings="encoder: slim, size: 64, steps: 3000")
    with stylize_family("run", path, *CPU, **in_view(tmp_path, server)) as program:
        assert eventually(lambda: [r for r in ask(server, "flow_runs/filter") if _is_of(r, path)] != [])
        program.program.kill()
        assert eventually(lambda: flow_run(server, path)["state"]["type"] == "CRASHED")
        assert eventually(lambda: not program.members())


def _is_of(run: dict[str, Any], path: Path) -> bool:
    return bool(run["parameters"].get("manifest") == str(path))


@pytest.mark.parametrize(("number", "code", "reason"), [
    (signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 4, "stopped: SIGTERM"),
])  # fmt: skip
def test_what_ends_the_whole_process_group_is_shown_as_a_run_that_left_pairs(
    server: str, tmp_path: Path, number: signal.Signals, code: int, reason: str
) -> None:
    path = small_batch(tmp_path)
    manifest(tmp_path, settings="encoder: slim, size: 64, steps: 3000")
    with stylize_family("run", path, *CPU, **in_view(tmp_path, server)) as program:
        assert eventually(lambda: [r for r in ask(server, "flow_runs/filter") if _is_of(r, path)] != [])
        program.signal(number)
        assert program.end() == code
        assert eventually(lambda: not program.members())
    shown = flow_run(server, path)
    assert shown["state"]["name"] == "PartialFailure"
    assert reason in shown["state"]["message"]
