"""A pool's worker in a container, which ends once the worker and then its runs have ended.

A worker of a pool of type `process` that is told to stop kills the processes of its runs and ends at once. A
run hears of that as SIGTERM (`flow_process`) and needs some seconds for its report; but the end of a
container's first process is the end of all. So `python -m flows.fleet.pool_worker --pool gpu ...` runs
`prefect worker start` with these words, takes over what the worker leaves behind, and waits for it.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from contextlib import suppress
from types import FrameType

from flows.fleet.flow_process import ENDING

_PR_SET_CHILD_SUBREAPER = 36  # prctl(2)


def main() -> int:
    """Run the worker, and wait for its runs; its exit code, or 128 and the signal that ended it."""
    _adopt_orphans()
    words = [sys.executable, "-m", "prefect", "worker", "start", *sys.argv[1:]]
    worker = os.posix_spawn(sys.executable, words, os.environ)

    def hand_on(number: int, frame: FrameType | None) -> None:
        with suppress(ProcessLookupError):  # it has ended, and runs were told by that
            os.kill(worker, number)

    for number in ENDING:
        signal.signal(number, hand_on)
    code = 0
    with suppress(ChildProcessError):  # nobody is left
        while True:
            ended, status = os.wait()
            if ended == worker:
                code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def _adopt_orphans() -> None:
    """Have Linux give to this process those below it whose parents have ended; elsewhere nobody does."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1)


if __name__ == "__main__":
    sys.exit(main())
