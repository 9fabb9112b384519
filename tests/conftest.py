"""Fixtures for every room's tests."""

from __future__ import annotations

import gc
import os
import signal
import sys
import uuid
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

# Before torch is imported: on a loaded machine, threads that spin while they wait slow torch tens of times,
# and processes of tests side by side have to share the cores. What they start inherits both.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
if (processes := int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))) > 1:
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // processes)))

import pytest
from hypothesis import HealthCheck, settings

from flows.records.experience import FOLDER
from flows.storage.access import use_access

if TYPE_CHECKING:
    from object_store import ObjectStore

pytest_plugins = ["small_teachers"]
SLOW_S = 5
"""What a test takes that is marked as slow and does not say how slow."""

# How fast an example is says nothing on a loaded machine.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")

# A shell that starts the tests in the background has them ignore Ctrl-C, and every program that they start
# inherits that; the tests that press Ctrl-C need programs that hear it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Two processes more than cores: while tests wait for a server or a cron, others compute."""
    return int(os.environ.get("PYTEST_XDIST_AUTO_NUM_WORKERS") or (os.cpu_count() or 1) + 2)


@pytest.fixture
def hearing_hangups() -> Iterator[None]:
    """SIGHUP ends programs, as it does in a terminal, although `nohup` may have started the tests."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first, so that no process is left alone with one of them at the end."""
    seconds: Counter[Path] = Counter()
    for item in items:
        if mark := item.get_closest_marker("slow"):
            seconds[item.path] += mark.args[0] if mark.args else SLOW_S
    items.sort(key=lambda item: -seconds[item.path])


@pytest.hookimpl(tryfirst=True)
def pytest_collection() -> None:
    """To import every test and what it needs makes a great many objects and no garbage."""
    gc.disable()


def pytest_collection_finish() -> None:
    """From here on there is garbage, and none of it among what was imported."""
    gc.freeze()
    gc.enable()


@pytest.fixture(autouse=True)
def _worker_of_this_process_is_gone() -> Iterator[None]:
    """A worker that a test had in its own process leaves that process told to stop."""
    yield
    if link := sys.modules.get("flows.worker.link"):
        link.stop_here(stopped=False)


@pytest.fixture(autouse=True)
def _workers_are_warm(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers that this process starts need not import torch, unless the test is about their beginning.

    Coverage sees those that begin as users' do.
    """
    handle = sys.modules.get("flows.engines.process_handle")
    measured = request.config.pluginmanager.hasplugin("_cov")
    if handle and not measured and not request.node.get_closest_marker("cold"):
        from warm_workers import Warm

        monkeypatch.setattr(handle, "SPAWN", Warm)


@pytest.fixture(scope="session")
def _object_store() -> Iterator[ObjectStore]:
    from object_store import running_object_store  # and boto3, moto: not for every pytest that a test starts

    with running_object_store() as store:
        yield store


@pytest.fixture
def object_store(_object_store: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> Iterator[ObjectStore]:
    """An S3 server on loopback with one empty bucket, and the environment that leads clients to it."""
    _object_store.lead_clients_here(monkeypatch)
    yield _object_store
    _object_store.heal()
    use_access({})


@pytest.fixture(autouse=True)
def _no_experience(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """What runs of a test measure is kept for that test alone, and never for whoever runs the tests."""
    monkeypatch.setenv(FOLDER, str(tmp_path_factory.getbasetemp() / f"experience-{uuid.uuid4().hex}"))


@pytest.fixture
def memory_root() -> str:
    """The root of a fresh store in this process, for tests that need no disk."""
    return f"memory://{uuid.uuid4().hex}"
