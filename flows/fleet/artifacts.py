"""What operators find in Prefect beside a flow run: how far it is, its report, and a table of its failures.

All of it is a copy. A server that is away costs a line in the log and nothing else.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any
from uuid import UUID

from prefect.artifacts import (
    create_markdown_artifact,
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)
from prefect.client.orchestration import SyncPrefectClient
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId, ArtifactFilterType

from flows.records.report import Report
from flows.storage.location import is_remote
from flows.text import safe_text

FAILURES_SHOWN = 200
_log = logging.getLogger(__name__)


class Progress:
    """One artifact that says how many pairs have ended; the first call creates it.

    Args:
        key: what runs over the same manifest have in common (`artifact_key`).
    """

    def __init__(self, key: str) -> None:
        self._key = f"{key}-progress"
        self._artifact: UUID | None = None

    def show(self, ended: int, expected: int) -> None:
        """Say that so many pairs of those that were to do are done or failed."""
        percent, text = 100.0 * ended / max(1, expected), f"{ended} of {expected} pairs have ended"
        if self._artifact is None:
            self._artifact = _tried(partial(create_progress_artifact, percent, self._key, text))
        else:
            _tried(partial(update_progress_artifact, self._artifact, percent, text))


def percent_shown(client: SyncPrefectClient, run: UUID) -> float:
    """How many of a flow run's pairs have ended, percent, as its `Progress` says; 0 if it has shown none."""
    wanted = ArtifactFilter(
        flow_run_id=ArtifactFilterFlowRunId(any_=[run]), type=ArtifactFilterType(any_=["progress"])
    )
    shown = [one.data for one in client.read_artifacts(artifact_filter=wanted)]
    return max((float(one) for one in shown if isinstance(one, int | float)), default=0.0)


def publish(report: Report, *, key: str, cost_per_hour: float | None) -> None:
    """Leave a run's report, and a table of its failures if there are any."""
    _tried(partial(create_markdown_artifact, markdown(report, cost_per_hour), f"{key}-report"))
    if report.failures:
        table = [
            failure_row(report, one.name, one.kind, one.message) for one in report.failures[:FAILURES_SHOWN]
        ]
        text = f"the first {len(table)} of {report.failed} failures"
        _tried(partial(create_table_artifact, table, f"{key}-failures", text))


def artifact_key(manifest: str) -> str:
    """A manifest's name with the letters that Prefect's keys may have.

    >>> artifact_key("s3://bucket/nights/Tonight_2.yaml")
    'stylize-tonight-2'
    """
    stem = manifest.rsplit("/", 1)[-1].removesuffix(".yaml").removesuffix(".yml").lower()
    return "-".join(["stylize", *re.findall("[a-z0-9]+", stem)])


def failure_row(report: Report, name: str, kind: str, message: str) -> dict[str, str]:
    """A row of the table of failures, with where the pair's record lies."""
    record = f"{report.output.rstrip('/')}/{name}.json"
    return {"pair": safe_text(name), "kind": kind, "why": safe_text(message), "record": _link(record)}


def markdown(report: Report, cost_per_hour: float | None) -> str:
    """A report as a table, for people."""
    rows = [f"| {name} | {value} |" for name, value in facts(report, cost_per_hour).items()]
    head = [f"**{_plain(report.sentence())}**", "", "| | |", "| --- | --- |"]
    return "\n".join([*head, *rows]) + "\n"


def facts(report: Report, cost_per_hour: float | None) -> Mapping[str, str]:
    """What is worth a row: counts, speed, what it took, where it lies."""
    hours = report.seconds / 3600
    found = {
        "manifest": _plain(report.manifest),
        "output": _plain(report.output),
        "shard": report.shard,
        "done now, before": f"{report.done}, {report.done_before}",
        "failed, left": f"{report.failed}, {report.left}",
        "double work": str(report.double_work or ""),
        "pairs per hour": f"{report.done / hours:.1f}" if report.done and hours else "",
        "time": f"{report.seconds:.0f} s",
        "devices": _plain(", ".join(report.devices)),
        "device-seconds": f"{report.device_seconds:.0f}",
        "cost": "" if cost_per_hour is None else f"{report.machine_seconds / 3600 * cost_per_hour:.2f}",
    }
    return {name: value for name, value in found.items() if value}


def _tried(call: Callable[[], Any]) -> Any:
    """The answer of Prefect; None if it has none."""
    try:
        return call()
    except Exception as error:  # whatever Prefect raises: nothing of this is worth a run
        _log.warning(
            "Prefect could not be shown an artifact: %s", safe_text(f"{type(error).__name__}: {error}")
        )
        return None


def _plain(text: str) -> str:
    """Text that no table and no formatting of Markdown takes for its own."""
    return re.sub(r"([\\`*_|<>\[\]])", r"\\\1", safe_text(text))


def _link(uri: str) -> str:
    return safe_text(uri) if is_remote(uri) else f"file://{safe_text(uri)}"
