"""The page on two outputs: pictures of equal names side by side, and what differs in how they were made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flows.pages.entries import Entry, Shown
from flows.pages.payload import Shared, pair_facts
from flows.pages.previews import Bounds, Previews, draw_previews, grouped_troubles
from flows.pages.rendering import render
from flows.pages.targets import Target
from flows.pages.wording import counted, short_names

SAME, DIFFERENT, ALONE = range(3)


@dataclass(frozen=True, slots=True)
class Match:
    """Two pairs of equal names; one of them is None where only the other output has that name."""

    name: str
    first: Entry | None
    second: Entry | None

    @property
    def state(self) -> int:
        """`SAME` if both are there and made of the same, `DIFFERENT` if not, `ALONE` if one is missing."""
        if self.first is None or self.second is None:
            return ALONE
        same = self.first.state == self.second.state and self.first.identity == self.second.identity
        return SAME if same else DIFFERENT

    @property
    def differences(self) -> list[tuple[str, str, str]]:
        """What differs between the two, with the values of both: settings, and pictures that are read."""
        if self.first is None or self.second is None:
            return []
        one, other = dict(self.first.settings), dict(self.second.settings)
        usual = "as usual"
        keys = [key for key in sorted(one.keys() | other.keys()) if one.get(key) != other.get(key)]
        found = [(key, one.get(key, usual), other.get(key, usual)) for key in keys]
        made_of = (_digests(self.first), _digests(self.second))
        roles = [role for role in ("content", "style") if made_of[0].get(role) != made_of[1].get(role)]
        return [*found, *((role, _file(self.first, role), _file(self.second, role)) for role in roles)]


def matches(first: Sequence[Entry], second: Sequence[Entry]) -> list[Match]:
    """Every name of both, in the order of the first, with those of the second alone at the end."""
    others = {entry.name: entry for entry in second}
    found = [Match(entry.name, entry, others.pop(entry.name, None)) for entry in first]
    return [*found, *(Match(name, None, entry) for name, entry in others.items())]


def compare_page(first: Target, second: Target, bounds: Bounds) -> bytes | None:
    """The page, UTF-8; None if its maker was told to end."""
    found = matches(first.gathered.entries, second.gathered.entries)
    previews = draw_previews(_wanted(found), b"", bounds)
    if previews is None:
        return None
    names = _names(first, second)
    states = [one.state for one in found]
    return render(
        "compare",
        payload=_payload(found, previews, names),
        pictures=previews.as_json(),
        title=f"{names[0]} and {names[1]}",
        names=names,
        places=(first.storage.root, second.storage.root),
        counts=[states.count(state) for state in (SAME, DIFFERENT, ALONE)],
        summary=_summary(states),
        notes=[*first.gathered.notes, *second.gathered.notes, *grouped_troubles(previews.troubles)],
    )


def _names(first: Target, second: Target) -> tuple[str, str]:
    """What the two are called; by their folders where they are called alike, and else by letters."""
    if first.title != second.title:
        return first.title, second.title
    roots = first.storage.root, second.storage.root
    named = short_names(roots)
    return (named[roots[0]], named[roots[1]]) if len(named) == 2 else ("A", "B")


def _wanted(found: Sequence[Match]) -> Iterator[Shown]:
    for one in found:
        yield from (entry.picture for entry in (one.first, one.second) if entry and entry.picture)


def _payload(found: Sequence[Match], previews: Previews, names: Sequence[str]) -> dict[str, Any]:
    texts: Shared[str] = Shared()
    pairs = [
        {
            "name": one.name,
            "state": one.state,
            "differs": one.differences,
            "sides": [_side(entry, previews, texts) for entry in (one.first, one.second)],
        }
        for one in found
    ]
    return {
        "kind": "compare",
        "names": names,
        "pairs": pairs,
        "texts": texts.values,
        "columns": [],
        "full": False,
    }


def _side(entry: Entry | None, previews: Previews, texts: Shared[str]) -> dict[str, Any] | None:
    if entry is None:
        return None
    facts = {key: value for key, value in pair_facts(entry, texts).items() if value not in ("", None, [], {})}
    return {**facts, "state": entry.state, "picture": previews.of(entry.picture), "message": entry.message}


def _digests(entry: Entry) -> dict[str, str]:
    pictures = {"content": entry.content, "style": entry.styles[0] if entry.styles else None}
    return {role: one.sha256 for role, one in pictures.items() if one}


def _file(entry: Entry, role: str) -> str:
    picture = entry.content if role == "content" else next(iter(entry.styles), None)
    return f"{picture.uri} ({picture.sha256[:8] or 'unknown'})" if picture else "none"


def _summary(states: Sequence[int]) -> str:
    counts: Mapping[int, int] = {state: states.count(state) for state in (SAME, DIFFERENT, ALONE)}
    if not states:
        return "Neither has a picture."
    if counts[SAME] == len(states):
        return f"{counted(len(states), 'picture')} of the same making in both."
    said = [f"{counts[DIFFERENT]:,} made differently", f"{counts[SAME]:,} of the same making"]
    said += [f"{counts[ALONE]:,} in one of them only"] if counts[ALONE] else []
    return ", ".join(said) + "."
