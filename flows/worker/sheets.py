"""A contact sheet from the pictures of its cells, inside a worker process."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version

from torch import Tensor

from flows.model.sheet import DIGEST_FACT, MANIFEST_FACT, Cell, SheetJob, manifest_digest
from flows.records.ownership import refuse_foreign_file
from flows.storage.base import Storage
from flows.storage.opening import open_storage
from flows.worker import link
from stylize_core.image.contact_sheet import contact_sheet, thumbnail_px
from stylize_core.image.decode import Picture, encode_picture
from stylize_core.image.large.fitting import decode_fitting
from stylize_core.image.resize import resize
from stylize_core.settings.fields import WHOLE
from stylize_core.settings.picture import PictureSettings

IN_PARTS = PictureSettings()
"""Results are our own, and as large as somebody has wished."""
AT_ONCE = PictureSettings(max_megapixels=4000)
"""For WebP, which is decoded as a whole or not at all."""

READABLE_PX = 160


def make_sheet(job: SheetJob) -> bool:
    """Draw the sheet and write it; False if the run ends and nothing was written.

    Raises:
        StorageError: a picture could not be read, or the sheet not written.
        BadImage: what stands in a picture's place is none.
        ForeignFile: somebody else's file stands in the sheet's place.
    """
    storage, sheet = open_storage(job.output), job.sheet
    px = thumbnail_px(len(job.cells), columns=sheet.columns)
    pictures: list[Picture | str] = []
    for cell in job.cells:
        if link.should_stop():
            return False
        pictures.append(_thumbnail(storage, cell, px) if cell.picture else cell.words)
    image = contact_sheet(
        _of_one_size(pictures, px),
        columns=sheet.columns,
        row_labels=sheet.row_labels,
        column_labels=sheet.column_labels,
        captions=sheet.captions,
        title=sheet.title,
    )
    if not job.replace_foreign:
        refuse_foreign_file(storage, sheet.name)
    data = encode_picture(image, alpha=None, settings=PictureSettings(), facts=_facts(job))
    storage.write(sheet.name, data, content_type="image/png")
    return True


def _thumbnail(storage: Storage, cell: Cell, px: int) -> Picture:
    shown = decode_fitting(
        storage.read(cell.picture),
        source=storage.uri(cell.picture),
        settings=AT_ONCE if cell.picture.endswith(".webp") else IN_PARTS,
        part=WHOLE,
        long_edge=lambda *_: px,
    )
    return resize(shown.picture, long_edge=px, enlarge=False)


def _of_one_size(pictures: Sequence[Picture | str], px: int) -> list[Tensor | str]:
    """All as large as the largest: a swept `size` shows in the strokes; never too small to be seen."""
    largest = max((max(one.rgb.shape) for one in pictures if not isinstance(one, str)), default=px)
    long_edge = min(px, max(largest, READABLE_PX))
    return [
        one if isinstance(one, str) else resize(one, long_edge=long_edge, enlarge=True).rgb
        for one in pictures
    ]


def _facts(job: SheetJob) -> dict[str, str]:
    """What the sheet shows; sixteen digits of an identity, so that a thousand of them find room."""
    cells = " ".join(cell.identity[:16] or "-" for cell in job.cells)
    facts = {"Software": f"stylize {version('stylize')}", DIGEST_FACT: job.digest, "stylize:cells": cells}
    return facts | ({MANIFEST_FACT: manifest_digest(job.manifest)} if job.manifest else {})
