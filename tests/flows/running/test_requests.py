"""What a run over a shard asks of an object store: its own pairs and its lock, and nothing of the rest."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from object_store import ObjectStore
from small_batch import Audience, manifest, small_batch

from flows.engines.local import LocalEngine
from flows.manifest.load import load_manifest
from flows.model.shard import Shard
from flows.planning.plan import make_plan
from flows.records.report import Report
from flows.running.run import run_shard
from flows.worker.main import DeviceWorker

SHARDS = 200  # of 100 pairs, so that most have one or none


@pytest.fixture
def path(tmp_path: Path, object_store: ObjectStore) -> Path:
    small_batch(tmp_path, photos=10, paintings=10)
    return manifest(tmp_path, settings="encoder: slim, size: 32, steps: 1", output=f"{object_store.root}/out")


def run(path: Path, shard: Shard) -> Report:
    audience = Audience()
    engine = LocalEngine(
        on_progress=audience.pair_progress,
        note=audience.note,
        make_worker=lambda device, spec, on_progress: DeviceWorker(device),
    )
    return run_shard(load_manifest(path), shard, device="cpu", workers=1, listener=audience, engine=engine)


def test_a_shard_lists_locks_and_checkpoints_alone_and_asks_for_its_own_pair_alone(
    path: Path, object_store: ObjectStore
) -> None:
    planned = {at: make_plan(load_manifest(path), shard=Shard(at, SHARDS)).pairs for at in range(20)}
    shard, pair = next((Shard(at, SHARDS), one[0].pair) for at, one in planned.items() if len(one) == 1)
    object_store.put_many(f"out/other{number:04}.png" for number in range(2500))
    object_store.hits.clear()
    object_store.listed.clear()
    assert run(path, shard).done == 1
    assert Counter(object_store.listed)["out/.stylize-checkpoint-"] == 1
    assert set(object_store.listed) == {"out/.stylize.lock", "out/.stylize-checkpoint-"}
    asked = Counter(hit for hit in object_store.hits if pair.name in hit[1])
    assert asked == {
        ("GET", f"out/{pair.record_name}"): 2,  # by the plan, and by the worker just before
        ("HEAD", f"out/{pair.output_name}"): 1,  # whether a picture lies there without a record
        ("GET", f"out/{pair.output_name}"): 1,  # by the worker: whether it is somebody else's
        ("PUT", f"out/{pair.output_name}"): 1,
        ("PUT", f"out/{pair.record_name}"): 1,
    }
    names = (f".stylize.lock{shard.suffix}", f"report{shard.suffix}.json", f"trace{shard.suffix}.csv")
    own = [f"out/{name}" for name in names]
    assert {key for _, key in object_store.hits if pair.name not in key} <= {"", *own}


def test_a_shard_that_is_done_costs_its_lock_and_two_requests_a_pair(
    path: Path, object_store: ObjectStore
) -> None:
    shard = next(
        shard
        for shard in (Shard(at, SHARDS) for at in range(20))
        if len(make_plan(load_manifest(path), shard=shard).pairs) == 1
    )
    run(path, shard)
    object_store.hits.clear()
    assert run(path, shard).done_before == 1
    pictures = Counter(method for method, key in object_store.hits if "__" in key)
    assert pictures == {"GET": 1, "HEAD": 1}
