"""Fresh processes for tests: what a user would type, away from the environment of the test run."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).parent.parent
_OURS = ("PYTHON", "COV", "PREFECT", "MAKE")


def run(*command: str, cwd: Path = ROOT, **environment: str) -> str:
    """Run a command to its good end; what it printed.

    Variables that steer Python, coverage, Prefect or make in the test run are not handed on.
    """
    scrubbed = {key: value for key, value in os.environ.items() if not key.startswith(_OURS)}
    done = subprocess.run(
        command, cwd=cwd, env={**scrubbed, **environment}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
