"""The page on a run, or on all that an output holds: what is there, what failed, how each picture came."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from flows.errors import StorageError
from flows.model.shard import WHOLE, Shard
from flows.pages.entries import Entry, Shown
from flows.pages.failures import grouped
from flows.pages.figures import figures
from flows.pages.gathering import Gathered
from flows.pages.grid import Grid, grid_of
from flows.pages.payload import Links, report_payload
from flows.pages.previews import Bounds, Previews, draw_previews, grouped_troubles
from flows.pages.rendering import render
from flows.pages.timeline import BUCKETS, timeline
from flows.pages.wording import counted, length_of_time
from flows.records.last_report import last_report, report_on
from flows.records.trace import TRACE, TraceRow, read_trace, trace_name, trace_shard
from flows.storage.base import Storage
from flows.text import safe_text

WARNINGS_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Asked:
    """What a page is to be about.

    Attributes:
        title: of the page; the manifest's or the folder's name.
        shard: whose page it is.
        cost_per_hour: of the machine; None for what the report says, if it does.
        before: the page as it was, whose small pictures are taken over.
        again: the command that draws it.
    """

    title: str
    bounds: Bounds
    shard: Shard = WHOLE
    cost_per_hour: float | None = None
    before: bytes = b""
    links: Links = Links()
    again: str = ""


def report_page(gathered: Gathered, storage: Storage, asked: Asked) -> bytes | None:
    """The page, UTF-8; None if its maker was told to end.

    Raises:
        StorageError: storage fails altogether.
    """
    grid = grid_of(gathered.entries)
    previews = draw_previews(_wanted(grid, gathered.entries), asked.before, asked.bounds)
    if previews is None:
        return None
    report = last_report(storage) if asked.shard == WHOLE else report_on(storage, asked.shard)
    traces = _traces(storage, report, asked.shard)
    return render(
        "report",
        payload=report_payload(gathered.entries, grid, previews, asked.links),
        pictures=previews.as_json(),
        title=asked.title,
        output=storage.root,
        summary=_summary(gathered),
        counts=gathered.counts,
        figures=figures(report, gathered.entries, cost_per_hour=asked.cost_per_hour),
        kinds=grouped(gathered.entries, grid.names),
        timeline=timeline(traces),
        buckets=BUCKETS,
        length_of_time=length_of_time,
        notes=[*gathered.notes, *_notes_on(previews, asked.again)],
        warnings=_texts(report, "warnings")[:WARNINGS_SHOWN],
        finished=_text(report, "finished_at"),
        ended=_ended(report),
    )


def _wanted(grid: Grid, entries: Iterable[Entry]) -> Iterator[Shown]:
    """The pictures in the margins, then the results."""
    yield from (one.picture for one in (*grid.columns, *grid.rows) if one.picture)
    yield from (entry.picture for entry in entries if entry.picture)


def _traces(storage: Storage, report: Mapping[str, Any], shard: Shard) -> dict[Shard, list[TraceRow]]:
    """What the runs that the report is of have traced; nothing where there is none, or it cannot be read."""
    found: dict[Shard, list[TraceRow]] = {}
    try:
        names = [one.name for one in storage.list(TRACE)] if shard == WHOLE else [trace_name(shard)]
        divisions = {name: part for name in names if (part := trace_shard(name)) is not None}
        count = _division(report)
        for name, part in divisions.items():
            if part.count == count or part == shard != WHOLE:
                found[part] = list(read_trace(storage.read(name)))
    except StorageError:
        return found
    return found


def _division(report: Mapping[str, Any]) -> int:
    """Into how many shards the runs of a report were divided: it says `0/1`, `1/4` or `3 of 4 shards`."""
    words = _text(report, "shard").replace("/", " ").split()
    numbers = [int(word) for word in words if word.isascii() and word.isdigit()]
    return numbers[1] if len(numbers) == 2 else WHOLE.count


def _summary(gathered: Gathered) -> str:
    counts = gathered.counts
    total = sum(counts.values())
    if not total:
        return "No pair is here yet."
    if counts["done"] == total:
        return f"All {counted(total, 'picture')} made." if total > 1 else "The one picture is made."
    said = [f"{counts['done']:,} of {counted(total, 'picture')} made"]
    said += [f"{counts['failed']:,} failed"] if counts["failed"] else []
    said += [f"{counts['todo']:,} to do"] if counts["todo"] else []
    return ", ".join(said) + "."


def _notes_on(previews: Previews, again: str) -> list[str]:
    notes = grouped_troubles(previews.troubles)
    if previews.left:
        then = f": {again} draws all" if again else ""
        notes.append(f"{counted(previews.left, 'picture')} have no preview yet{then}")
    return notes


def _ended(report: Mapping[str, Any]) -> str:
    """Why the last run ended before its time; empty if it did not."""
    return "" if report.get("end") in (None, "finished") else _text(report, "reason")


def _text(report: Mapping[str, Any], key: str) -> str:
    value = report.get(key)
    return safe_text(value) if isinstance(value, str) else ""


def _texts(report: Mapping[str, Any], key: str) -> list[str]:
    value = report.get(key)
    return [safe_text(str(item)) for item in value] if isinstance(value, list) else []
