"""A strict reader for the YAML that manifests are written in: bytes to a tree of texts with their lines.

YAML 1.1 guesses types (`no` is false, `010` is eight, `12:30` is 750) and lets a few hundred bytes of aliases
grow without limit. Here every scalar stays the text that stands in the file, and whoever expects a number
reads one from it. Anchors, aliases, merge keys, tags, duplicate keys and further documents are refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from flows.errors import Problem

MAX_BYTES = 32 * 2**20  # 100,000 pairs of long S3 URIs with settings are about 20 MiB
MAX_VALUES = 4_000_000  # so that a file of nothing but commas cannot take all memory
MAX_DEPTH = 32

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_UNREADABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class Text:
    """A scalar as written; `plain` if it stands without quotes."""

    text: str
    where: str
    line: int
    plain: bool


@dataclass(frozen=True, slots=True)
class Items:
    """A sequence."""

    items: list[Node]
    where: str
    line: int


@dataclass(frozen=True, slots=True)
class Table:
    """A mapping: each key with the line that it stands on and its value."""

    entries: dict[str, tuple[int, Node]]
    where: str
    line: int


Node = Text | Items | Table


class Refused(Exception):
    """A value is not accepted; knows where it stands."""

    def __init__(self, node: Node, message: str) -> None:
        super().__init__(message)
        self.problem = Problem(node.where, message, node.line)


def shown(text: str) -> str:
    """`text` quoted for a message: control characters escaped, cut after 80 characters.

    >>> shown("a" * 100)[-5:]
    "a'..."
    """
    return repr(text) if len(text) <= 80 else repr(text[:80]) + "..."


def read_yaml(data: bytes, problems: list[Problem], *, where: str = "") -> Node | None:
    """The one document in `data`, or None if it cannot be read; what is wrong is added to `problems`.

    Args:
        where: the place of the document in a larger tree, such as `settings.steps`.
    """
    text = _decoded(data, problems)
    if text is None:
        return None
    reader = _Reader(yaml.parse(text, Loader=_LOADER), problems)
    try:
        return reader.document(where)
    except Refused as refused:
        problems.append(refused.problem)
    except yaml.YAMLError as error:
        problems.append(_syntax_problem(error))
    return None


def _decoded(data: bytes, problems: list[Problem]) -> str | None:
    if len(data) > MAX_BYTES:
        problems.append(
            Problem("", f"the file is larger than {MAX_BYTES >> 20} MiB; split it into several manifests")
        )
        return None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        problems.append(
            Problem("", f"byte {data[error.start]:#04x} is not UTF-8; save the file as UTF-8", line)
        )
        return None
    if bad := _UNREADABLE.search(text):
        line = text.count("\n", 0, bad.start()) + 1
        problems.append(Problem("", f"character {bad.group()!r} is not allowed in YAML; remove it", line))
        return None
    return text


def _syntax_problem(error: yaml.YAMLError) -> Problem:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    said = [getattr(error, "context", None), getattr(error, "problem", None)]
    message = ", ".join(part for part in said if part) or str(error)
    if "alias" in message:
        message = "an unquoted `*` begins an alias; put a pattern into quotes, such as '*.jpg'"
    return Problem("", f"this is not YAML: {message}", mark.line + 1 if mark else None)


@dataclass(slots=True)
class _Reader:
    """Builds the tree straight from the parser's events, so that nothing is composed before it is judged."""

    events: Iterator[Any]
    problems: list[Problem]
    values: int = field(default=0)

    def document(self, where: str) -> Node | None:
        next(self.events)  # the stream's start
        if isinstance(next(self.events), yaml.StreamEndEvent):
            self.problems.append(Problem("", "the file is empty; a manifest begins with `version: 1`", 1))
            return None
        root = self.node(next(self.events), where, 0)
        next(self.events)  # the document's end
        if not isinstance(after := next(self.events), yaml.StreamEndEvent):
            line = after.start_mark.line + 1
            self.problems.append(
                Problem("", "a second document begins here; a manifest is one document", line)
            )
        return root

    def node(self, event: Any, where: str, depth: int) -> Node:
        line = event.start_mark.line + 1
        self.judge(event, where, line)
        if isinstance(event, yaml.AliasEvent):
            return Text(f"*{event.anchor}", where, line, True)
        if isinstance(event, yaml.ScalarEvent):
            return Text(event.value, where, line, event.style in (None, ""))
        if depth == MAX_DEPTH:
            raise Refused(Items([], "", line), f"nested deeper than {MAX_DEPTH} levels")
        if isinstance(event, yaml.SequenceStartEvent):
            return Items(self.items(where, depth + 1), where, line)
        return Table(self.entries(where, depth + 1), where, line)

    def judge(self, event: Any, where: str, line: int) -> None:
        self.values += 1
        if self.values > MAX_VALUES:
            raise Refused(
                Items([], "", line), f"more than {MAX_VALUES:,} values; split it into several manifests"
            )
        if event.anchor is not None:
            message = "anchors and aliases are not supported; write the value out where it is used"
            self.problems.append(Problem(where, message, line))
        elif getattr(event, "tag", None) is not None:
            message = f"the tag {shown(event.tag)} is not supported; write the value without it"
            self.problems.append(Problem(where, message, line))

    def items(self, where: str, depth: int) -> list[Node]:
        found: list[Node] = []
        while not isinstance(event := next(self.events), yaml.SequenceEndEvent):
            found.append(self.node(event, f"{where}[{len(found)}]", depth))
        return found

    def entries(self, where: str, depth: int) -> dict[str, tuple[int, Node]]:
        found: dict[str, tuple[int, Node]] = {}
        while not isinstance(event := next(self.events), yaml.MappingEndEvent):
            key = self.node(event, where, depth)
            if not isinstance(key, Text):
                raise Refused(key, "a key must be a word, not a list or a mapping")
            below = _joined(where, key.text)
            value = self.node(next(self.events), below, depth)
            if key.text == "<<":
                message = "merge keys are not supported; write the keys out"
                self.problems.append(Problem(where, message, key.line))
            elif key.text in found:
                message = f"this key stands twice; first on line {found[key.text][0]}"
                self.problems.append(Problem(below, message, key.line))
            else:
                found[key.text] = (key.line, value)
        return found


def _joined(where: str, key: str) -> str:
    name = key if key.isprintable() and 0 < len(key) <= 80 else shown(key)
    return f"{where}.{name}" if where else name
