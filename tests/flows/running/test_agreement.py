"""Plan, run and status have one answer to what is done, whatever happened to pictures, records and names."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from small_batch import Audience, manifest, small_batch, tree

from flows.engines.base import WorkerSpec
from flows.engines.local import LocalEngine
from flows.manifest.load import load_manifest
from flows.planning.plan import make_plan
from flows.records.report import Report
from flows.running.run import run_shard
from flows.running.status import look
from flows.worker.main import DeviceWorker

PAIRS = ("a", "b", "p0__s0", "p1__s0")
# `a` and `b` are two pairs of equal inputs, so their records differ in names alone.
ENTRIES = """contents: ['photos/*']
styles: ['paintings/*']
pairs:
  - {content: photos/p0.png, style: paintings/s0.png, name: a}
  - {content: photos/p0.png, style: paintings/s0.png, name: b}
"""


class WarmWorker(DeviceWorker):
    """A worker of this process that outlives the runs that use it."""

    def stop(self) -> None:
        pass

    def close(self, grace_s: float = 5.0) -> None:
        pass


@pytest.fixture(scope="module")
def worker() -> WarmWorker:
    return WarmWorker("cpu")


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory, worker: WarmWorker) -> Path:
    """A batch that is done, in `whole`; every example damages a copy of it."""
    home = tmp_path_factory.mktemp("calm")
    small_batch(home, photos=2, paintings=1)
    path = manifest(home, ENTRIES, settings="encoder: slim, size: 32, steps: 1")
    assert run(path, worker)[0].done == len(PAIRS)
    (home / "out").rename(home / "whole")
    return home


def run(path: Path, worker: WarmWorker) -> tuple[Report, Audience]:
    audience = Audience()

    def make_worker(device: str, spec: WorkerSpec, on_progress: object) -> WarmWorker:
        return worker

    engine = LocalEngine(on_progress=audience.pair_progress, note=audience.note, make_worker=make_worker)
    loaded = load_manifest(path)
    return run_shard(loaded, device="cpu", workers=1, listener=audience, engine=engine), audience


def edit(record: Path, change: Callable[[dict[str, object]], object]) -> None:
    plain = json.loads(record.read_text())
    change(plain)
    record.write_text(json.dumps(plain) + "\n")


def copy(source: Path, target: Path) -> None:
    if source.exists():
        shutil.copy(source, target)


def damage(out: Path, kind: str, one: str, other: str) -> None:
    """Harm a pair's files; where they are gone already, nothing happens."""
    picture, record = out / f"{one}.png", out / f"{one}.json"
    if kind == "delete picture":
        picture.unlink(missing_ok=True)
    if kind == "delete record":
        record.unlink(missing_ok=True)
    if kind == "cut picture" and picture.exists():
        picture.write_bytes(picture.read_bytes()[:-7])
    if kind == "cut record" and record.exists():
        record.write_bytes(record.read_bytes()[:-7])
    if kind == "copy record":
        copy(record, out / f"{other}.json")
    if kind == "copy picture":
        copy(picture, out / f"{other}.png")
    if kind == "copy both":
        copy(record, out / f"{other}.json")
        copy(picture, out / f"{other}.png")
    if record.exists() and record.read_bytes().endswith(b"}\n"):
        if kind == "rename in record":
            edit(record, lambda plain: plain.update(name=other))
        if kind == "rename output":
            edit(record, lambda plain: plain.update(output={**_output(plain), "name": f"{other}.png"}))
        if kind == "other identity":
            edit(record, lambda plain: plain.update(identity="0" * 64))
        if kind == "say failed":
            failure = {"kind": "crashed", "message": "x"}
            edit(record, lambda plain: plain.update(status="failed", failure=failure))
        if kind == "other size":
            edit(record, lambda plain: plain.update(output={**_output(plain), "size_bytes": 5}))


def _output(plain: dict[str, object]) -> dict[str, object]:
    output = plain["output"]
    assert isinstance(output, dict)
    return output


KINDS = (
    "delete picture", "delete record", "cut picture", "cut record", "copy record", "copy picture",
    "copy both", "rename in record", "rename output", "other identity", "say failed", "other size",
)  # fmt: skip
HARM = st.tuples(st.sampled_from(KINDS), st.sampled_from(PAIRS), st.sampled_from(PAIRS))


@pytest.mark.slow
@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(harm=st.lists(HARM, min_size=1, max_size=5))
def test_what_the_plan_calls_to_do_is_what_the_run_makes_and_nothing_is_missing_afterwards(
    calm: Path, worker: WarmWorker, harm: list[tuple[str, str, str]]
) -> None:
    path, out = calm / "m.yaml", calm / "out"
    shutil.rmtree(out, ignore_errors=True)
    shutil.copytree(calm / "whole", out)
    for kind, one, other in harm:
        if one != other:
            damage(out, kind, one, other)
    loaded = load_manifest(path)
    plan, seen = make_plan(loaded), look(loaded).facts()["counts"]
    to_do = {planned.pair.name for planned in plan.todo}
    assert (seen["done"], seen["todo"]) == (len(PAIRS) - len(to_do), len(to_do))
    report, audience = run(path, worker)
    assert audience.statuses() == dict.fromkeys(to_do, "done")
    assert (report.exit_code, report.done, report.done_before) == (0, len(to_do), len(PAIRS) - len(to_do))
    assert make_plan(loaded).todo == ()
    assert look(loaded).facts()["counts"] == {"planned": 4, "done": 4, "todo": 0, "failed": 0}
    after, whole = tree(out), tree(calm / "whole")
    assert after.keys() == whole.keys()
    assert {name: after[name] for name in after if Path(name).stem in to_do} == {
        name: whole[name] for name in whole if Path(name).stem in to_do
    }
