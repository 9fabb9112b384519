"""What PyTorch finds in its environment in a worker process."""

from __future__ import annotations

import logging
import os

import pytest

from flows import worker_calls
from flows.environment import WANTED
from flows.pool import DeviceChild


def surroundings() -> dict[str, str | None]:
    return {name: os.environ.get(name) for name in WANTED}


def test_workers_set_what_torch_needs_and_leave_alone_what_the_user_set(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("THP_MEM_ALLOC_ENABLE", raising=False)
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    with DeviceChild("cpu", initializer=worker_calls.start, initargs=("cpu", 1, 1, logging.WARNING)) as child:
        found = child.call(surroundings)
    assert found == {"OMP_WAIT_POLICY": "ACTIVE", "THP_MEM_ALLOC_ENABLE": "1"}
