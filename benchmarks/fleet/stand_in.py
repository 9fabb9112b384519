"""Workers whose shards make no picture: their flow runs end at once, and leave what finished shards leave."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.many_pairs.records import leave_results
from flows.manifest.load import load_manifest
from flows.model.shard import Shard
from flows.planning.plan import PlannedPair, make_plan
from flows.records.report import RunFacts, Tally, report_name, summed_up
from flows.running.reporting import write_report
from flows.storage.opening import open_storage

if TYPE_CHECKING:
    from prefect_site import Site

TAKEN_AT_ONCE = 8
PAUSE_S = 0.5
STATES = ("PENDING", "RUNNING")


class StandIn:
    """Takes the flow runs of a pool as workers do, and ends them.

    Args:
        pool: whose flow runs it takes.
        manifest: that they are about; nothing of it is done yet.
        shards: into how many it is divided.

    Attributes:
        pairs: how many the manifest has.
        writing_s: the time that it took to write results.
    """

    def __init__(self, site: Site, pool: str, manifest: Path, shards: int) -> None:
        self._site, self._pool, self._manifest = site, pool, manifest
        plan = make_plan(load_manifest(str(manifest)))
        self._output, self.pairs, self.writing_s = plan.output, len(plan.todo), 0.0
        self._shares: dict[Shard, list[PlannedPair]] = defaultdict(list)
        for planned in plan.todo:
            self._shares[Shard(Shard.index_of(planned.pair.name, shards), shards)].append(planned)
        Path(self._output).mkdir()

    def work(self) -> None:
        """Look for flow runs once, and end those that are there."""
        wanted = {
            "scheduled_before": (datetime.now(UTC) + timedelta(seconds=10)).isoformat(),
            "limit": TAKEN_AT_ONCE,
        }
        found = self._site.ask(f"work_pools/{self._pool}/get_scheduled_flow_runs", wanted)
        for one in found:
            self._end(one["flow_run"])
        if not found:
            time.sleep(PAUSE_S)

    def _end(self, run: dict[str, Any]) -> None:
        shard = Shard.parse(run["parameters"]["shard"])
        for state in STATES:
            self._set(run, state, "")
        self._set(run, "COMPLETED", self._leave(shard, self._shares[shard]))

    def _set(self, run: dict[str, Any], state: str, message: str) -> None:
        self._site.ask(f"flow_runs/{run['id']}/set_state", {"state": {"type": state, "message": message}})

    def _leave(self, shard: Shard, todo: Sequence[PlannedPair]) -> str:
        """The pictures, the records and the report of a shard; the report in a sentence."""
        began = time.monotonic()
        leave_results(todo, Path(self._output))
        self.writing_s += time.monotonic() - began
        facts = RunFacts(
            manifest=str(self._manifest),
            output=self._output,
            shard=str(shard),
            planned=len(todo),
            done_before=0,
            end="finished",
            reason="",
            devices=("cpu",),
            warnings=(),
            storage_retries=0,
            seconds=float(len(todo)),
            started_at=datetime.now(UTC),
        )
        report = summed_up(facts, Tally(made=len(todo)))
        write_report(report, report_name(shard), open_storage(self._output), print, replace_foreign=False)
        return report.sentence()
