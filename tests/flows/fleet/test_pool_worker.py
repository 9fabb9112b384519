"""A worker in a container that is stopped, with a stand-in for Prefect's own, whose runs are processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from commands import ROOT
from processes import eventually

WORKER = """
import signal, subprocess, sys
from pathlib import Path

Path("words").write_text(" ".join(sys.argv[1:]))
run = subprocess.Popen([sys.executable, "-m", "flows.fleet.flow_process"])

def stop(number, frame):
    run.kill()
    sys.exit(7)

signal.signal(signal.SIGTERM, stop)
run.wait()
"""
RUN = """
import signal, sys, time
from pathlib import Path
from flows.fleet.flow_process import heed_ending

def end(number, frame):
    time.sleep(1)
    Path("report").touch()
    sys.exit()

signal.signal(signal.SIGTERM, end)
heed_ending()
Path("begun").touch()
signal.pause()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="orphans go to a chosen process on Linux alone")
def test_a_worker_that_is_stopped_lets_its_runs_end_in_order_before_the_container_ends(
    tmp_path: Path,
) -> None:
    package = tmp_path / "prefect"
    package.mkdir()
    for name, text in {"__init__": "", "__main__": WORKER, "engine": RUN}.items():
        (package / f"{name}.py").write_text(text)
    command = [sys.executable, "-m", "flows.fleet.pool_worker", "--pool", "gpu"]
    environment = os.environ | {"PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}
    with subprocess.Popen(command, cwd=tmp_path, env=environment, start_new_session=True) as container:
        try:
            assert eventually((tmp_path / "begun").exists)
            container.send_signal(signal.SIGTERM)
            assert container.wait(60) == 7, "the worker's own exit code"
            assert (tmp_path / "report").exists()
        finally:
            container.kill()
    assert (tmp_path / "words").read_text() == "worker start --pool gpu"
