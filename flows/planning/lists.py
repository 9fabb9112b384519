"""The pictures that a list names, by their places."""

from __future__ import annotations

from dataclasses import dataclass, field

from flows.manifest.model import PictureList
from flows.manifest.paths import absolute, folder_of, one_spelling
from flows.manifest.yaml_tree import shown
from flows.model.names import normalised
from flows.planning.list_rows import Row, read_rows
from flows.records.report import Failed
from flows.storage.location import is_remote, is_text
from flows.text import safe_text


@dataclass(slots=True)
class NamedByList:
    """What a list says, line by line.

    Attributes:
        pictures: URI and name of each, in order and once; the name empty where the list gives none.
        again: URIs of those that were named before.
        refused: lines that name no picture that could be used.
        merged: where quotes make one record of several lines, which names one picture.
    """

    pictures: dict[tuple[str, str], None] = field(default_factory=dict)
    again: list[str] = field(default_factory=list)
    refused: list[Failed] = field(default_factory=list)
    merged: list[str] = field(default_factory=list)


def named_by(listed: PictureList) -> NamedByList:
    """The pictures of a list. Their paths start in its folder; `*` and `?` are letters.

    A list in an object store names objects only, so that whoever may write there cannot have files of this
    machine read.

    Raises:
        BadList: it is no such list, or lacks the column.
        StorageError: it cannot be read.
    """
    found, folder = NamedByList(), folder_of(listed.uri)
    for row in read_rows(listed):
        if row.has_several_lines:
            found.merged.append(f"lines {row.where}")
        try:
            picture = _place(row, folder), normalised(row.name)
        except ValueError as error:
            where = safe_text(f"{listed.uri}:{row.where}")
            found.refused.append(Failed(where, "bad_line", safe_text(str(error))))
            continue
        if picture in found.pictures:
            found.again.append(picture[0])
        found.pictures[picture] = None
    return found


def _place(row: Row, folder: str) -> str:
    """The absolute path or URI of the picture on a line.

    Raises:
        ValueError: there is none, with the reason and what to do.
    """
    if row.wrong or not row.image:
        raise ValueError(row.wrong or "it names no picture; fill the field in, or remove the line")
    if not is_text(row.image + row.name):
        raise ValueError("it is not UTF-8; save the list as UTF-8")
    if is_remote(folder) and row.image.startswith("/"):
        advice = "a list in an object store cannot name local files; write s3://bucket/key"
        raise ValueError(f"{shown(row.image)} is not accepted; {advice}")
    try:
        return one_spelling(absolute(row.image, folder, kind="listed"))
    except ValueError as error:
        raise ValueError(f"{shown(row.image)} is not accepted; {error}") from None
