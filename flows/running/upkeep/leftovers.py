"""What an output holds of ours that its manifest no longer names, found and removed.

A record knows for which manifest its pair was made, and so does a contact sheet. What was made for another
one, what does not say for which, and what is not of this program stays where it is.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeVar

from flows.errors import BatchError
from flows.manifest.model import Manifest
from flows.manifest.paths import one_spelling
from flows.model.names import name_key
from flows.model.sheet import DIGEST_FACT, MANIFEST_FACT, manifest_digest
from flows.planning.plan import Plan, make_plan
from flows.planning.threads import REMOTE_THREADS, in_threads
from flows.records.checkpoints import Kept as KeptState
from flows.records.checkpoints import kept_in
from flows.records.ownership import HIDDEN, SIDECAR, facts_of, records_beside
from flows.records.record import Record, UnreadableRecord
from flows.records.report import report_shard
from flows.records.store import load_record, own_files
from flows.records.trace import trace_shard
from flows.running.under_way import identity_of
from flows.running.upkeep.doubt import doubt_about
from flows.storage.base import Storage
from flows.storage.location import is_remote
from flows.storage.lock import hold_output
from flows.storage.opening import open_storage

_T = TypeVar("_T")
Kind = Literal["result", "failure", "sheet", "stray", "checkpoint"]
UNKNOWN = "unknown"
"""Stands for results of versions that did not note their manifest."""
MADE = (".png", ".jpg", ".webp", ".tif", ".gif", ".mp4")
"""The suffixes of what we write beside records."""
_REPLACED = "it is not the file that its record speaks of"
_UNSAID = "nothing says for which manifest it was made"


@dataclass(frozen=True, slots=True)
class Leftover:
    """Something of ours that the manifest no longer names.

    Attributes:
        name: of the pair, or of a file that no record speaks of.
        files: below the output, in the order in which they are removed.
        bytes: of all files.
    """

    name: str
    kind: Kind
    files: tuple[str, ...]
    bytes: int


@dataclass(frozen=True, slots=True)
class Kept:
    """Something of ours that the manifest does not name and that stays, and why."""

    name: str
    why: str


@dataclass(slots=True)
class Leftovers:
    """What was found in an output.

    Attributes:
        foreign: how many files are not of this program.
        closed: folders that cannot be looked into, and are left alone.
        doubt: why nobody can tell what the manifest names; empty if that is known.
    """

    output: str
    found: list[Leftover] = field(default_factory=list)
    kept: list[Kept] = field(default_factory=list)
    foreign: int = 0
    closed: list[str] = field(default_factory=list)
    doubt: str = ""

    @property
    def bytes(self) -> int:
        """Of all that can be removed."""
        return sum(one.bytes for one in self.found)


def find_leftovers(manifest: Manifest, *, earlier: Collection[str] = ()) -> Leftovers:
    """Look through the output of a manifest; changes nothing.

    Args:
        earlier: what else the manifest was called when it made results, or `UNKNOWN`.

    Raises:
        ManifestError: the manifest cannot be expanded.
        StorageError: the output cannot be read.
    """
    plan, storage = make_plan(manifest), open_storage(manifest.output)
    ours = set(map(one_spelling, (manifest.source, *earlier)))
    closed: set[str] = set()
    listed = storage.list(closed=closed.add)
    sizes = {item.name: item.stat.size for item in listed if not item.name.startswith(HIDDEN)}
    ours |= {""} if UNKNOWN in ours else set()
    leftovers = _Search(storage, sizes, _Named(plan), ours).leftovers(doubt_about(plan, manifest))
    leftovers.closed = sorted(closed)
    leftovers.found += _checkpoints(plan, tuple(kept_in(storage)), ours)
    return leftovers


def remove_leftovers(
    manifest: Manifest, *, earlier: Collection[str] = (), note: Callable[[str], None]
) -> Leftovers:
    """Find and remove them while nobody else may write to the output; what was removed.

    A done pair's record goes before its picture, so that no record ever speaks of a picture that is gone.

    Args:
        note: told the name of each that is gone.

    Raises:
        AlreadyRunning: a run is at work.
        BatchError: nobody can tell what the manifest names, or something could not be removed.
    """
    storage, leftovers = open_storage(manifest.output), find_leftovers(manifest, earlier=earlier)
    if not leftovers.found:
        return leftovers
    with hold_output(storage):
        leftovers = find_leftovers(manifest, earlier=earlier)  # a run may have ended meanwhile
        if leftovers.doubt and leftovers.found:
            raise BatchError(f"nothing was deleted: {leftovers.doubt}")

        def remove(one: Leftover) -> str:
            for file in one.files:
                storage.delete(file)
            return one.name

        for name in in_threads(remove, leftovers.found, threads=_threads(storage)):
            note(name)
    return leftovers


def _threads(storage: Storage) -> int:
    return REMOTE_THREADS if is_remote(storage.root) else 1


def _checkpoints(plan: Plan, kept: Sequence[KeptState], ours: Collection[str]) -> Iterator[Leftover]:
    """Those of this manifest's pairs that are done, that it no longer names, or that it wants otherwise.

    One whose pair rests on pictures that nobody has read since may still be gone on from, and stays.
    """
    todo = {one.pair.name: one for one in plan.todo}
    refused = {one.name for one in plan.refused}
    for one in kept:
        if one.record is None or one.record.manifest not in ours or one.record.name in refused:
            continue
        planned = todo.get(one.record.name)
        wanted = identity_of(planned, kept) if planned else None
        if wanted is None or wanted not in ("", one.identity):
            yield Leftover(one.record.name, "checkpoint", (one.name,), one.size_bytes)


def _tells_of_a_run(name: str) -> bool:
    """Whether a report, its page or sheet, or a trace is called so, of whichever shard."""
    stem, _, suffix = name.rpartition(".")
    is_report = suffix in ("json", "html", "png") and report_shard(f"{stem}.json") is not None
    return is_report or trace_shard(name) is not None


class _Named:
    """The names below the output that a plan may write, or leaves alone, on whichever file system."""

    def __init__(self, plan: Plan) -> None:
        pairs = [one.pair for one in plan.pairs]
        files = {f for pair in pairs for f in (pair.output_name, pair.record_name, *pair.extra_names)}
        files |= {sheet.name for sheet in plan.sheets}
        files |= {f"{one.name}{SIDECAR}" for one in plan.refused}
        self._keys = set(map(name_key, files))

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and (name_key(name) in self._keys or _tells_of_a_run(name))


# Why so many: a step for each kind of file, all noting into the same result.
@dataclass(slots=True)
class _Search:
    """One look through an output.

    Attributes:
        sizes: of all that lies there, in bytes.
        named: what the manifest names.
        ours: what the manifest is, or was, called; empty for results that do not say for which they are.
    """

    storage: Storage
    sizes: Mapping[str, int]
    named: Container[str]
    ours: Collection[str]

    def leftovers(self, doubt: str) -> Leftovers:
        result, claimed = Leftovers(self.storage.root, doubt=doubt), set[str]()
        unnamed = [name for name in self.sizes if name not in self.named]
        records = [name for name in unnamed if name.endswith(SIDECAR)]
        for name, record in zip(records, self._in_threads(self._read, records), strict=True):
            if record is None:
                result.foreign += 1
            elif isinstance(record, str):
                result.kept.append(Kept(name, record))
            elif name_key(record.name + SIDECAR) != name_key(name):
                claimed |= _copied_along(record, name)
                result.kept.append(Kept(name, f"a copy of {record.name}, or of another output"))
            else:
                claimed |= own_files(record, name)
                self._judge(name, record, result)
        rest = [name for name in unnamed if name not in claimed and not name.endswith(SIDECAR)]
        strays = [name for name in rest if name.endswith(MADE)]
        result.foreign += len(rest) - len(strays)
        for name, facts in zip(strays, self._in_threads(self._facts, strays), strict=True):
            self._judge_stray(name, facts, result)
        result.found.sort(key=lambda one: one.name)
        return result

    def _in_threads(self, function: Callable[[str], _T], names: Iterable[str]) -> Iterator[_T]:
        return in_threads(function, names, threads=_threads(self.storage))

    def _read(self, name: str) -> Record | str | None:
        """The record of that name; a sentence about one that cannot be used, None if it is none of ours."""
        try:
            return load_record(self.storage, name)
        except UnreadableRecord as error:
            return str(error) if error.newer or error.damaged else None

    def _facts(self, name: str) -> dict[str, str]:
        return facts_of(self.storage.uri(name))

    def _judge(self, name: str, record: Record, result: Leftovers) -> None:
        if why := self._not_of_this_manifest(record):
            result.kept.append(Kept(name.removesuffix(SIDECAR), why))
            return
        sizes = record.sizes
        there = own_files(record, name) & self.sizes.keys()
        files = sorted(file for file in there if file not in self.named)
        gone = [file for file in files if self._is_as_recorded(file, sizes)]
        result.kept += [Kept(file, _REPLACED) for file in files if file not in gone]
        done = record.status == "done"
        order = (name, *gone) if done else (*gone, name)  # else the record of a try leads to its files
        total = sum(map(self.sizes.__getitem__, order))
        kind: Kind = "result" if done else "failure"
        result.found.append(Leftover(name.removesuffix(SIDECAR), kind, order, total))

    def _is_as_recorded(self, file: str, sizes: Mapping[str, int]) -> bool:
        """Whether a file is what was written, and nobody's in its place."""
        return self.sizes[file] == sizes[file] if file in sizes else bool(self._facts(file))

    def _not_of_this_manifest(self, record: Record) -> str:
        if record.manifest in self.ours:
            return ""
        return f"made for {record.manifest}" if record.manifest else _UNSAID

    def _judge_stray(self, name: str, facts: Mapping[str, str], result: Leftovers) -> None:
        """Something that no leftover record speaks of: a sheet, or what a death left behind."""
        size = self.sizes[name]
        if not facts:
            result.foreign += 1
        elif DIGEST_FACT in facts:
            digest = facts.get(MANIFEST_FACT, "")
            if digest in {manifest_digest(source) for source in self.ours}:
                result.found.append(Leftover(name, "sheet", (name,), size))
            else:
                result.kept.append(Kept(name, "made for another manifest" if digest else _UNSAID))
        elif (record := self._record_beside(name)) is not None:
            if name not in record.files and not self._not_of_this_manifest(record):
                result.found.append(Leftover(name, "stray", (name,), size))
        elif "" in self.ours:
            result.found.append(Leftover(name, "stray", (name,), size))
        else:
            result.kept.append(Kept(name, _UNSAID))

    def _record_beside(self, name: str) -> Record | None:
        """The record of a pair of the manifest that may have written that file."""
        for beside in records_beside(name):
            if (
                beside in self.named
                and beside in self.sizes
                and isinstance(found := self._read(beside), Record)
            ):
                return found
        return None


def _copied_along(record: Record, name: str) -> frozenset[str]:
    """Where the files of a record lie that was copied to another name with them."""
    stem = name.removesuffix(SIDECAR)
    return frozenset(stem + file.removeprefix(record.name) for file in record.files)
