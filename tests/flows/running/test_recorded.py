"""Pairs whose worker was stopped before it could tell how they ended: their records do."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from pathlib import Path

import pytest
from small_batch import Audience, manifest, report, small_batch

from flows.engines.local import LocalEngine
from flows.errors import WorkerStopped
from flows.manifest.load import load_manifest
from flows.model.pair import Job, Outcome
from flows.records.report import Failed
from flows.running.run import run_shard
from flows.running.status import look
from flows.worker.main import DeviceWorker


class SilencedWorker(DeviceWorker):
    """Writes everything of its first two calls; Ctrl-C comes before it can tell any of it."""

    calls = 0

    def run_pairs(self, jobs: Sequence[Job], ahead: Sequence[Job] = ()) -> tuple[Outcome, ...]:
        super().run_pairs(jobs)
        self.calls += 1
        if self.calls == 1:
            return ()
        os.kill(os.getpid(), signal.SIGINT)
        raise WorkerStopped("stopped")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    small_batch(tmp_path, photos=3, paintings=1)
    (tmp_path / "photos/p1.png").write_text("no photo")
    return tmp_path


def test_what_a_stopped_worker_did_not_tell_is_counted_by_its_records(home: Path) -> None:
    loaded, audience = load_manifest(manifest(home)), Audience()
    engine = LocalEngine(
        on_progress=audience.pair_progress,
        note=audience.note,
        make_worker=lambda device, spec, on_progress: SilencedWorker(device),
    )
    ended = run_shard(loaded, device="cpu", workers=1, listener=audience, engine=engine)
    assert (ended.done, ended.failed, ended.left, ended.exit_code) == (1, 1, 1, 130)
    assert (report(home)["done"], report(home)["failed"], report(home)["left"]) == (1, 1, 1)
    assert audience.statuses() == {"p0__s0": "done", "p1__s0": "failed"}
    now = look(loaded)
    assert now.plan.counts == {"planned": 3, "done": 1, "todo": 2}
    assert now.failed == ended.failures == (Failed("p1__s0", "bad_image", ended.failures[0].message),)
