"""The exit codes of the command, which scripts and schedulers read; README.md lists them."""

from __future__ import annotations

ALL_DONE = 0
NOTHING_STARTED = 1
INVALID = 2
SOME_FAILED = 3
STOPPED_EARLY = 4
ALREADY_RUNNING = 11
INTERRUPTED = 130
