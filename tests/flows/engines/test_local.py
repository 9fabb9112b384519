"""The engine of one machine gives every worker a device of its own."""

from __future__ import annotations

from test_supervisor import ScriptedWorker

from flows.engines.base import WorkerSpec
from flows.engines.local import LocalEngine


def test_workers_of_several_gpus_are_each_on_its_own() -> None:
    slots = ("cuda:0", "cuda:1", "cuda:2", "cuda:0")
    engine = LocalEngine(
        on_progress=lambda _: None,
        note=lambda _: None,
        make_worker=lambda device, spec, on_progress: ScriptedWorker(device=device),
    )
    assert engine.start(WorkerSpec(slots)) == slots
    engine.close()
