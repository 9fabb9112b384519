"""How far a manifest is, read from the records and from nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from flows.manifest.model import Manifest
from flows.model.estimate import Prospect
from flows.model.selection import EVERYTHING, Selection
from flows.planning.plan import Plan, make_plan
from flows.planning.sheets_due import sheet_facts
from flows.records.last_report import last_report
from flows.records.report import Failed
from flows.running.estimating.prospects import prospect_of
from flows.running.under_way import steps_kept
from flows.storage.lock import current_holders
from flows.storage.lock_holder import Holder
from flows.storage.opening import open_storage


@dataclass(frozen=True, slots=True)
class Status:
    """What there is of a plan.

    Attributes:
        failed: what cannot even be tried, and pairs whose last try left a record saying why.
        holders: the runs that hold the output, or shards of it, now.
        last_report: what the last run wrote about itself; empty if there is none.
        prospect: what the rest will take.
        kept: after how many planned evaluations the pairs were that have a checkpoint, by name.
    """

    plan: Plan
    failed: tuple[Failed, ...]
    holders: tuple[Holder, ...]
    last_report: dict[str, Any]
    prospect: Prospect
    kept: Mapping[str, int] = field(default_factory=dict)

    @property
    def seconds_left(self) -> float | None:
        """The time for the rest; None if nobody knows or nothing is left."""
        return self.prospect.seconds if self.plan.todo else None

    def facts(self) -> dict[str, Any]:
        """Everything as JSON has it."""
        counts = self.plan.counts | {"failed": len(self.failed)}
        running = [
            {
                "host": holder.host,
                "pid": holder.pid,
                "since": holder.started.isoformat(),
                "shard": holder.shard,
            }
            for holder in self.holders
        ]
        return {
            "output": self.plan.output,
            "counts": counts,
            "not_asked": self.plan.not_asked,
            "sheets": sheet_facts(self.plan),
            "failed": [asdict(failure) for failure in self.failed],
            "running": running,
            "checkpoints": dict(self.kept),
            "last_report": self.last_report,
            "seconds_left": self.seconds_left,
        }


def look(manifest: Manifest, selection: Selection = EVERYTHING) -> Status:
    """Read the records of all that the manifest asks for, or of those that are selected; changes nothing.

    Raises:
        BadArguments: a pattern of the selection fits no pair.
        ManifestError: the manifest cannot be expanded.
        StorageError: the output cannot be read.
    """
    plan = make_plan(manifest, selection=selection)
    storage = open_storage(manifest.output)
    failed = tuple(
        Failed(planned.pair.name, planned.failure.kind, planned.failure.message)
        for planned in plan.todo
        if planned.failure
    )
    report, prospect = last_report(storage), prospect_of(plan, manifest)
    holders, kept = current_holders(storage), steps_kept(plan, manifest)
    return Status(plan, (*plan.refused, *failed), holders, report, prospect, kept)
