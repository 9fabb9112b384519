"""Row 40: runs that make the same pairs at once, in real processes; each picture counts once."""

from __future__ import annotations

import json
from collections import Counter
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from object_store import ObjectStore
from processes import Family, eventually, family
from small_batch import FAST, Audience, draw, manifest, run_inside, stylize, tree

pytestmark = pytest.mark.slow
PAIRS = 4

# A run whose worker waits, with every picture computed and nothing of it written, for the other run's.
RACER = """
import json, os
from pathlib import Path
from processes import eventually
from small_batch import Audience
from flows.engines.local import LocalEngine
from flows.manifest.load import load_manifest
from flows.running.run import run_shard
from flows.worker import pipeline
from flows.worker.main import DeviceWorker

publish = pipeline.publish

def both_at_once(step):
    gate = Path({gates!r}) / step.task.job.pair.name
    gate.mkdir(parents=True, exist_ok=True)
    (gate / str(os.getpid())).touch()
    assert eventually(lambda: len(list(gate.iterdir())) == 2)
    return publish(step)

pipeline.publish = both_at_once
audience = Audience()
engine = LocalEngine(
    on_progress=audience.pair_progress, note=audience.note,
    make_worker=lambda device, spec, on_progress: DeviceWorker(device),
)
report = run_shard(load_manifest({manifest!r}), device="cpu", workers=1, listener=audience, engine=engine)
print("ended", json.dumps({{"report": json.loads(report.to_bytes()), "outcomes": audience.statuses()}}))
"""


def racer(path: Path, gates: Path) -> AbstractContextManager[Family]:
    return family(RACER.format(manifest=str(path), gates=str(gates)))


def told(program: Family) -> dict[str, Any]:
    """What a racer says when it has ended."""
    facts: dict[str, Any] = json.loads(program.wait_for("ended "))
    return facts


def race(path: Path, gates: Path, storage_without_lock: Any) -> list[dict[str, Any]]:
    """Two runs over the same pairs, the lock of the first deleted by hand; what each of them says."""
    with racer(path, gates) as first:
        assert eventually(lambda: gates.exists()), first.errors()
        storage_without_lock()
        with racer(path, gates) as second:
            return [told(first), told(second)]


def require_each_pair_counted_once(ended: list[dict[str, Any]]) -> None:
    reports = [one["report"] for one in ended]
    assert [(one["done"], one["failed"], one["left"], one["exit_code"]) for one in reports] == [
        (PAIRS, 0, 0, 0)
    ] * 2, "for both runs all is done"
    assert sum(one["double_work"] for one in reports) == PAIRS, "and one of the two made each pair in vain"
    statuses = Counter(status for one in ended for status in one["outcomes"].values())
    assert statuses == {"done": PAIRS, "skipped": PAIRS}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Four pairs, done in `calm` by a run that nobody disturbed."""
    for number in range(PAIRS):
        draw(tmp_path / f"photos/p{number}.png", number)
    draw(tmp_path / "paintings/s0.png", 10)
    assert run_inside(manifest(tmp_path, output="calm"), Audience()).exit_code == 0
    return tmp_path


def test_row_40_of_two_runs_on_a_folder_one_records_each_pair_and_the_other_counts_double_work(
    home: Path,
) -> None:
    path = manifest(home)
    ended = race(path, home / "gates", (home / "out/.stylize.lock").unlink)
    require_each_pair_counted_once(ended)
    assert tree(home / "out") == tree(home / "calm")
    again = stylize("run", path, "--device", "cpu")
    assert again.stdout.partition("\n")[0] == f"{PAIRS} of {PAIRS} done (0 now, {PAIRS} before)"


def test_row_40_of_two_runs_on_a_store_one_creates_each_record_and_the_other_counts_double_work(
    home: Path, object_store: ObjectStore
) -> None:
    bucket, client = object_store.bucket, object_store.client
    client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    path = manifest(home, settings=FAST, output=f"{object_store.root}/out")
    ended = race(path, home / "gates", lambda: client.delete_object(Bucket=bucket, Key="out/.stylize.lock"))
    require_each_pair_counted_once(ended)
    versions = Counter(one["Key"] for one in client.list_object_versions(Bucket=bucket)["Versions"])
    names = [f"p{number}__s0" for number in range(PAIRS)]
    assert [versions[f"out/{name}.json"] for name in names] == [1] * PAIRS, "each record is stored once"
    assert [object_store.count("PUT", f"out/{name}.json") for name in names] == [2] * PAIRS
    for name in names:
        assert object_store.get(f"out/{name}.png") == (home / f"calm/{name}.png").read_bytes()
    again = stylize("run", path, "--device", "cpu")
    assert again.stdout.partition("\n")[0] == f"{PAIRS} of {PAIRS} done (0 now, {PAIRS} before)", again.stderr


def test_a_store_that_knows_no_conditions_costs_a_run_one_line(home: Path, object_store: ObjectStore) -> None:
    object_store.fail("PUT", "*", "no_conditions")
    path = manifest(home, output=f"{object_store.root}/out")
    ended = stylize("run", path, "--device", "cpu", "--workers", "2")
    assert (ended.returncode, ended.stdout.partition("\n")[0]) == (
        0,
        f"{PAIRS} of {PAIRS} done ({PAIRS} now, 0 before)",
    )
    assert ended.stderr.count("does not know If-None-Match") == 1
