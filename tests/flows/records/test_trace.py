from __future__ import annotations

import csv
import io
import subprocess
import sys

import pytest
from commands import ROOT

from flows.model.pair import Effort, Outcome
from flows.records.trace import COLUMNS, TraceRow, TraceWriter, is_trace, read_trace

BEGAN = 1_796_000_000.25
EFFORT = Effort("cuda:1 (a GPU)", BEGAN, 2.5, 3 * 2**30, 120)


def traced(*outcomes: Outcome) -> bytes:
    trace = TraceWriter()
    for outcome in outcomes:
        trace.add(outcome)
    data = trace.to_bytes()
    trace.close()
    return data


def test_every_pair_that_ended_has_a_row_with_what_it_took() -> None:
    data = traced(Outcome("a", "done", effort=EFFORT, worker=1))
    (row,) = csv.DictReader(io.StringIO(data.decode()))
    assert tuple(row) == COLUMNS
    assert row == {
        "pair": "a", "worker": "1", "device": "cuda:1 (a GPU)", "started": "2026-11-30T00:53:20.250+00:00",
        "seconds": "2.5", "peak_memory_bytes": "3221225472", "evaluations": "120", "state": "done",
        "kind": "",
    }  # fmt: skip


def test_what_a_dead_worker_did_not_tell_is_empty() -> None:
    (row,) = read_trace(traced(Outcome("a", "failed", "crashed", "it died", worker=0)))
    assert row == TraceRow("a", 0, "", "", None, None, None, "failed", "crashed")
    assert row.span_s is None


def test_a_trace_is_read_as_it_was_written_whatever_the_names_hold() -> None:
    names = ["a,b", 'say "hi"', "\u2028", "\U0001f3a8", "=1+1"]
    rows = list(read_trace(traced(*(Outcome(name, "done", effort=EFFORT, worker=0) for name in names))))
    assert [row.pair for row in rows] == names
    assert {row.span_s for row in rows} == {(BEGAN, BEGAN + 2.5)}


def test_what_is_no_row_of_ours_is_passed_over() -> None:
    good = traced(Outcome("a", "done", effort=EFFORT, worker=0))
    broken = good + b"b,x,cpu,never,nan,,,done,\nc,0\n\xff\xfe\nd,0,cpu,never,1.0,,,done,\n"
    assert [(row.pair, row.span_s is None) for row in read_trace(broken)] == [("a", False), ("d", True)]
    assert list(read_trace(b"pair,worker\na,0\n")) == []


@pytest.mark.slow
@pytest.mark.parametrize("limit", range(2**20, 2**20 + 40_000, 4_000))
def test_a_full_disk_of_temporary_files_costs_the_trace_and_nothing_else(limit: int) -> None:
    """Whatever is buffered when the disk is full; a limit of a file's size stands for the disk."""
    script = f"""
import resource, signal
from flows.model.pair import Outcome
from flows.running.listeners import Listeners
from flows.running.reporting import Tracing
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))
tracing = Tracing()
listeners = Listeners(tracing)
for number in range(20_000):
    listeners.pair_ended(Outcome("p" * 100 + str(number), "done"))
tracing.close()
print(tracing._lost)
"""
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT)
    assert (ended.returncode, ended.stdout) == (0, "File too large\n"), ended.stderr


def test_a_trace_is_told_from_somebody_elses_table() -> None:
    assert is_trace(traced())
    assert not is_trace(b"pair;worker\n")
    assert not is_trace(b"")
