"""What failed, grouped so that a person sees how many things there are to mend, and what to do about each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from flows.pages.entries import Entry, Shown
from flows.pages.remedies import Remedy, remedy

MOST_NAMES = 40
"""Pairs of one group that a page lists; the grid has them all."""

MOST_GROUPS = 60
"""Groups of one kind that a page lists."""


@dataclass(frozen=True, slots=True)
class Group:
    """Pairs that failed for one reason.

    Attributes:
        about: the picture or file that they have in common, in short; empty if there is none.
        message: of the first of them.
        names: of the first pairs.
        count: of all.
    """

    about: str
    message: str
    names: tuple[str, ...]
    count: int


@dataclass(frozen=True, slots=True)
class Kind:
    """Everything that failed in one way.

    Attributes:
        groups: by what the failures are about, the largest first.
        more: how many groups are not among them.
    """

    kind: str
    remedy: Remedy
    count: int
    groups: tuple[Group, ...]
    more: int


def grouped(entries: Iterable[Entry], names: Mapping[str, str]) -> list[Kind]:
    """The failed ones by kind, the commonest first.

    Args:
        names: short names of pictures by their place.
    """
    kinds: dict[str, list[Entry]] = {}
    for entry in entries:
        if entry.state == "failed":
            kinds.setdefault(entry.kind, []).append(entry)
    found = [_kind(kind, failed, names) for kind, failed in kinds.items()]
    return sorted(found, key=lambda one: -one.count)


def _kind(kind: str, failed: list[Entry], names: Mapping[str, str]) -> Kind:
    groups: dict[str, list[Entry]] = {}
    for entry in failed:
        groups.setdefault(_about(entry, names), []).append(entry)
    listed = sorted(groups.items(), key=lambda item: -len(item[1]))
    shown = tuple(_group(about, members) for about, members in listed[:MOST_GROUPS])
    return Kind(kind, remedy(kind), len(failed), shown, len(listed) - len(shown))


def _group(about: str, members: list[Entry]) -> Group:
    names = tuple(entry.name for entry in members[:MOST_NAMES])
    return Group(about, members[0].message, names, len(members))


def _about(entry: Entry, names: Mapping[str, str]) -> str:
    """The picture that the message speaks of; else the content, whose size a device may fail at."""
    pictures = [*filter(None, (entry.content,)), *entry.styles]
    named = [picture for picture in pictures if _speaks_of(entry.message, picture)]
    meant = named or ([entry.content] if entry.content else list(entry.styles[:1]))
    return names.get(meant[0].uri, meant[0].uri) if meant else ""


def _speaks_of(message: str, picture: Shown) -> bool:
    return picture.uri in message
