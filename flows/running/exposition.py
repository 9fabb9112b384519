"""What Prometheus is told of a run: the numbers of its report, in the text format of its exporters."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal, get_args

from prometheus_client import CollectorRegistry, write_to_textfile
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from flows.records.report import Report
from flows.text import safe_text

State = Literal["running", "finished", "stopped", "interrupted", "broken_off"]
"""How a run is: at work, ended as its report says, or broken off by an error."""

LABELS = ("manifest", "output", "shard")

# A field of the report, the name of its number, and what that is.
COUNTERS = (
    ("done", "stylize_pairs_done_total", "Pairs that the run made."),
    ("double_work", "stylize_double_work_total", "How many of them another run meanwhile made as well."),
    ("storage_retries", "stylize_storage_retries_total", "How often storage had to be asked again."),
    ("device_seconds", "stylize_device_seconds_total", "Seconds of the run, times its workers."),
)
GAUGES = (
    ("planned", "stylize_pairs_planned", "Pairs that the manifest asks for in this shard."),
    ("done_before", "stylize_pairs_done_before", "Pairs that were done when the run began."),
    ("left", "stylize_pairs_left", "Pairs that the run has not got to, or has in hand."),
    ("seconds", "stylize_run_duration_seconds", "Seconds from the run's beginning to these numbers."),
)
TIMES = (
    ("started_at", "stylize_run_start_timestamp_seconds", "Unix time of the run's beginning."),
    ("finished_at", "stylize_run_update_timestamp_seconds", "Unix time of these numbers."),
)


def write_metrics(path: Path, report: Report, state: State) -> None:
    """Replace the file by these numbers, as a whole.

    Raises:
        OSError: it could not be written, and is as it was.
        ValueError: there can be no such file.
    """
    registry = CollectorRegistry()
    registry.register(_Numbers(report, state))
    write_to_textfile(str(path), registry)


@dataclass(frozen=True, slots=True, eq=False)
class _Numbers:
    """A collector in the library's sense, which registers it by what it is and not by what it holds."""

    report: Report
    state: State

    def collect(self) -> Iterator[Metric]:
        """Every number, with the run that it is of."""
        of_run = [safe_text(getattr(self.report, label)) for label in LABELS]
        for field, name, words in COUNTERS:
            counter = CounterMetricFamily(name, words, labels=LABELS)
            counter.add_metric(of_run, getattr(self.report, field))
            yield counter
        failed = CounterMetricFamily(
            "stylize_pairs_failed_total", "Pairs that the run tried in vain.", labels=(*LABELS, "kind")
        )
        for kind, count in self.report.failures_by_kind.items():
            failed.add_metric([*of_run, kind], count)
        yield failed
        for field, name, words in GAUGES:
            yield _gauge(name, words, of_run, getattr(self.report, field))
        for field, name, words in TIMES:
            yield _gauge(name, words, of_run, datetime.fromisoformat(getattr(self.report, field)).timestamp())
        yield self._state(of_run)

    def _state(self, of_run: list[str]) -> Metric:
        """One number for each state, of which one is 1."""
        found = GaugeMetricFamily(
            "stylize_run_state", "1 for the state of the run.", labels=(*LABELS, "state")
        )
        for name in get_args(State):
            found.add_metric([*of_run, name], float(name == self.state))
        return found


def _gauge(name: str, words: str, of_run: list[str], value: float) -> Metric:
    gauge = GaugeMetricFamily(name, words, labels=LABELS)
    gauge.add_metric(of_run, value)
    return gauge
