"""The process of a flow run, one that ends in order even where Prefect's worker kills it.

A worker of a pool of type `process` that is told to stop kills its flow runs with SIGKILL: they could write
no report, keep their lock, and stay RUNNING on the server. Deployments therefore name this module as the
command of their runs, `python -m flows.fleet.flow_process`. It starts the flow run's real process in another
session and hands SIGTERM and SIGINT on to it as SIGTERM; if it is killed, Linux sends that SIGTERM.

Whoever ends a flow run before its flow has begun would leave it PENDING for ever: Prefect says what became of
a run only from inside it. So both signals wait until then, which takes a few seconds.

The run leaves its empty working folder at once, which the worker may take away; entrypoints are modules that
are installed.

In a container, where SIGTERM comes from whoever drains the node, it hands that on just the same.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from types import FrameType

from flows.engines.working_folder import leave_empty_folder

ENGINE = ("-m", "prefect.engine")
ENDING = (signal.SIGTERM, signal.SIGINT)
_PR_SET_PDEATHSIG = 1  # prctl(2)


def main() -> int:
    """Run the flow run's process to its end; its exit code, or 128 and the signal that ended it."""
    parent = os.getpid()
    leave_empty_folder()
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    with (
        subprocess.Popen(  # noqa: S603  our own interpreter and Prefect's module
            [sys.executable, *ENGINE, *sys.argv[1:]],
            start_new_session=True,
            preexec_fn=lambda: _end_with(parent),  # safe: this process has a single thread
        ) as flow
    ):

        def hand_on(number: int, frame: FrameType | None) -> None:
            flow.terminate()

        for number in ENDING:
            signal.signal(number, hand_on)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)
        code = flow.wait()
    return code if code >= 0 else 128 - code


def heed_ending() -> None:
    """In a flow that has begun: let what asks it to end through, also if it asked before."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)


def _end_with(parent: int) -> None:
    """In the new process: have Linux send SIGTERM when the parent ends; elsewhere there is no such thing."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:  # it has ended already
        signal.raise_signal(signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main())
