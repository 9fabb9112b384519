"""The command as users run it: in processes of its own, interrupted, killed, twice at once, on S3."""

from __future__ import annotations

import json
import sys
import zlib
from pathlib import Path

import pytest
from commands import run as run_command
from object_store import ObjectStore
from small_batch import (
    ABOUT_RUNS,
    draw,
    manifest,
    report,
    small_batch,
    stylize,
    stylize_here,
    tree,
    written_at,
)

pytestmark = pytest.mark.slow
LONG = "encoder: slim, size: 64, steps: 60"
CPU = ("--device", "cpu", "--workers", "1")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    small_batch(tmp_path)
    return tmp_path


def whole(home: Path, names: set[str]) -> bool:
    """Whether these files are all that there is below the output, hidden ones included."""
    return {str(p.relative_to(home)) for p in home.rglob("*") if p.is_file()} == names


def names_of(pairs: list[str]) -> set[str]:
    return {pair + suffix for pair in pairs for suffix in (".png", ".json")} | ABOUT_RUNS


def test_a_batch_from_plan_to_status(home: Path) -> None:
    path = home / "m.yaml"
    done = stylize("run", path, *CPU)
    assert (done.returncode, done.stdout.partition("\n")[0]) == (0, "4 of 4 done (4 now, 0 before)")
    assert "[4/4] p1__s1: done in" in done.stderr
    assert len(done.stderr.splitlines()) == 4 + 4, done.stderr  # what it was at before, and the pairs
    assert whole(home / "out", names_of(["p0__s0", "p1__s0", "p0__s1", "p1__s1"]))
    facts = report(home)
    assert {key: facts[key] for key in ("planned", "done", "done_before", "failed", "left", "exit_code")} == {
        "planned": 4, "done": 4, "done_before": 0, "failed": 0, "left": 0, "exit_code": 0,
    }  # fmt: skip
    assert (facts["end"], facts["failures"]) == ("finished", [])
    status = json.loads(stylize("status", path, "--json").stdout)
    assert (status["counts"]["done"], status["running"]) == (4, [])
    assert status["last_report"]["done"] == 4
    nothing_is_left_to_do(home)


def nothing_is_left_to_do(home: Path) -> None:
    """Another run touches no picture, and imports neither torch nor Prefect."""
    before = written_at(home / "out")
    script = (
        "import sys, contextlib; from flows.cli.app import main\n"
        f"sys.argv = ['stylize', 'run', {str(home / 'm.yaml')!r}]\n"
        "with contextlib.suppress(SystemExit): main()\n"
        "print([name for name in ('torch', 'prefect', 'boto3') if name in sys.modules])"
    )
    said, _, loaded = run_command(sys.executable, "-c", script).splitlines()
    assert (said, loaded) == ("4 of 4 done (0 now, 4 before)", "[]")
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
    done = stylize_here("run", home / "m.yaml", *CPU)
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
    again = stylize_here("run", home / "m.yaml", *CPU)
    assert again.returncode == 3, again.stderr
    assert "8 of 14 done (2 now, 6 before); 6 failed (" in again.stdout
    same = {name for name, moment in written_at(home / "out").items() if before.get(name) == moment}
    good = [f"{photo}__{painting}" for photo in ("p0", "p1", "whole") for painting in ("s0", "s1")]
    assert same == names_of(good) - ABOUT_RUNS


def test_s3_gives_the_same_pictures_as_a_folder(home: Path, object_store: ObjectStore) -> None:
    assert stylize_here("run", home / "m.yaml", *CPU).returncode == 0
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
