"""Nights over several workers as operators have them: a real server with real pools, workers and schedules.

A cron fires, machines die in the middle of it, a server goes away, there are new pictures and none, and runs
that somebody stops.
"""

from __future__ import annotations

import json
import os
import re
import signal
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from commands import ROOT
from object_store import ObjectStore, running_object_store
from postgres import postgres
from prefect_site import Site, prefect_site
from processes import eventually
from small_batch import Audience, draw, manifest, report, run_inside, small_batch, tree

from flows.records.checkpoints import PREFIX
from flows.storage.opening import open_storage

pytestmark = [pytest.mark.slow(300), pytest.mark.timeout(900)]

AWAY_S = 60
GIVEN = {"device": "cpu", "workers": 1}
LONG = "encoder: slim, size: 96, steps: 500"
ENDLESS = "encoder: slim, size: 256, steps: 100000"


@pytest.fixture(scope="module")
def store() -> Iterator[ObjectStore]:
    """An object store that all programs here find."""
    with running_object_store() as running, pytest.MonkeyPatch.context() as patch:
        running.lead_clients_here(patch)
        yield running


@pytest.fixture(scope="module")
def prefect(store: ObjectStore, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """An installation with two pools, what the project ships deployed, and a worker for the fleets."""
    with postgres() as database, prefect_site(tmp_path_factory.mktemp("site"), database) as site:
        site.command("automation", "create", "--from-file", str(ROOT / "deploy/automations.yaml"))
        for pool in ("gpu", "control"):
            site.command("work-pool", "create", pool, "--type", "process")
        site.deploy("shard", "fleet")
        site.start_worker("control", "control", limit=2)
        yield site


@pytest.fixture
def site(prefect: Site) -> Site:
    """It, with a worker `a` that makes pictures."""
    if "a" not in prefect.programs:
        prefect.start_worker("a", "gpu")
    return prefect


def records(store: ObjectStore) -> Counter[str]:
    """How often each record was put."""
    names = [key for method, key in store.hits if method == "PUT" and key.endswith(".json")]
    return Counter(name for name in names if "report" not in name)


def cron_run(site: Site) -> str:
    """The first run that the cron begins; a minute has to begin first."""
    began = any(eventually(lambda: bool(site.runs("stylize-fleet")), every_s=1) for _ in range(2))
    assert began, site.said_by("server", "control")
    return str(min(site.runs("stylize-fleet"), key=lambda run: str(run["expected_start_time"]))["id"])


def await_engine(site: Site, worker: str) -> None:
    """Wait until that worker has started the process of a flow run, whose flow takes seconds to begin."""
    begun = any(eventually(lambda: bool(site.processes_of(worker, "prefect.engine"))) for _ in range(2))
    assert begun, site.said_by("control", worker)


def test_a_night_that_a_cron_began_is_whole_although_a_shard_a_worker_and_a_machine_are_lost_in_it(
    site: Site, store: ObjectStore, tmp_path: Path
) -> None:
    batch = small_batch(tmp_path, photos=20, paintings=10)
    manifest(tmp_path, output=f"{store.root}/night")

    def every_minute(deployment: dict[str, Any]) -> None:
        deployment["parameters"] = {"manifest": str(batch), "shards": 4, **GIVEN}
        deployment["schedules"] = [{"cron": "* * * * *", "active": True}]

    site.deploy("nightly", change=every_minute)
    for name in "bc":
        site.start_worker(name, "gpu")
    fleet = cron_run(site)
    for name in "abc":
        await_engine(site, name)
    assert eventually(lambda: len(records(store)) >= 3), site.said_by("a", "b", "c")
    for process in site.processes_of("a", "prefect.engine"):
        os.kill(process, signal.SIGKILL)
    os.kill(site.programs["b"].pid, signal.SIGTERM)
    for process in site.processes_of("c"):
        os.kill(process, signal.SIGKILL)
    ended = site.await_state(fleet, patience=8)
    site.command("deployment", "schedule", "clear", "stylize-fleet/nightly", "--accept-yes")
    for name in "bc":
        site.end(name)
    whole = ("COMPLETED", "200 of 200 done (200 now, 0 before)")
    assert (ended["type"], ended["message"]) == whole, (ended["message"], site.logs_of(fleet))
    assert len(records(store)) == 200
    assert set(records(store).values()) == {1}, "a record was written twice"
    kept = store.client.list_objects_v2(Bucket=store.bucket)["Contents"]
    assert not [item["Key"] for item in kept if ".stylize.lock" in item["Key"]]
    shards = Counter(run["state"]["type"] for run in site.runs("stylize-batch"))
    assert shards == {"COMPLETED": 4, "CRASHED": 3}, "each loss costs its shard one flow run, and none hangs"
    words = [str(run["state"]["message"]) for run in site.runs("stylize-batch")]
    assert sum("no sign of life for 110 s" in one for one in words) == 1, "the machine, by the automation"
    shown = site.artifacts_of(fleet)
    assert shown["progress"]["data"] == 100
    assert "200 of 200 done" in shown["markdown"]["data"]
    names = {run["name"] for run in site.runs("stylize-batch")}
    assert names == {f"m.yaml to {store.bucket}/night {index}/4" for index in range(4)}
    later = [run["id"] for run in site.runs("stylize-fleet") if run["id"] != fleet]
    ends = {site.await_state(run)["type"] for run in later}
    assert ends <= {"CANCELLED", "COMPLETED"}, "one at a time, and what came later found everything done"


def test_a_long_pair_is_finished_by_another_machine_from_where_the_first_one_was(
    site: Site, store: ObjectStore, tmp_path: Path
) -> None:
    small_batch(tmp_path, photos=1, paintings=1)
    entries = "contents: ['photos/*']\nstyles: ['paintings/*']\ncheckpoint: 1s"
    calm = manifest(tmp_path, entries, settings=LONG, output=f"{store.root}/calm")
    assert run_inside(calm, Audience()).exit_code == 0
    batch = manifest(tmp_path, entries, settings=LONG, output=f"{store.root}/long")
    fleet = site.run("stylize-fleet/fleet", manifest=str(batch), shards=1, **GIVEN)
    out = open_storage(f"{store.root}/long")
    assert any(eventually(lambda: any(out.list(PREFIX))) for _ in range(2)), site.said_by("control", "a")
    site.start_worker("b", "gpu")
    os.kill(site.programs["a"].pid, signal.SIGTERM)
    ended = site.await_state(fleet, patience=4)
    for name in "ab":
        site.end(name)
    assert (ended["type"], ended["message"]) == ("COMPLETED", "1 of 1 done (1 now, 0 before)")
    assert re.search(r"went on from a checkpoint after \d+ evaluations", out.read("p0__s0.json").decode())
    assert out.read("p0__s0.png") == open_storage(f"{store.root}/calm").read("p0__s0.png")
    assert not any(out.list(PREFIX))


def test_a_server_that_is_away_for_a_minute_costs_a_fleet_nothing(site: Site, tmp_path: Path) -> None:
    batch = small_batch(tmp_path, photos=4, paintings=3)
    fleet = site.run("stylize-fleet/fleet", manifest=str(batch), shards=3, **GIVEN)
    assert eventually(lambda: bool(list((tmp_path / "out").glob("*.json")))), site.said_by("control", "a")
    site.end("server", signal.SIGKILL)
    time.sleep(AWAY_S)
    site.start_server()
    # What the automation does to a run whose heartbeats it missed; it may have been faster.
    site.ask(f"flow_runs/{fleet}/set_state", {"state": {"type": "CRASHED"}})
    ended = site.await_state(fleet, ("COMPLETED",), patience=6)
    assert ended["message"] == "12 of 12 done (12 now, 0 before)", "what lives sets it right"
    assert report(tmp_path)["done"] == 12


def test_new_pictures_are_made_and_nothing_else_and_an_empty_night_is_a_good_one(
    site: Site, tmp_path: Path
) -> None:
    batch = small_batch(tmp_path, photos=2, paintings=2)
    first = site.await_state(site.run("stylize-batch/shard", manifest=str(batch), **GIVEN))
    assert first["type"] == "COMPLETED", first
    before = tree(tmp_path / "out")
    for number in range(10):
        draw(tmp_path / f"photos/new{number}.png", 40 + number)
    second = site.await_state(site.run("stylize-batch/shard", manifest=str(batch), **GIVEN))
    assert second["message"] == "24 of 24 done (20 now, 4 before)"
    after = tree(tmp_path / "out")
    assert {name: after[name] for name in before} == before
    empty = manifest(tmp_path, "contents: ['photos/*.tif']\nstyles: ['paintings/*']\nallow_empty: true")
    for flow in ("stylize-batch/shard", "stylize-fleet/fleet"):
        night = site.await_state(site.run(flow, manifest=str(empty), **GIVEN))
        assert (night["type"], night["message"]) == ("COMPLETED", "0 of 0 done (0 now, 0 before)")


def test_a_run_with_a_failure_tells_it_in_its_log_and_in_a_table_and_shows_no_traceback(
    site: Site, tmp_path: Path
) -> None:
    batch = small_batch(tmp_path, photos=2, paintings=1)
    (tmp_path / "photos/p1.png").write_text("no photo")
    run = site.run("stylize-batch/shard", manifest=str(batch), cost_per_hour=2.5, **GIVEN)
    ended = site.await_state(run)
    assert (ended["type"], ended["name"]) == ("FAILED", "PartialFailure")
    assert eventually(lambda: not site.processes_of("a", "prefect.engine")), site.said_by("a")
    assert eventually(lambda: any("Finished in state" in line for line in site.logs_of(run)))
    assert any("p1__s0: bad_image" in line for line in site.logs_of(run))
    assert "Traceback" not in "".join(site.logs_of(run))
    shown = site.artifacts_of(run)
    assert [row["pair"] for row in json.loads(shown["table"]["data"])] == ["p1__s0"]
    assert "| cost |" in shown["markdown"]["data"]


def test_of_two_deployments_on_one_output_the_second_waits_and_finds_everything_done(
    site: Site, tmp_path: Path
) -> None:
    batch = small_batch(tmp_path, photos=4, paintings=3)
    site.start_worker("b", "gpu")
    runs = [site.run("stylize-batch/shard", manifest=str(batch), **GIVEN) for _ in range(2)]
    ends = [site.await_state(run) for run in runs]
    site.end("b")
    assert {end["type"] for end in ends} == {"COMPLETED"}, ends
    assert sorted(end["message"] for end in ends) == [
        "12 of 12 done (0 now, 12 before)", "12 of 12 done (12 now, 0 before)",
    ]  # fmt: skip


def test_a_run_that_is_cancelled_in_the_middle_of_a_pair_writes_its_report_and_gives_its_lock_back(
    site: Site, tmp_path: Path
) -> None:
    """Prefect kills what has not ended after 30 s, and what is killed leaves neither."""
    small_batch(tmp_path, photos=1, paintings=1)
    batch = manifest(tmp_path, settings=ENDLESS)
    run = site.run("stylize-batch/shard", manifest=str(batch), **GIVEN)
    lock = tmp_path / "out/.stylize.lock"
    assert eventually(lock.exists), site.said_by("a")
    assert eventually(lambda: "1 pairs to do" in site.logs_of(run))
    site.command("flow-run", "cancel", run)
    assert site.await_state(run, ("CANCELLED", "FAILED", "CRASHED"))["type"] == "CANCELLED"
    assert not lock.exists()
    assert (report(tmp_path)["end"], report(tmp_path)["reason"]) == ("stopped", "SIGTERM")
    assert "Traceback" not in "".join(site.logs_of(run))


def test_a_run_that_is_ended_before_its_flow_has_begun_is_known_to_be_lost(
    site: Site, tmp_path: Path
) -> None:
    batch = small_batch(tmp_path, photos=1, paintings=1)
    run = site.run("stylize-batch/shard", manifest=str(batch), **GIVEN)
    await_engine(site, "a")
    os.kill(site.programs["a"].pid, signal.SIGTERM)
    ended = site.await_state(run)
    site.end("a")
    assert ended["type"] == "CRASHED", ended
    assert not (tmp_path / "out").exists()


def test_a_run_that_is_cancelled_before_its_flow_has_begun_is_cancelled(site: Site, tmp_path: Path) -> None:
    batch = small_batch(tmp_path, photos=1, paintings=1)
    run = site.run("stylize-batch/shard", manifest=str(batch), **GIVEN)
    await_engine(site, "a")
    site.ask(f"flow_runs/{run}/set_state", {"state": {"type": "CANCELLING"}})
    for process in site.processes_of("a", "flow_process"):
        os.kill(process, signal.SIGTERM)  # as the worker does, which may see it later than the flow begins
    assert site.await_state(run)["type"] == "CANCELLED"
    assert not (tmp_path / "out").exists()


def test_a_fleet_that_is_cancelled_takes_its_shards_along(site: Site, tmp_path: Path) -> None:
    small_batch(tmp_path, photos=2, paintings=2)
    batch = manifest(tmp_path, settings=ENDLESS)
    fleet = site.run("stylize-fleet/fleet", manifest=str(batch), shards=2, **GIVEN)
    assert eventually(lambda: bool(list((tmp_path / "out").glob(".stylize.lock-*")))), site.said_by("control")
    site.command("flow-run", "cancel", fleet)
    assert site.await_state(fleet, ("CANCELLED", "FAILED", "CRASHED"))["type"] == "CANCELLED"
    shards = [run["id"] for run in site.runs("stylize-batch") if run["parameters"]["manifest"] == str(batch)]
    ends = {site.await_state(run)["type"] for run in shards}
    assert ends == {"CANCELLED"}
    assert not list((tmp_path / "out").glob(".stylize.lock*"))


def test_a_deployment_refuses_a_device_that_its_machine_lacks_as_the_command_does(
    site: Site, tmp_path: Path
) -> None:
    batch = small_batch(tmp_path, photos=1, paintings=1)
    ended = site.await_state(site.run("stylize-batch/shard", manifest=str(batch), device="cuda:9"))
    assert (ended["type"], ended["name"]) == ("FAILED", "NothingStarted")
    assert "no device 'cuda:9'" in ended["message"]
    assert not list((tmp_path / "out").glob("*.png"))
