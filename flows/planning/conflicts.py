"""Results that would leave the output, lie on one another, stand in each other's way, or cover an input."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache

from flows.errors import Problem
from flows.model.names import check_name, name_key, safe_name
from flows.planning.candidates import Candidate, sheet_candidates
from flows.planning.inputs import Found
from flows.planning.left_out import LeftOut
from flows.records.report import Failed
from flows.storage.location import is_remote
from flows.text import safe_text

_NUMBERED = re.compile(r"(?P<name>.+)\.[0-9]{4,}", re.DOTALL)


@dataclass(frozen=True, slots=True)
class SettledNames:
    """Candidates whose names can be used together.

    Attributes:
        problems: names that the user has to change.
        refused: pairs of a picture that a pattern found, whose names cannot be used; they fail alone.
        warnings: contact sheets of such pairs that have no name; their pairs are made without.
    """

    candidates: list[Candidate]
    problems: list[Problem]
    refused: list[Failed]
    warnings: list[str] = field(default_factory=list)


def settle_names(candidates: Iterable[Candidate]) -> SettledNames:
    """Keep names from leaving the output, and from lying on top of one another on some file system.

    Two names are one where they agree in Unicode form C without regard to case. What the user wrote is a
    problem. Where a pattern found the picture, a name that cannot be used is replaced by one that can, and
    one that is taken costs its own pair alone, or the contact sheet that would be called so.
    """
    usable = [_usable(candidate) for candidate in candidates]
    problems: list[Problem] = []
    lost: dict[Candidate, str] = {}
    for problem, *clashing in _name_clashes(usable):
        _judge(problem, clashing, problems, lost)
    pairs = _without(lost, usable)
    sheets = sheet_candidates(pairs)  # of those that are left: two pairs that clash have sheets that clash
    if sheets:
        for problem, *clashing in _name_clashes([*pairs, *sheets]):
            if any(one and one.is_sheet for one in clashing):  # the others are judged already
                _judge(problem, clashing, problems, lost)
    bare = {shown for sheet in sheets if sheet in lost for shown in sheets[sheet]}
    kept = _without(lost, pairs)
    if bare:
        kept = [replace(one, sheet="") if one in bare else one for one in kept]
    warnings = [f"a contact sheet is left out: {why}" for one, why in lost.items() if one.is_sheet]
    return SettledNames(kept, problems, _refused(lost, kept), warnings)


def _without(lost: Mapping[Candidate, str], candidates: list[Candidate]) -> list[Candidate]:
    return [one for one in candidates if one not in lost] if lost else candidates


def _judge(
    problem: Problem,
    clashing: Iterable[Candidate | None],
    problems: list[Problem],
    lost: dict[Candidate, str],
) -> None:
    """Let what was found lose its name, a contact sheet rather than a pair; else the user has to choose."""
    found = [one for one in clashing if one and one.from_search]
    if found:
        lost[max(found, key=lambda one: one.is_sheet)] = problem.message
    else:
        problems.append(problem)


def _refused(lost: Mapping[Candidate, str], kept: Iterable[Candidate]) -> list[Failed]:
    """The pairs that lost their names; where another pair has the name, they are told by their pictures."""
    taken = {name_key(one.name) for one in kept}
    refused = []
    for one, why in lost.items():
        if not one.is_sheet:
            free = name_key(one.name) not in taken
            called = one.name if free else f"{one.name} ({one.title(str)})"
            taken.add(name_key(one.name))
            refused.append(Failed(safe_text(called), "bad_name", why))
    return refused


def _usable(candidate: Candidate) -> Candidate:
    if not candidate.from_search or check_name(candidate.name) is None:
        return candidate
    return replace(
        candidate, name=safe_name(candidate.name), sheet=candidate.sheet and safe_name(candidate.sheet)
    )


def _name_clashes(candidates: Sequence[Candidate]) -> Iterator[tuple[Problem, Candidate, Candidate | None]]:
    """What is wrong with names, whose it is, and with whose it clashes."""
    taken: dict[str, Candidate] = {}
    for candidate in candidates:
        if wrong := check_name(candidate.name):
            message = f"{safe_text(candidate.name)!r} cannot be used: {wrong}: {candidate}"
            yield Problem("name", message, candidate.lines[0]), candidate, None
        first = taken.setdefault(name_key(candidate.name), candidate)
        if first is not candidate:
            yield _collision(first, candidate), candidate, first
    for candidate in candidates:
        if other := _numbering(name_key(candidate.name), taken):
            kept = f"{safe_text(candidate.name)!r} is kept for the snapshots of {safe_text(other.name)!r}"
            message = f"{kept}: {candidate}; {other}; give one of the pictures or the pair a name of its own"
            yield Problem("name", message, candidate.lines[-1]), candidate, other
        if "/" in candidate.name and (other := _file_in_the_way(candidate, taken)):
            needs = f"{safe_text(candidate.name)!r} needs a folder where {safe_text(other.name)!r} has a file"
            message = f"{needs}: {candidate}; {other}; rename one of them"
            yield Problem("name", message, candidate.lines[-1]), candidate, other


def _collision(first: Candidate, second: Candidate) -> Problem:
    names = dict.fromkeys(repr(safe_text(candidate.name)) for candidate in (first, second))
    said = " and ".join(names) + (
        " are one name where case does not count" if len(names) > 1 else " is taken"
    )
    advice = "give one of the pictures or the pair a name of its own"
    return Problem("name", f"{said}: {first}; {second}; {advice}", second.lines[-1])


def _file_in_the_way(candidate: Candidate, taken: Mapping[str, Candidate]) -> Candidate | None:
    """The pair that has a picture or a record where `candidate` needs a folder."""
    parts = candidate.name.split("/")
    for depth in range(1, len(parts)):
        if other := writer_of("/".join(parts[:depth]), taken):
            return other
    return None


def writer_of(file: str, candidates: Mapping[str, Candidate]) -> Candidate | None:
    """The pair that may write `file` below the output, of those by the keys of their names."""
    name, dot, suffix = name_key(file).rpartition(".")
    own, numbering = candidates.get(name), _numbering(name, candidates)
    if own is not None and dot + suffix in own.suffixes:
        return own
    return numbering if numbering is not None and dot + suffix == numbering.settings.picture.suffix else None


def _numbering(name: str, candidates: Mapping[str, Candidate]) -> Candidate | None:
    """The pair that may call a snapshot so."""
    match = _NUMBERED.fullmatch(name)
    candidate = candidates.get(match["name"]) if match else None
    return candidate if candidate is not None and candidate.has_snapshots else None


@dataclass(frozen=True, slots=True)
class InputsApart:
    """What is left of candidates once none reads a picture where another one writes."""

    candidates: list[Candidate]
    problems: list[Problem]
    left_out: list[LeftOut]


def keep_inputs_apart(candidates: Sequence[Candidate], listed: Sequence[Found], output: str) -> InputsApart:
    """Keep a run from writing over its own inputs, where the output lies among them.

    A picture that a pattern found where another pair puts its result is no input, whoever wrote it. A picture
    that the user named, or that would be replaced by its own result, is a problem.
    """
    clashes = _clashes(candidates, output)
    matched = {found.uri for found in listed if found.searched}
    strays = {uri for uri, writer in clashes.items() if uri in matched and uri not in writer.reads}
    return InputsApart(
        [candidate for candidate in candidates if strays.isdisjoint(candidate.reads)],
        [_problem(uri, clashes[uri]) for uri in clashes if uri not in strays],
        [LeftOut(uri, "in the way") for uri in sorted(strays)],
    )


def _clashes(candidates: Sequence[Candidate], output: str) -> dict[str, Candidate]:
    """Every input that lies where a candidate writes, with that candidate."""
    resolved = cache(os.path.realpath)  # for this call only: links may change before the next one
    root = _real(output.rstrip("/") + "/", resolved)
    inputs = dict.fromkeys(uri for candidate in candidates for uri in candidate.reads)
    inside = {uri: real for uri in inputs if (real := _real(uri, resolved)).startswith(root)}
    if not inside:
        return {}
    writers = {name_key(one.name): one for one in (*sheet_candidates(candidates), *candidates)}
    return {uri: found for uri, real in inside.items() if (found := writer_of(real[len(root) :], writers))}


def _problem(uri: str, writer: Candidate) -> Problem:
    message = (
        f"{safe_text(uri)} would be replaced by the result of {writer}; choose another `output:` or a name "
        "that tells results from inputs"
    )
    return Problem("output", message, writer.lines[-1])


def _real(uri: str, resolved: Callable[[str], str]) -> str:
    """A place with links in its folders resolved, so that two ways to one file are seen as one."""
    if is_remote(uri):
        return uri
    folder, name = os.path.split(uri)
    return os.path.join(resolved(folder), name)  # noqa: PTH118  a trailing slash counts
