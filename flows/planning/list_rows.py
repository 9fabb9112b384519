"""The lines of a list of pictures as they come: a table with commas or tabs, or an object on each line."""

from __future__ import annotations

import csv
import json
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from flows.manifest.model import PictureList
from flows.manifest.yaml_tree import shown
from flows.planning.listing import has_picture_suffix
from flows.storage.opening import read_blocks

MAX_LINE_BYTES = 2**20
IMAGE, NAME = "image", "name"
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
    records = _fields(_lines(listed), "\t" if listed.format == "tsv" else ",")
    where, head, wrong = next(records, ("", [], ""))
    if wrong:
        raise BadList("list", f"line {where}, which names the columns: {wrong}")
    image, name = _columns(listed, [cell.strip() for cell in head]) if head else (0, None)
    for where, row, wrong in records:
        if not wrong and any(row[len(head) :]):
            wrong = f"it has {len(row)} fields for {len(head)} columns; put a field with a comma into quotes"
        yield Row(where, _cell(row, image), _cell(row, name), wrong)


def _fields(lines: Iterator[str], delimiter: str) -> Iterator[tuple[str, list[str], str]]:
    """Where each record stands that is not blank, its fields, and what is wrong with it."""
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    while True:
        first, row, wrong = reader.line_num + 1, None, ""
        try:
            row = next(reader, None)
        except csv.Error as error:
            wrong = f"it is no such record ({error}); close each quote, and double those inside a field"
        if row is None and not wrong:
            return
        if wrong or any(row or ()):
            yield _span(first, reader.line_num), row or [], wrong


def _span(first: int, last: int) -> str:
    return f"{first}-{last}" if last > first else f"{first}"


def _cell(row: Sequence[str], at: int | None) -> str:
    return row[at] if at is not None and at < len(row) else ""


def _columns(listed: PictureList, names: Sequence[str]) -> tuple[int, int | None]:
    """Which column names the pictures, and which one their names, if there is such."""
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
    return names.index(wanted), names.index(NAME) if own_names else None


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
