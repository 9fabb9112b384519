"""Names of results that would leave the output, lie on top of one another, or stand in each other's way."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence

from flows.errors import Problem
from flows.manifest.load import check_name
from flows.planning.candidates import Draft, sheet_drafts
from flows.text import safe_text

_NUMBERED = re.compile(r"(?P<name>.+)\.[0-9]{4,}", re.DOTALL)


def name_problems(drafts: Sequence[Draft]) -> Iterator[Problem]:
    """Names that leave the output, and names that would lie on top of one another on some file system.

    Two names are one where they agree in Unicode form C without regard to case.
    """
    taken: dict[str, Draft] = {}
    drafts = [*drafts, *sheet_drafts(drafts)]
    for draft in drafts:
        if wrong := check_name(draft.name):
            yield Problem(
                "name", f"{safe_text(draft.name)!r} cannot be used: {wrong}: {draft}", draft.lines[0]
            )
        first = taken.setdefault(name_key(draft.name), draft)
        if first is not draft:
            yield _collision(first, draft)
    for draft in drafts:
        if other := _numbering(name_key(draft.name), taken):
            kept = f"{safe_text(draft.name)!r} is kept for the snapshots of {safe_text(other.name)!r}"
            advice = "give one of the pictures or the pair a name of its own"
            yield Problem("name", f"{kept}: {draft}; {other}; {advice}", draft.lines[-1])
        if "/" in draft.name and (other := _file_in_the_way(draft, taken)):
            yield Problem(
                "name",
                f"{safe_text(draft.name)!r} needs a folder where {safe_text(other.name)!r} has a file: "
                f"{draft}; {other}; rename one of them",
                draft.lines[-1],
            )


def name_key(name: str) -> str:
    """The same for all names that some file system takes for one."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def _collision(first: Draft, second: Draft) -> Problem:
    names = dict.fromkeys(repr(safe_text(draft.name)) for draft in (first, second))
    said = " and ".join(names) + (
        " are one name where case does not count" if len(names) > 1 else " is taken"
    )
    advice = "give one of the pictures or the pair a name of its own"
    return Problem("name", f"{said}: {first}; {second}; {advice}", second.lines[-1])


def _file_in_the_way(draft: Draft, taken: Mapping[str, Draft]) -> Draft | None:
    """The pair that has a picture or a record where `draft` needs a folder."""
    parts = draft.name.split("/")
    for depth in range(1, len(parts)):
        if other := writer_of("/".join(parts[:depth]), taken):
            return other
    return None


def writer_of(file: str, drafts: Mapping[str, Draft]) -> Draft | None:
    """The pair that may write `file` below the output, of those by the keys of their names."""
    name, dot, suffix = name_key(file).rpartition(".")
    own, numbering = drafts.get(name), _numbering(name, drafts)
    if own is not None and dot + suffix in own.suffixes:
        return own
    return numbering if numbering is not None and dot + suffix == numbering.recipe.picture.suffix else None


def _numbering(name: str, drafts: Mapping[str, Draft]) -> Draft | None:
    """The pair that may call a snapshot so."""
    match = _NUMBERED.fullmatch(name)
    draft = drafts.get(match["name"]) if match else None
    return draft if draft is not None and draft.has_snapshots else None
