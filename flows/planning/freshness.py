"""Whether a pair is done, judged by its record and its picture alone, and if not, why."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from flows.errors import ForeignFile, StorageError
from flows.model.identity import Ingredients, identity, spelled_styles
from flows.model.pair import Input, Pair
from flows.planning.candidates import ResolvedSettings
from flows.planning.output import OutputView
from flows.records.earlier import identity_today
from flows.records.failed import speaks_of_the_same
from flows.records.ownership import foreign_record, refuse_foreign_files
from flows.records.record import Failure, Record, Source, UnreadableRecord
from flows.records.store import why_not_done
from flows.text import safe_text

Status = Literal["todo", "done"]


@dataclass(frozen=True, slots=True)
class Assessment:
    """What is to be done about a pair.

    Attributes:
        reason: why it is to do; empty for a done pair.
        identity: of the picture that is asked for; empty while an input's digest is unknown.
        attempts: how often earlier runs tried the very same and failed; where the digests were not known,
            whatever was there.
        failure: why the last try left no picture, if it left a record that says so.
        unreadable: something that is no record of this version stands where the record belongs.
        refused: why the pair is not even tried: a file of somebody else's stands where one of its own goes.
        finished_at: when the picture that there is was made; None if there is none.
        alike: the last try was of these very pictures and settings, as far as can be told without reading.
    """

    status: Status
    reason: str
    identity: str = ""
    attempts: int = 0
    failure: Failure | None = None
    unreadable: bool = False
    refused: str = ""
    finished_at: datetime | None = None
    alike: bool = False


def assess(
    pair: Pair, settings: ResolvedSettings, output: OutputView, *, replace_foreign: bool
) -> Assessment:
    """Whether `pair` is done: its record is readable and of the same, its picture has the recorded size.

    Raises:
        StorageError: only where every further record would fail as well.
    """
    try:
        record = _read(pair, output)
    except UnreadableRecord as error:
        reason = "from a newer version" if error.newer else f"record unreadable: {error.reason}"
        refused = (
            ""
            if replace_foreign or error.damaged
            else str(foreign_record(output.storage, pair.record_name, error))
        )
        return Assessment(
            "todo", reason, ingredients_wanted(pair, settings, None)[1], unreadable=True, refused=refused
        )
    found = _judged(pair, settings, output, record)
    if found.status == "done" or replace_foreign:
        return found
    return replace(found, refused=_foreign_files(pair, output, record))


def _foreign_files(pair: Pair, output: OutputView, record: Record | None) -> str:
    """Which file of somebody else's the pair would replace; empty if there is none, or nobody can tell."""
    try:
        refuse_foreign_files(output.storage, pair, record, output)
    except ForeignFile as error:
        return safe_text(str(error))
    except StorageError as error:
        if error.fatal:
            raise
    return ""


def _judged(pair: Pair, settings: ResolvedSettings, output: OutputView, record: Record | None) -> Assessment:
    ingredients, wanted = ingredients_wanted(pair, settings, record)
    if record is None:
        return Assessment("todo", "picture without a record" if pair.output_name in output else "new", wanted)
    size = output.size(pair.output_name) if record.status == "done" else None
    reason = why_not_done(record, pair, wanted, ingredients=ingredients, size=size)
    if record.failure is not None:
        same = identity_today(record, pair) == wanted
        attempts = record.failure.attempts if same else 0
        alike = same and (bool(wanted) or speaks_of_the_same(record, pair))
        return Assessment("todo", reason, wanted, attempts, record.failure, alike=alike)
    if not wanted:  # else all that it is to be made of is known
        reason = _unreadable_input(pair) or reason
    return Assessment("todo" if reason else "done", reason, wanted, finished_at=record.finished_at)


def _read(pair: Pair, output: OutputView) -> Record | None:
    try:
        return output.record(pair.record_name)
    except StorageError as error:
        if error.fatal:
            raise
        raise UnreadableRecord(safe_text(str(error), 200), damaged=True) from error


def ingredients_wanted(
    pair: Pair, settings: ResolvedSettings, record: Record | None
) -> tuple[Ingredients, str]:
    """What the pair is to be made of, and its identity; unknown digests are empty, and then so is that."""
    content = _digest(pair.content, record.content if record else None)
    style = _digest(pair.style, record.style if record else None)
    init = _digest(pair.init, record.init if record else None)
    known_before = record.others if record else {}
    others = {role: _digest(given, known_before.get(role)) for role, given in pair.others.items()}
    style, regions = spelled_styles(pair, style, others)
    ingredients = Ingredients(
        content, style, init, settings.weights, settings.canonical, settings.algorithm, regions
    )
    given = ((pair.content, content), (pair.style, style), (pair.init, init), (pair.regions, regions))
    known = all(digest for wanted, digest in given if wanted)
    return ingredients, identity(ingredients) if known else ""


def _digest(wanted: Input | None, source: Source | None) -> str:
    """Known from the plan, or from the record if it speaks of the very same version; else empty."""
    if wanted is None:
        return ""
    if wanted.sha256 or source is None:
        return wanted.sha256
    return source.sha256 if wanted.token and (wanted.uri, wanted.token) == (source.uri, source.token) else ""


def _unreadable_input(pair: Pair) -> str:
    """Which picture is not there to read, so that nobody can tell what the pair would be made of."""
    main = {"content": pair.content, "style": pair.style, "init": pair.init}
    for role, given in (main | pair.others).items():
        if given is not None and not given.sha256 and not given.token:
            return f"{role} cannot be read"
    return ""
