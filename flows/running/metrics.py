"""The counters of a run as a text file for Prometheus, as node_exporter's textfile collector reads it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from flows.errors import BadArguments
from flows.model.shard import Shard
from flows.records.report import Report

if TYPE_CHECKING:
    from flows.running.exposition import State

SUFFIX = ".prom"
EVERY_S = 30.0
LAST_WRITE_S = 5.0


def metrics_file(text: str | None, shard: Shard) -> Path | None:
    """Where the counters of a shard go: the file itself for the whole, one of its own beside it for a part.

    >>> metrics_file("/run/metrics/stylize.prom", Shard(0, 4)).name
    'stylize-0-of-4.prom'

    Raises:
        BadArguments: the name does not end in `.prom`, so that nobody would read the file.
    """
    if text is None:
        return None
    path = Path(text)
    if path.suffix != SUFFIX:
        expected = f"a file whose name ends in {SUFFIX}, as node_exporter reads no other"
        raise BadArguments(f"--metrics: {text[:80]!r} is not accepted; it must be {expected}")
    return path.with_name(f"{path.stem}{shard.suffix}{SUFFIX}")


@contextmanager
def published(path: Path | None, report: Callable[[], Report], note: Callable[[str], None]) -> Iterator[None]:
    """Write the counters when the block begins, every 30 s, and when it has ended; without a path do nothing.

    Each time the file is replaced as a whole. One that cannot be written is noted once and holds up nobody.

    Args:
        report: the run's report as it would be at this moment; called from another thread.
    """
    if path is None:
        yield
        return
    file = _MetricsFile(path, report, note)
    file.start()
    try:
        yield
    except BaseException:
        file.end(broken_off=True)
        raise
    file.end(broken_off=False)


class _MetricsFile:
    """Writes from a thread of its own, because a file system may hang."""

    def __init__(self, path: Path, report: Callable[[], Report], note: Callable[[str], None]) -> None:
        self._path, self._report, self._note = path, report, note
        self._over, self._broken_off, self._complained = threading.Event(), False, False
        self._thread = threading.Thread(target=self._keep_writing, name="metrics", daemon=True)

    def start(self) -> None:
        """Write from now on."""
        self._thread.start()

    def end(self, *, broken_off: bool) -> None:
        """Write a last time."""
        self._broken_off = broken_off
        self._over.set()
        self._thread.join(LAST_WRITE_S)
        if self._thread.is_alive():
            self._complain("it takes too long")

    def _keep_writing(self) -> None:
        self._write("running")
        while not self._over.wait(EVERY_S):
            self._write("running")
        self._write("broken_off" if self._broken_off else self._report().end)

    def _write(self, state: State) -> None:
        from flows.running.exposition import write_metrics  # a library that most runs do without

        try:
            write_metrics(self._path, self._report(), state)
        except OSError as error:
            self._complain(error.strerror or str(error))
        except ValueError as error:
            self._complain(str(error))

    def _complain(self, why: str) -> None:
        if not self._complained:
            self._complained = True
            self._note(f"the metrics in {self._path} could not be written: {why}; the run goes on")
