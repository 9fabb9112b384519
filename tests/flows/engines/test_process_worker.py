"""A supervisor and a worker in a process of its own, which dies when nobody is looking."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from processes import eventually
from small_batch import small_batch, tree

from flows.engines.base import WorkerSpec
from flows.engines.groups import Group
from flows.engines.process_worker import ProcessWorker
from flows.engines.supervisor import Supervisor
from flows.manifest.load import load_manifest
from flows.model.pair import Job
from flows.planning.plan import make_plan


@pytest.mark.cold
@pytest.mark.slow
def test_a_worker_that_is_killed_between_two_calls_costs_no_pair_and_ends_in_time(tmp_path: Path) -> None:
    plan = make_plan(load_manifest(small_batch(tmp_path, photos=2, paintings=1)))
    groups: list[Group] = [[Job(one.pair, plan.output, one.identity)] for one in plan.todo]
    worker = ProcessWorker("cpu", WorkerSpec(("cpu",)), lambda _: None)
    notes: list[str] = []

    def take() -> Group:
        """Two groups are taken before the first call; whoever asks for a third does so after it."""
        if groups:
            return groups.pop(0)
        if not notes and (pid := worker.process.pid):
            os.kill(pid, signal.SIGKILL)
            assert eventually(lambda: worker.process.pid is None)
        return ()

    try:
        outcomes = list(Supervisor(worker, notes.append, lambda: False).outcomes(take))
    finally:
        worker.close()
    assert [(one.name, one.status) for one in outcomes] == [("p0__s0", "done"), ("p1__s0", "done")]
    assert len(notes) == 1
    assert "p0__s0, p1__s0: the worker process on cpu was killed by SIGKILL" in notes[0]
    assert "between two calls" in notes[0]
    assert {name for name in tree(tmp_path / "out") if name.endswith(".png")} == {"p0__s0.png", "p1__s0.png"}
