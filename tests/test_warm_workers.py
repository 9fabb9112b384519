"""Workers whose tests are not about their beginning are like those that users start, but for PyTorch."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from flows.engines.process import WorkerProcess
from flows.engines.process_child import PARENT_DECIDES

SET_BY_READLINE = {"LINES", "COLUMNS"}  # for children alone: Python does not see it


def inherited() -> dict[str, Any]:
    """What a process has from the one that started it."""
    return {
        "environment": {name: os.environ[name] for name in os.environ.keys() - SET_BY_READLINE},
        "folder": str(Path.cwd()),
        "streams": [(os.fstat(number).st_dev, os.fstat(number).st_ino) for number in (1, 2)],
        "search path": sys.path,
        "blocked": signal.pthread_sigmask(signal.SIG_BLOCK, ()),
    }


def ignored() -> list[int]:
    return [number for number in PARENT_DECIDES if signal.getsignal(number) is signal.SIG_IGN]


def has_torch() -> bool:
    return "torch" in sys.modules


@pytest.mark.parametrize("warm", [pytest.param(False, marks=pytest.mark.cold), True])
@pytest.mark.usefixtures("capfd")  # streams that no test before had
def test_a_worker_has_all_from_the_test_that_started_it_and_a_warm_one_has_torch(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, request: pytest.FixtureRequest, *, warm: bool
) -> None:
    measured = request.config.pluginmanager.hasplugin("_cov")  # then all of them are cold
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STYLIZE_TEST_VARIABLE", tmp_path.name)
    with WorkerProcess("cpu") as worker:
        assert worker.call(has_torch) is (warm and not measured)
        assert worker.call(inherited) == inherited()
        assert worker.call(ignored) == list(PARENT_DECIDES)
