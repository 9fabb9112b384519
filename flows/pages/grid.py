"""Contents down, styles across: where each pair of a page stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from flows.pages.entries import Entry, Shown
from flows.pages.wording import short_names

Place = tuple[int, int]
_Style = tuple[str, ...]
K = TypeVar("K")

FULL_ENOUGH = 0.3
"""From this share of its cells on, a grid is shown as one; else its pairs stand one after another."""


@dataclass(frozen=True, slots=True)
class Heading:
    """A row or a column: a picture by its short name, and how its pairs differ from others of it."""

    name: str
    variant: str = ""
    picture: Shown | None = None


@dataclass(frozen=True, slots=True)
class Grid:
    """The places of the entries, in their order.

    Attributes:
        names: short names of all pictures by their place.
        full: whether it is full enough to be shown as a grid.
    """

    rows: tuple[Heading, ...]
    columns: tuple[Heading, ...]
    places: tuple[Place, ...]
    names: Mapping[str, str]
    full: bool


def grid_of(entries: Sequence[Entry]) -> Grid:
    """Rows and columns in the order in which the entries have them; no two entries share a place."""
    names = short_names(
        one.uri for entry in entries for one in (*filter(None, (entry.content,)), *entry.styles)
    )
    rows: dict[str, Heading] = {}
    columns: dict[tuple[_Style, str], Heading] = {}
    taken: set[tuple[str, _Style, str]] = set()
    found: list[tuple[str, tuple[_Style, str]]] = []
    for entry, variant in zip(entries, _variants(entries), strict=True):
        content, style = _content(entry), _style(entry)
        label, again = variant, 2
        while (content, style, label) in taken:
            label, again = f"{variant} ({again})".strip(), again + 1
        taken.add((content, style, label))
        found.append((content, (style, label)))
        named = names.get(content) or (entry.name if content else "no content")
        _head(rows, content, Heading(named, "", entry.content))
        styled = " + ".join(names[one] for one in style) or "no style"
        _head(columns, (style, label), Heading(styled, label, next(iter(entry.styles), None)))
    first_seen = {style: at for at, style in reversed(list(enumerate(style for style, _ in columns)))}
    ordered = sorted(columns, key=lambda key: first_seen[key[0]])  # variants of one style stand together
    row_at = {key: at for at, key in enumerate(rows)}
    column_at = {key: at for at, key in enumerate(ordered)}
    return Grid(
        tuple(rows.values()),
        tuple(columns[key] for key in ordered),
        tuple((row_at[content], column_at[column]) for content, column in found),
        names,
        len(entries) >= FULL_ENOUGH * len(rows) * len(columns),
    )


def _head(headings: dict[K, Heading], key: K, heading: Heading) -> None:
    """Keep the heading unless there is one; better one whose picture is known to be sound."""
    known = headings.get(key)
    if known is None or (_sound(heading) and not _sound(known)):
        headings[key] = heading


def _sound(heading: Heading) -> bool:
    return heading.picture is not None and heading.picture.decoded


def _content(entry: Entry) -> str:
    """What its row is told by; of a file that no pair can be made of, its name."""
    if entry.content:
        return entry.content.uri
    return "" if entry.styles else entry.name


def _style(entry: Entry) -> _Style:
    return tuple(one.uri for one in entry.styles)


def _variants(entries: Sequence[Entry]) -> list[str]:
    """For each entry what tells it from others of its content and style, as a sweep has them."""
    groups: dict[tuple[str, _Style], list[int]] = {}
    for at, entry in enumerate(entries):
        groups.setdefault((_content(entry), _style(entry)), []).append(at)
    found = [""] * len(entries)
    for members in groups.values():
        if len(members) > 1:
            for at, label in zip(members, _labels([entries[at] for at in members]), strict=True):
                found[at] = label
    return found


def _labels(entries: Sequence[Entry]) -> list[str]:
    settings = [dict(entry.settings) for entry in entries]
    keys = [
        key
        for key in dict.fromkeys(key for one in settings for key in one)
        if len({one.get(key) for one in settings}) > 1
    ]
    return [", ".join(f"{key} {one.get(key, 'as usual')}" for key in keys) for one in settings]
