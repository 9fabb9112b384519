"""The lines of a list of pictures as they come: a table with commas or tabs, or an object on each line."""

from __future__ import annotations

import csv
import json
import re
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from flows.manifest.model import PictureList
from flows.manifest.yaml_tree import shown
from flows.planning.listing import has_picture_suffix
from flows.storage.opening import read_blocks

MAX_LINE_BYTES = 2**20
MAX_RECORD_LINES = 1000
"""A record with more lines is one whose quote nobody closed."""
IMAGE, NAME = "image", "name"
_QUOTED = re.compile(r'"((?:[^"]|"")*)"')
_NO_TEXT = {
    BOM_UTF16_LE: "UTF-16",
    BOM_UTF16_BE: "UTF-16",
    b"\x1f\x8b": "compressed",
    b"PK\3\4": "a workbook or an archive",
}


@dataclass(frozen=True, slots=True)
class Row:
    """What a line of a list says.

    Attributes:
        where: number of the line, from 1, or `3-5` for one that quotes line breaks.
        image: the picture as written; bytes that are no UTF-8 stand there as surrogates.
        name: that the line gives it; empty if it gives none.
        wrong: why the line cannot be read, and what to do; empty if it can.
    """

    where: str
    image: str = ""
    name: str = ""
    wrong: str = ""

    @property
    def has_several_lines(self) -> bool:
        """Whether it is one record of several lines, by quotes around the line breaks."""
        return "-" in self.where


class BadList(Exception):
    """The list as a whole cannot be used.

    Attributes:
        key: of the entry that is to blame.
    """

    def __init__(self, key: str, message: str) -> None:
        super().__init__(message)
        self.key = key


def read_rows(listed: PictureList) -> Iterator[Row]:
    """Every line that says anything, in order; only a part of the list is in memory.

    Raises:
        BadList: it is no such list, or lacks the column.
        StorageError: it cannot be read.
    """
    return _objects(listed) if listed.format == "jsonl" else _records(listed)


def _lines(listed: PictureList) -> Iterator[str]:
    """The lines with their ends; bytes that are no UTF-8 become surrogates."""
    blocks = read_blocks(listed.uri)
    first = next(blocks, b"")
    _check_text(first)
    rest = b""
    for block in chain([first.removeprefix(BOM_UTF8)], blocks):
        *whole, rest = (rest + block).split(b"\n")
        yield from (f"{line.decode('utf-8', 'surrogateescape')}\n" for line in whole)
        if len(rest) > MAX_LINE_BYTES:
            raise BadList("list", f"it has a line of more than {MAX_LINE_BYTES >> 20} MiB; this is no list")
    if rest:
        yield rest.decode("utf-8", "surrogateescape")


def _check_text(start: bytes) -> None:
    for mark, kind in _NO_TEXT.items():
        if start.startswith(mark):
            raise BadList("list", f"it is {kind}, not plain UTF-8; save it as UTF-8 text")


def _records(listed: PictureList) -> Iterator[Row]:
    """The rows of a table below its first one, which says what the columns are."""
    lines = _Lines(_lines(listed))
    tabs = listed.format == "tsv"
    records: Iterator[list[str]] = map(_tabbed, lines) if tabs else csv.reader(lines, strict=True)
    columns: _Columns | None = None
    while (found := _next(records)) is not None:
        row, wrong = found
        wrong = wrong or (columns.misfit(row) if columns else "")
        where = lines.end_record(broken=bool(wrong))
        if columns is not None and (wrong or any(row)):
            yield Row(where, columns.cell(row, columns.image), columns.cell(row, columns.name), wrong)
        elif wrong:
            raise BadList("list", f"line {where}, which names the columns: {wrong}")
        elif any(row):
            columns = _columns(listed, [cell.strip() for cell in row])


class _Lines:
    """The lines of a table as its records take them; those of a broken record come again, less the first.

    So a quote that nobody closes costs its own line, not all up to the next quote.
    """

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines
        self._again: deque[str] = deque()
        self._taken: list[str] = []
        self._before = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if len(self._taken) == MAX_RECORD_LINES:
            raise csv.Error(f"it goes on for more than {MAX_RECORD_LINES} lines")
        line = self._again.popleft() if self._again else next(self._lines)
        self._taken.append(line)
        return line

    def end_record(self, *, broken: bool) -> str:
        """Where the record stands whose lines were taken last."""
        if broken:
            self._again.extendleft(reversed(self._taken[1:]))
            del self._taken[1:]
        first, self._before = self._before + 1, self._before + len(self._taken)
        self._taken.clear()
        return f"{first}-{self._before}" if self._before > first else f"{first}"


def _next(records: Iterator[list[str]]) -> tuple[list[str], str] | None:
    """The next record's fields and what is wrong with it; None after the last one."""
    try:
        row = next(records, None)
    except csv.Error as error:
        return [], f"it is no such record ({error}); close each quote, and double those inside a field"
    return None if row is None else (row, "")


def _tabbed(line: str) -> list[str]:
    """The fields of a line with tabs, where a quote is a letter unless it stands around a whole field.

    >>> _tabbed('"a ""b"" c"\\t12" x 8"\\t"c\\n')
    ['a "b" c', '12" x 8"', '"c']
    """
    return [_unquoted(cell) for cell in line.rstrip("\r\n").split("\t")]


def _unquoted(cell: str) -> str:
    quoted = _QUOTED.fullmatch(cell)
    return quoted[1].replace('""', '"') if quoted else cell


@dataclass(frozen=True, slots=True)
class _Columns:
    """What the columns of a table are.

    Attributes:
        count: how many there are.
        image: which one names the pictures, from 0.
        name: which one gives their names; None if none does.
        advice: what to do about a row with more fields.
    """

    count: int
    image: int
    name: int | None
    advice: str

    def cell(self, row: Sequence[str], at: int | None) -> str:
        """A field; empty where the row or the table has none."""
        return row[at] if at is not None and at < len(row) else ""

    def misfit(self, row: Sequence[str]) -> str:
        """Why a row cannot be one of the table; empty if it can."""
        if any(row[self.count :]):
            return f"it has {len(row)} fields for {self.count} columns; {self.advice}"
        if "\n" in self.cell(row, self.image) + self.cell(row, self.name):
            return "its picture goes on in the next line; close each quote, and double those inside a field"
        return ""


def _columns(listed: PictureList, names: Sequence[str]) -> _Columns:
    """Which column names the pictures, and which one their names, if there is such.

    Raises:
        BadList: the column is not there, or the first line names no columns.
    """
    filled = [name for name in names if name]
    wanted = listed.column or (filled[0] if len(filled) == 1 else IMAGE)
    if not listed.column and (has_picture_suffix(wanted) or set(wanted) & set("/;\t")):
        advice = "write a first line that names the columns, such as `image`, with commas between them"
        raise BadList("list", f"its first line is {shown(wanted)}; {advice}")
    if names.count(wanted) != 1:
        has = f"{names.count(wanted) or 'no'} columns {shown(wanted)}"
        there = ", ".join(map(shown, filled[:20]))
        message = f"it has {has} among {there}; say which column names the pictures with `column:`"
        raise BadList("column" if listed.column else "list", message)
    own_names = NAME in names and wanted != NAME
    tabs = listed.format == "tsv"
    advice = "no field can hold a tab, take it out" if tabs else "put a field with a comma into quotes"
    return _Columns(len(names), names.index(wanted), names.index(NAME) if own_names else None, advice)


def _objects(listed: PictureList) -> Iterator[Row]:
    """The lines of a file of JSON: objects, or plain strings."""
    key = listed.column or IMAGE
    lines = lacking = 0
    for number, line in enumerate(_lines(listed), 1):
        if line.strip():
            row = _object(f"{number}", line, key)
            lines, lacking = lines + 1, lacking + (not row.image and not row.wrong)
            yield row
    if lines and lines == lacking:
        message = f"no line names a picture as {shown(key)}; say which key does with `column:`"
        raise BadList("column" if listed.column else "list", message)


def _object(where: str, line: str, key: str) -> Row:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError) as error:
        return Row(where, wrong=f"it is not JSON ({getattr(error, 'msg', 'nested too deep')}); correct it")
    if isinstance(found, str):
        return Row(where, found)
    if not isinstance(found, dict):
        return Row(where, wrong=f'it is neither text nor an object, as {{"{key}": "a.jpg"}}; correct it')
    image, name = (found[k] if found.get(k) is not None else "" for k in (key, NAME))
    if not isinstance(image, str) or not isinstance(name, str):
        return Row(where, wrong=f"`{key}` and `{NAME}` must be text; put the value into quotes")
    return Row(where, image, "" if key == NAME else name)
