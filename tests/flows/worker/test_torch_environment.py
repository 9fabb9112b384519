"""What PyTorch and the C library find in a process that computes."""

from __future__ import annotations

import logging
import os
import resource
import sys

import pytest

from flows.engines.process import WorkerProcess
from flows.worker import calls as worker_calls
from flows.worker.torch_environment import WANTED, keep_memory

pytestmark = pytest.mark.cold

NAMES = (*WANTED, "OMP_WAIT_POLICY")


def surroundings() -> dict[str, str]:
    return {name: os.environ[name] for name in NAMES if name in os.environ}


def pages_for_features_made_anew() -> int:
    """How many pages the system hands over for 100 MB that were in use a moment ago.

    The best of some times: now and then a small object comes to lie where they were.
    """
    import torch

    faults = []
    for _ in range(6):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        torch.ones(40_000_000)
        faults.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
    return min(faults[1:])


def pages_while_tiles_are_computed() -> int:
    """The same where large blocks are not kept."""
    keep_memory(in_tiles=True)
    try:
        return pages_for_features_made_anew()
    finally:
        keep_memory()


def held_while_tiles_are_computed() -> tuple[int, int]:
    """What this process holds of 400 MB that were in use a moment ago, before and since tiles, bytes.

    Every other block is still there, so none of it lies at the end of the heap.
    """
    import psutil
    import torch

    process = psutil.Process()
    empty = process.memory_info().rss
    blocks = [torch.ones(2_500_000) for _ in range(80)]
    blocks = blocks[1::2]
    kept = process.memory_info().rss - empty
    keep_memory(in_tiles=True)
    since = process.memory_info().rss - empty
    keep_memory()
    return kept - 40 * 10**7, since - 40 * 10**7


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment in which the user has set nothing."""
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def worker() -> WorkerProcess:
    return WorkerProcess("cpu", initializer=worker_calls.start, initargs=("cpu", 1, 1, logging.WARNING))


@pytest.mark.usefixtures("bare")
def test_workers_set_what_torch_needs() -> None:
    with worker() as child:
        assert child.call(surroundings) == WANTED


def test_workers_leave_alone_what_the_user_set_of_waiting(bare: pytest.MonkeyPatch) -> None:
    bare.setenv("OMP_WAIT_POLICY", "ACTIVE")
    with worker() as child:
        assert child.call(surroundings) == {"OMP_WAIT_POLICY": "ACTIVE", "THP_MEM_ALLOC_ENABLE": "1"}


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's malloc is asked on Linux only")
def test_features_made_anew_need_no_new_pages(bare: pytest.MonkeyPatch) -> None:
    bare.setenv("THP_MEM_ALLOC_ENABLE", "0")
    with worker() as child:
        assert child.call(pages_for_features_made_anew) < 1000  # 39,000 pages of 4 KiB otherwise


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's malloc is asked on Linux only")
def test_large_blocks_go_back_to_the_system_while_tiles_are_computed(bare: pytest.MonkeyPatch) -> None:
    bare.setenv("THP_MEM_ALLOC_ENABLE", "0")
    with worker() as child:
        assert child.call(pages_while_tiles_are_computed) > 30_000
        assert child.call(pages_for_features_made_anew) < 1000


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's malloc is asked on Linux only")
def test_what_was_kept_before_goes_back_when_tiles_are_computed(bare: pytest.MonkeyPatch) -> None:
    bare.setenv("THP_MEM_ALLOC_ENABLE", "0")
    with worker() as child:
        before, since = child.call(held_while_tiles_are_computed)
    assert before > 350_000_000
    assert since < 50_000_000
