"""The sum of a run: `report.json` beside the pictures, and the exit code that scripts read."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from typing import Literal

from flows.model.pair import Outcome
from flows.model.shard import Shard
from flows.records.exit_codes import ALL_DONE, INTERRUPTED, SOME_FAILED, STOPPED_EARLY
from flows.text import safe_text

REPORT = "report"
REPORT_NAME = f"{REPORT}.json"
PAGE_SUFFIX = ".html"
REPORT_VERSION = 1
FAILURES_LISTED = 1000

End = Literal["finished", "stopped", "interrupted"]


def report_name(shard: Shard) -> str:
    """Where the report on a shard lies, below the output."""
    return f"{REPORT}{shard.suffix}.json"


def report_shard(name: str) -> Shard | None:
    """The shard whose report has that name; None if it is the name of none.

    >>> report_shard("report-1-of-4.json")
    Shard(index=1, count=4)
    """
    return _shard_of(name, ".json")


def page_name(shard: Shard) -> str:
    """Where the page on a shard lies, below the output."""
    return f"{REPORT}{shard.suffix}{PAGE_SUFFIX}"


def page_shard(name: str) -> Shard | None:
    """The shard whose page has that name; None if it is the name of none.

    >>> page_shard("report-1-of-4.html")
    Shard(index=1, count=4)
    """
    return _shard_of(name, PAGE_SUFFIX)


def _shard_of(name: str, suffix: str) -> Shard | None:
    if not (name.startswith(REPORT) and name.endswith(suffix)):
        return None
    return Shard.of_suffix(name.removeprefix(REPORT).removesuffix(suffix))


@dataclass(frozen=True, slots=True)
class Failed:
    """A pair without a picture, or a file that no pair can be made of, and why."""

    name: str
    kind: str
    message: str


@dataclass(slots=True)
class Tally:
    """How the pairs of a run ended so far. Pairs that went well are counted and cost no memory.

    Attributes:
        made: pairs that are done.
        double_work: how many of them another run had made meanwhile.
        kinds: of every failed pair, by its name.
        failures: the first of them, as the report lists them.
    """

    made: int = 0
    double_work: int = 0
    kinds: dict[str, str] = field(default_factory=dict)
    failures: list[Failed] = field(default_factory=list)

    @property
    def ended(self) -> int:
        """How many pairs are done or failed."""
        return self.made + len(self.kinds)

    def add(self, outcome: Outcome) -> None:
        """Count a pair that is done or failed."""
        if outcome.status != "failed":
            self.made += 1
            self.double_work += outcome.double_work
            return
        self.kinds[outcome.name] = outcome.kind
        if len(self.failures) < FAILURES_LISTED:
            self.failures.append(Failed(outcome.name, outcome.kind, outcome.message))


# Why so many: a field for each fact of a report.
@dataclass(frozen=True, slots=True)
class Report:
    """What a run did.

    Attributes:
        shard: which part of the manifest, as `i/n`.
        planned: pairs that were asked for.
        done_before: pairs that were done when the run began.
        done: pairs that this run made, or found made by another run since its plan.
        double_work: how many of them were made by this run and, meanwhile, by another one.
        failed: pairs that this run tried in vain.
        left: pairs that this run did not get to.
        end: why it ended; `reason` says it in a sentence where it did not simply finish.
        failures: the first of the failed pairs.
        failures_by_kind: how many failed for each reason.
        devices: of each worker.
        storage_retries: how often storage had to be asked again, by the run and its workers.
        seconds: from the run's beginning to its end.
        device_seconds: these, times the workers; those of all shards add up.
        machine_seconds: these once more; those of all shards add up, as the prices of machines do.
        selection: what was asked for, as the command is told it; empty for everything in that part.
        not_asked: pairs of that part that were not asked for.
    """

    manifest: str
    output: str
    shard: str
    planned: int
    done_before: int
    done: int
    double_work: int
    failed: int
    left: int
    end: End
    reason: str
    failures: tuple[Failed, ...]
    failures_by_kind: Mapping[str, int]
    devices: tuple[str, ...]
    warnings: tuple[str, ...]
    storage_retries: int
    seconds: float
    device_seconds: float
    machine_seconds: float
    started_at: str
    finished_at: str
    selection: str = ""
    not_asked: int = 0

    @property
    def exit_code(self) -> int:
        """The design's exit code for this run."""
        if self.end == "interrupted":
            return INTERRUPTED
        if self.end == "stopped" or self.left:
            return STOPPED_EARLY
        return SOME_FAILED if self.failed else ALL_DONE

    @staticmethod
    def is_report(data: bytes) -> bool:
        """Whether these bytes are a report of some version, or the beginning of one."""
        try:
            found = json.loads(data)
        except ValueError:
            first_key = re.match(rb'\{\s*"([a-z_]+)"', data)
            return len(data) < 8 or bool(first_key and first_key[1].decode() in Report.__dataclass_fields__)
        return isinstance(found, dict) and "report_version" in found

    def to_bytes(self) -> bytes:
        """Stable JSON."""
        plain = asdict(self) | {"report_version": REPORT_VERSION, "exit_code": self.exit_code}
        return json.dumps(plain, sort_keys=True, indent=1).encode("ascii") + b"\n"

    def sentence(self) -> str:
        """The report in one line."""
        total = self.done_before + self.done
        parts = [f"{total} of {self.planned} done ({self.done} now, {self.done_before} before)"]
        if self.double_work:
            parts.append(f"another run meanwhile made {self.double_work} of them as well")
        if self.failed:
            kinds = ", ".join(f"{kind} {count}" for kind, count in self.failures_by_kind.items())
            parts.append(f"{self.failed} failed ({kinds})")
        if self.reason:
            parts.append(f"{self.end}: {self.reason}" if self.reason != self.end else self.end)
        if self.left:
            parts.append(f"{self.left} left: {self._way_on()}")
        if self.not_asked:
            parts.append(f"{self.not_asked} not asked for ({safe_text(self.selection, 200)})")
        return "; ".join(parts)

    def _way_on(self) -> str:
        again = "run the same command again"
        forced = "--force" in self.selection.split()
        return f"{again}, which begins with what was made longest ago" if forced else f"{again} to go on"


# Why so many: a field for each fact of a report that no pair tells.
@dataclass(frozen=True, slots=True)
class RunFacts:
    """What a report says of a run beside the pairs that it tried; see `Report` for the words."""

    manifest: str
    output: str
    shard: str
    planned: int
    done_before: int
    end: End
    reason: str
    devices: tuple[str, ...]
    warnings: tuple[str, ...]
    storage_retries: int
    seconds: float
    started_at: datetime
    selection: str = ""
    not_asked: int = 0


def summed_up(facts: RunFacts, tally: Tally) -> Report:
    """The report of a run that ends now; every planned pair is counted once."""
    plain = {field.name: getattr(facts, field.name) for field in fields(facts)}
    return Report(
        **plain
        | {
            "done": tally.made,
            "double_work": tally.double_work,
            "failed": len(tally.kinds),
            "left": facts.planned - facts.done_before - tally.ended,
            "failures": tuple(tally.failures),
            "failures_by_kind": dict(Counter(tally.kinds.values()).most_common()),
            "seconds": round(facts.seconds, 3),
            "device_seconds": round(facts.seconds * len(facts.devices), 3),
            "machine_seconds": round(facts.seconds, 3),
            "started_at": facts.started_at.isoformat(timespec="seconds"),
            "finished_at": datetime.now(UTC).isoformat(timespec="seconds"),
        }
    )
