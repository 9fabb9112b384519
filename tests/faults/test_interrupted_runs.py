"""Rows 1, 2, 4, 6, 9, 21, 40, 44: runs that are killed, stopped, doubled, kept out, left without a server."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from commands import ROOT
from kill_loop import Place, lasting, local_place, run_with, s3_place
from object_store import ObjectStore
from processes import Family, eventually, family, needs_proc, why_no_mount
from saboteur import Blow
from small_batch import (
    Audience,
    draw,
    manifest,
    report,
    run_inside,
    small_batch,
    stylize,
    stylize_family,
    stylize_here,
    tree,
    written_at,
)

from flows.manifest.load import load_manifest
from flows.planning.plan import make_plan

pytestmark = pytest.mark.slow
LONG = "encoder: slim, size: 64, steps: 60"
CPU = ("--device", "cpu", "--workers", "1")
NOBODY = 65534


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Nine pairs, done by a run that nobody disturbed."""
    folder = tmp_path_factory.mktemp("calm")
    small_batch(folder, photos=3, paintings=3)
    assert run_inside(manifest(folder, settings=LONG, output="calm"), Audience()).exit_code == 0
    return folder


def everybody_ends(program: Family) -> bool:
    return eventually(lambda: not program.members())


@needs_proc
@pytest.mark.parametrize("moment", ["start", "[4/9]", "[9/9]"])
def test_row_01_02_a_run_killed_at_any_moment_is_finished_by_the_same_command(
    calm: Path, moment: str
) -> None:
    output = f"killed-{moment.strip('[]').replace('/', '-')}"
    path = manifest(calm, settings=LONG, output=output)
    with stylize_family("run", path, *CPU) as program:
        if moment == "start":
            assert eventually((calm / output / ".stylize.lock").exists)
        else:
            program.wait_for(moment)
        program.signal(signal.SIGKILL)
        program.end()
        assert everybody_ends(program)
    finish(calm, output)


def finish(home: Path, output: str) -> None:
    """Run again what was broken off: only what is missing is made, and the end is as if nothing had been."""
    before = written_at(home / output)
    recorded = {name.removesuffix(".json") for name in before if name.endswith(".json")}
    done = stylize_here("run", manifest(home, settings=LONG, output=output), *CPU)
    assert done.returncode == 0, done.stderr
    assert f"9 of 9 done ({9 - len(recorded)} now, {len(recorded)} before)" in done.stdout
    after = written_at(home / output)
    for name in recorded:
        assert after[f"{name}.json"] == before[f"{name}.json"]
        assert after[f"{name}.png"] == before[f"{name}.png"]
    assert tree(home / output) == tree(home / "calm")


def end_of(place: Place, blow: Blow | None = None) -> int:
    """How a run of the place's manifest ends, with nobody left."""
    with run_with(blow, place, engine="threads") as program:
        program.end()
        assert everybody_ends(program)
        return program.end()


@needs_proc
@pytest.mark.parametrize("where", ["disk", "s3"])
def test_row_04_a_run_killed_between_picture_and_record_makes_that_pair_again(
    tmp_path: Path, object_store: ObjectStore, where: str
) -> None:
    def place(number: int) -> Place:
        return local_place(tmp_path, number) if where == "disk" else s3_place(tmp_path, number, object_store)

    calm = place(0)
    assert run_inside(calm.manifest, Audience()).exit_code == 0
    undisturbed, killed = lasting(calm.files()), place(1)
    assert end_of(killed, Blow("between", 2, "all")) == -signal.SIGKILL
    left = lasting(killed.files())
    assert left["p1__s0.png"] == undisturbed["p1__s0.png"]
    assert "p1__s0.json" not in left, "no record speaks of it"
    assert left["p0__s0.json"] == undisturbed["p0__s0.json"]
    planned = {one.pair.name: one.reason for one in make_plan(load_manifest(killed.manifest)).todo}
    assert planned["p1__s0"] == "picture without a record"
    assert "p0__s0" not in planned
    assert end_of(killed) == 0
    assert lasting(killed.files()) == undisturbed


@needs_proc
def test_row_06_sigterm_ends_a_run_that_can_go_on(calm: Path) -> None:
    path = manifest(calm, settings=LONG, output="terminated")
    with stylize_family("run", path, *CPU) as program:
        program.wait_for("[1/9]")
        program.program.terminate()
        assert program.end() == 4
        assert everybody_ends(program)
    facts = report(calm, "terminated")
    assert (facts["end"], facts["reason"]) == ("stopped", "SIGTERM")
    assert list((calm / "terminated").glob(".*")) == []


@needs_proc
def test_row_06_40_two_runs_at_once_are_one_and_ctrl_c_ends_it_in_good_order(calm: Path) -> None:
    path = manifest(calm, settings=LONG, output="interrupted")
    with stylize_family("run", path, *CPU) as program:
        program.wait_for("[2/9]")
        second = stylize("run", path, *CPU)
        assert second.returncode == 11
        assert f"process {program.program.pid} on" in second.stderr
        program.signal(signal.SIGINT)
        assert program.end() == 130
        assert everybody_ends(program)
    facts = report(calm, "interrupted")
    assert (facts["end"], facts["exit_code"]) == ("interrupted", 130)
    assert facts["done"] >= 2
    assert facts["left"] == 9 - facts["done"] > 0
    finish(calm, "interrupted")


@needs_proc
def test_row_40_two_runs_whose_lock_was_removed_leave_the_right_tree(calm: Path) -> None:
    """The lock saves double work and guards nothing: both runs go on to the end, in two real processes."""
    path = manifest(calm, settings=LONG, output="unlocked")
    with stylize_family("run", path, *CPU) as first:
        first.wait_for("[2/9]")
        (calm / "unlocked/.stylize.lock").unlink()
        with stylize_family("run", path, *CPU) as second:
            assert first.end() == 0
            assert second.end() == 0
    assert tree(calm / "unlocked") == tree(calm / "calm")
    assert report(calm, "unlocked")["failed"] == 0


@needs_proc
def test_row_21_a_worker_killed_in_the_middle_costs_its_pair_one_try(calm: Path) -> None:
    path = manifest(calm, settings=LONG, output="orphaned")
    with stylize_family("run", path, *CPU) as program:
        program.wait_for("[2/9]")
        (worker,) = program.members("spawn_main")
        assert worker != program.program.pid
        os.kill(worker, signal.SIGKILL)
        assert "SIGKILL" in program.wait_for("p2__s0, ")
        assert program.end() == 0
        assert everybody_ends(program)
    assert tree(calm / "orphaned") == tree(calm / "calm")


@needs_proc
def test_row_44_a_run_outlives_the_users_prefect_server(calm: Path, tmp_path: Path) -> None:
    path = manifest(calm, settings=LONG, output="serverless")
    began = (
        "import signal\n"
        "from prefect_server import prefect_server\n"
        "with prefect_server() as url:\n"
        "    print('url', url, flush=True)\n"
        "    signal.pause()\n"
    )
    with family(began) as server:
        url = server.wait_for("url ")
        with stylize_family("run", path, *CPU, PREFECT_API_URL=url, PREFECT_HOME=str(tmp_path)) as program:
            program.wait_for("[3/9]")
            server.signal(signal.SIGKILL)
            assert program.program.stdout
            said = program.program.stdout.read()
            assert program.end() == 0
            assert everybody_ends(program)
    assert "records are not affected" in said
    assert report(calm, "serverless")["done"] == 9
    assert tree(calm / "serverless") == tree(calm / "calm")


@needs_proc
def test_row_44_a_server_that_is_down_at_the_start_is_said_in_one_sentence(calm: Path) -> None:
    path = manifest(calm, settings=LONG, output="no-server")
    done = stylize("run", path, *CPU, PREFECT_API_URL="http://me:hunter2@127.0.0.1:9/api")
    assert done.returncode == 0, done.stderr
    (said,) = [line for line in done.stderr.splitlines() if "Prefect" in line]
    assert "no Prefect server answers there" in said
    assert said.endswith("records are not affected")
    assert "hunter2" not in done.stderr
    assert tree(calm / "no-server") == tree(calm / "calm")


@pytest.mark.parametrize("shut", ["the folder", "the one above it"])
def test_row_09_an_output_that_nobody_may_write_is_refused_before_the_first_pair(shut: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        home.chmod(0o755)
        draw(home / "p.png", 1)
        entries = "contents: [p.png]\nstyles: [p.png]"
        path = manifest(home, entries, output="shut" if shut == "the folder" else "shut/out")
        (home / "shut").mkdir(mode=0o555)
        done = _as_nobody(path)
        assert done.returncode == 1, done.stderr
        assert f"{home}/shut" in done.stderr
        assert "choose an output that this user can write to" in done.stderr
        assert list((home / "shut").iterdir()) == []


def test_row_09_an_output_on_a_file_system_without_writing_is_refused(tmp_path: Path) -> None:
    draw(tmp_path / "p.png", 1)
    path = manifest(tmp_path, "contents: [p.png]\nstyles: [p.png]", output="/proc/stylize")
    done = stylize("run", path, *CPU)
    assert done.returncode == 1
    assert "choose an output that this user can write to" in done.stderr


READ_ONLY = f"""
import json, subprocess, sys
path, out = sys.argv[1:]
subprocess.run(["mount", "--bind", out, out], check=True)
subprocess.run(["mount", "-o", "remount,bind,ro", out], check=True)
command = "import sys; from flows.cli.app import main; sys.argv = ['stylize', *{{!r}}]; main()"
for arguments in (["run", path, *{CPU!r}], ["plan", path]):
    done = subprocess.run(
        [sys.executable, "-c", command.format(arguments)], capture_output=True, text=True, check=False
    )
    print(json.dumps([done.returncode, done.stdout, done.stderr]))
"""


def test_row_09_an_output_that_is_mounted_read_only_is_refused_and_can_still_be_planned(
    calm: Path,
) -> None:
    """Results of an earlier run lie there; the manifest asks for something else."""
    if why := why_no_mount(calm / "probe"):
        pytest.skip(f"nothing can be mounted here: {why}")
    path = manifest(calm, settings=LONG + ", style_weight: 7", output="calm")
    before = written_at(calm / "calm")
    done = subprocess.run(
        ["unshare", "-rm", sys.executable, "-c", READ_ONLY, str(path), str(calm / "calm")],
        env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    run, plan = map(json.loads, done.stdout.splitlines())
    assert run[0] == 1, run
    assert "read-only file system" in run[2]
    assert "choose an output that this user can write to" in run[2]
    assert plan[0] == 0
    assert "9 pairs, 0 done, 9 to do" in plan[1]
    assert written_at(calm / "calm") == before


def _as_nobody(manifest_path: Path) -> subprocess.CompletedProcess[str]:
    """A run by a user whom permissions bind; root is not. A plan loads all modules while they may be read."""
    script = (
        "import contextlib, os, sys, flows.cli.app, flows.engines.prefect.view, flows.running.run\n"
        f"sys.argv = ['stylize', 'plan', {str(manifest_path)!r}]\n"
        "with contextlib.suppress(SystemExit): flows.cli.app.main()\n"
        f"if os.geteuid() == 0: os.seteuid({NOBODY})\n"
        "sys.argv[1] = 'run'\n"
        "flows.cli.app.main()"
    )
    return subprocess.run(
        [sys.executable, "-c", script],
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
