"""The engine of one machine gives every worker a device of its own."""

from __future__ import annotations

import os
import sys
from types import ModuleType

import pytest
from test_supervisor import ScriptedWorker

from flows.engines.base import WorkerSpec
from flows.engines.local import LocalEngine
from flows.engines.process_worker import ProcessWorker
from flows.storage.access import aws_environment, credentials_worked, had_credentials
from flows.worker import calls

pytestmark = pytest.mark.cold

SLOTS = ("cuda:0", "cuda:1", "cuda:2", "cuda:0")


def test_workers_of_several_gpus_are_each_on_its_own() -> None:
    engine = LocalEngine(
        on_progress=lambda _: None,
        note=lambda _: None,
        make_worker=lambda device, spec, on_progress: ScriptedWorker(device=device),
    )
    assert engine.start(WorkerSpec(SLOTS)) == SLOTS
    engine.close()


class StandIn:
    """A worker that says what torch would find in its process."""

    def __init__(self, device: str, *, seen_as: str, threads: int | None, batch: int | None) -> None:
        assert "torch" not in sys.modules, "the driver reads the list once"
        self._found = f"{device}: {seen_as} of {os.environ.get('CUDA_VISIBLE_DEVICES', 'all')}"

    def describe(self) -> str:
        return self._found


def start_a_stand_in(*how: object) -> None:
    """What a worker's process begins with, but for torch."""
    main = ModuleType("flows.worker.main")
    main.DeviceWorker = StandIn  # type: ignore[attr-defined]
    sys.modules["flows.worker.main"] = main
    calls.start(*how)  # type: ignore[arg-type]


@pytest.mark.parametrize("known", [True, False])
def test_a_worker_knows_whether_its_parent_has_had_credentials(
    monkeypatch: pytest.MonkeyPatch, *, known: bool
) -> None:
    """One that is started anew in a bad moment waits for them, as its parent would."""
    monkeypatch.setattr(calls, "start", start_a_stand_in)
    monkeypatch.setenv("AWS_PROFILE", f"of-this-test-{known}")
    if known:
        credentials_worked(aws_environment())
    worker = ProcessWorker("cpu", WorkerSpec(("cpu",)), lambda _: None)
    try:
        assert worker.process.call(had_credentials) is known
    finally:
        worker.close()


@pytest.mark.parametrize(
    ("visible", "expected"),
    [(None, ("0", "1", "2", "0")), ("GPU-8f, MIG-3a,5", ("GPU-8f", "MIG-3a", "5", "GPU-8f"))],
)
def test_the_process_of_each_worker_sees_its_own_gpu_alone(
    visible: str | None, expected: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else each would make a context, half a gigabyte, on the first."""
    if visible is None:
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    else:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    monkeypatch.setattr(calls, "start", start_a_stand_in)
    engine = LocalEngine(on_progress=lambda _: None, note=lambda _: None)
    try:
        found = engine.start(WorkerSpec(SLOTS))
    finally:
        engine.close()
    assert found == tuple(f"{slot}: cuda:0 of {own}" for slot, own in zip(SLOTS, expected, strict=True))
