"""The command as users run it: in processes of its own, interrupted, killed, twice at once, on S3."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
import zlib
from pathlib import Path

import pytest
from commands import run as run_command
from object_store import ObjectStore
from processes import Family, eventually, family, needs_proc
from small_batch import (
    draw,
    manifest,
    report,
    small_batch,
    stylize,
    stylize_family,
    tree,
    written_at,
)

pytestmark = pytest.mark.slow
LONG = "encoder: slim, size: 64, steps: 60"
CPU = ("--device", "cpu")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    small_batch(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Nine pairs, done by a run that nobody disturbed."""
    folder = tmp_path_factory.mktemp("calm")
    path = small_batch(folder, photos=3, paintings=3)
    manifest(folder, settings=LONG, output="calm")
    assert stylize("run", path, *CPU).returncode == 0
    return folder


def whole(home: Path, names: set[str]) -> bool:
    """Whether these files are all that there is below the output, hidden ones included."""
    return {str(p.relative_to(home)) for p in home.rglob("*") if p.is_file()} == names


def names_of(pairs: list[str]) -> set[str]:
    return {pair + suffix for pair in pairs for suffix in (".png", ".json")} | {"report.json"}


def everybody_ends(program: Family) -> bool:
    return eventually(lambda: not program.members())


def test_a_batch_from_plan_to_status(home: Path) -> None:
    path = home / "m.yaml"
    done = stylize("run", path, *CPU)
    assert (done.returncode, done.stdout) == (0, "4 of 4 done (4 now, 0 before)\n")
    assert "[4/4] p1__s1: done in" in done.stderr
    assert len(done.stderr.splitlines()) == 4, done.stderr
    assert whole(home / "out", names_of(["p0__s0", "p1__s0", "p0__s1", "p1__s1"]))
    facts = report(home)
    assert {key: facts[key] for key in ("planned", "done", "done_before", "failed", "left", "exit_code")} == {
        "planned": 4, "done": 4, "done_before": 0, "failed": 0, "left": 0, "exit_code": 0,
    }  # fmt: skip
    assert (facts["end"], facts["failures"]) == ("finished", [])
    status = json.loads(stylize("status", path, "--json").stdout)
    assert (status["counts"]["done"], status["running"]) == (4, None)
    assert status["last_report"]["done"] == 4
    nothing_is_left_to_do(home)


def nothing_is_left_to_do(home: Path) -> None:
    """Another run touches no picture, and imports neither torch nor Prefect."""
    before = written_at(home / "out")
    script = (
        "import sys, contextlib; from flows.cli import main\n"
        f"sys.argv = ['stylize', 'run', {str(home / 'm.yaml')!r}]\n"
        "with contextlib.suppress(SystemExit): main()\n"
        "print([name for name in ('torch', 'prefect', 'boto3') if name in sys.modules])"
    )
    said = run_command(sys.executable, "-c", script).splitlines()
    assert said == ["4 of 4 done (0 now, 4 before)", "[]"]
    assert written_at(home / "out") == before


def test_bad_pictures_cost_their_own_pairs_and_are_tried_again_alone(home: Path) -> None:
    (home / "photos/text.jpg").write_text("no photo")
    draw(home / "photos/whole.jpg", 3)
    data = (home / "photos/whole.jpg").read_bytes()
    (home / "photos/cut.jpg").write_bytes(data[:-100])
    draw(home / "photos/dot.png", 1, width=1, height=1)
    draw(home / "photos/bomb.png", 1, width=1, height=1)
    bomb = bytearray((home / "photos/bomb.png").read_bytes())
    bomb[16:24] = (50_000).to_bytes(4, "big") * 2
    bomb[29:33] = zlib.crc32(bomb[12:29]).to_bytes(4, "big")
    (home / "photos/bomb.png").write_bytes(bomb)
    done = stylize("run", home / "m.yaml", *CPU)
    assert done.returncode == 3, done.stderr
    assert "6 of 14 done (6 now, 0 before); 8 failed (" in done.stdout
    kinds = {failure["name"]: failure["kind"] for failure in report(home)["failures"]}
    assert kinds == {
        f"{photo}__{painting}": kind
        for painting in ("s0", "s1")
        for photo, kind in {
            "text": "bad_image", "cut": "bad_image", "dot": "too_small", "bomb": "too_large",
        }.items()
    }  # fmt: skip
    before = written_at(home / "out")
    (home / "photos/cut.jpg").write_bytes(data)
    again = stylize("run", home / "m.yaml", *CPU)
    assert again.returncode == 3, again.stderr
    assert "8 of 14 done (2 now, 6 before); 6 failed (" in again.stdout
    same = {name for name, moment in written_at(home / "out").items() if before.get(name) == moment}
    good = [f"{photo}__{painting}" for photo in ("p0", "p1", "whole") for painting in ("s0", "s1")]
    assert same == names_of(good) - {"report.json"}


@needs_proc
def test_two_runs_at_once_are_one_run_and_ctrl_c_ends_it_in_good_order(home: Path, calm: Path) -> None:
    path = manifest(calm, settings=LONG, output="interrupted")
    with stylize_family("run", path, *CPU) as program:
        program.wait_for("[2/9]")
        second = stylize("run", path, *CPU)
        assert second.returncode == 11
        assert f"process {program.program.pid} on" in second.stderr
        began = time.monotonic()
        program.signal(signal.SIGINT)
        assert program.end() == 130
        assert time.monotonic() - began < 15
        assert everybody_ends(program)
    facts = report(calm, "interrupted")
    assert (facts["end"], facts["exit_code"]) == ("interrupted", 130)
    assert facts["done"] >= 2
    assert facts["left"] == 9 - facts["done"] > 0
    finish(calm, "interrupted")


@needs_proc
def test_sigterm_ends_a_run_that_can_go_on(calm: Path) -> None:
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
@pytest.mark.parametrize("moment", ["start", "[4/9]", "[9/9]"])
def test_a_run_killed_at_any_moment_is_finished_by_the_same_command(calm: Path, moment: str) -> None:
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
    done = stylize("run", manifest(home, settings=LONG, output=output), *CPU)
    assert done.returncode == 0, done.stderr
    assert f"9 of 9 done ({9 - len(recorded)} now, {len(recorded)} before)" in done.stdout
    after = written_at(home / output)
    for name in recorded:
        assert after[f"{name}.json"] == before[f"{name}.json"]
        assert after[f"{name}.png"] == before[f"{name}.png"]
    assert tree(home / output) == tree(home / "calm")


@needs_proc
def test_a_worker_killed_in_the_middle_costs_its_pair_one_try(calm: Path) -> None:
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


def test_s3_gives_the_same_pictures_as_a_folder(home: Path, object_store: ObjectStore) -> None:
    assert stylize("run", home / "m.yaml", *CPU).returncode == 0
    for path in [*(home / "photos").iterdir(), *(home / "paintings").iterdir()]:
        object_store.put(f"in/{path.parent.name}/{path.name}", path.read_bytes())
    root = object_store.root
    entries = f"contents: ['{root}/in/photos/*']\nstyles: ['{root}/in/paintings/*']"
    path = manifest(home, entries, output=f"{root}/made")
    done = stylize("run", path, *CPU)
    assert done.returncode == 0, done.stderr
    local = {name: data for name, data in tree(home / "out").items() if name.endswith(".png")}
    assert {name: object_store.get(f"made/{name}") for name in local} == local
    listed = object_store.client.list_objects_v2(Bucket=object_store.bucket, Prefix="made/")["Contents"]
    assert {item["Key"].removeprefix("made/") for item in listed} == names_of(
        ["p0__s0", "p1__s0", "p0__s1", "p1__s1"]
    )
    assert json.loads(stylize("status", path, "--json").stdout)["counts"]["done"] == 4


def test_weights_and_devices_that_are_not_there_end_a_run_before_it_begins(home: Path) -> None:
    (home / "w.pth").write_bytes(b"not the weights")
    path = manifest(home, settings=f"encoder: slim, weights: {{file: w.pth, sha256: {'ab' * 32}}}")
    refused = stylize("run", path, *CPU)
    assert refused.returncode == 1
    assert "digest mismatch: expected sha256 abab" in refused.stderr
    assert "Traceback" not in refused.stderr
    refused = stylize("run", path, "--device", "cuda", CUDA_VISIBLE_DEVICES="")
    assert refused.returncode == 1
    assert "there is no device 'cuda'" in refused.stderr
    assert list((home / "out").iterdir()) == []


@needs_proc
def test_a_run_outlives_the_users_prefect_server(calm: Path, tmp_path: Path) -> None:
    path = manifest(calm, settings=LONG, output="serverless")
    began = (
        "import signal\n"
        "from flows.server import prefect_server\n"
        "with prefect_server() as url:\n"
        "    print('url', url, flush=True)\n"
        "    signal.pause()\n"
    )
    with family(began) as server:
        url = server.wait_for("url ")
        with stylize_family("run", path, *CPU, PREFECT_API_URL=url, PREFECT_HOME=str(tmp_path)) as program:
            program.wait_for("[3/9]")
            server.signal(signal.SIGKILL)
            assert program.end() == 0
            assert everybody_ends(program)
    assert report(calm, "serverless")["done"] == 9
    assert tree(calm / "serverless") == tree(calm / "calm")
