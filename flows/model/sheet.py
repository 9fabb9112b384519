"""A contact sheet as it is planned, and on its way to a worker."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass

SHEET_VERSION = 1
"""Raised whenever the same cells would be drawn otherwise."""

DIGEST_FACT = "stylize:sheet"
MANIFEST_FACT = "stylize:manifest"


@dataclass(frozen=True, slots=True)
class Sheet:
    """A contact sheet as planned.

    Attributes:
        name: its file below the output.
        title: the pair that it is about.
        columns: how many cells stand in a row.
        column_labels: one for each column, or none.
        row_labels: one for each row, or none.
        captions: one below each cell, or none.
        pairs: the name of the pair in each cell, row by row; empty where the manifest leaves one out.
    """

    name: str
    title: str
    columns: int
    column_labels: tuple[str, ...]
    row_labels: tuple[str, ...]
    captions: tuple[str, ...]
    pairs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Cell:
    """What stands in a cell: the picture of that identity, or words where there is none."""

    identity: str = ""
    picture: str = ""
    words: str = ""


@dataclass(frozen=True, slots=True)
class SheetJob:
    """A sheet on its way to a worker, with what stands in its cells.

    Attributes:
        replace_foreign: whether it may replace a file that is not of this program.
        manifest: what asks for it; empty for none.
    """

    output: str
    sheet: Sheet
    cells: tuple[Cell, ...]
    replace_foreign: bool = False
    manifest: str = ""

    @property
    def digest(self) -> str:
        """What tells this sheet, as it is to be, from any other."""
        shown = [SHEET_VERSION, asdict(self.sheet), [asdict(cell) for cell in self.cells]]
        text = json.dumps(shown, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode("ascii")).hexdigest()


def manifest_digest(source: str) -> str:
    """What a sheet says of its manifest, so that nobody who sees it learns the path; empty for none."""
    return hashlib.sha256(source.encode("utf-8", "surrogatepass")).hexdigest()[:16] if source else ""
