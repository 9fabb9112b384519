"""Contact sheets: small pictures in rows and columns, with labels."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from stylize_core.image.opening import Array

LARGEST_THUMBNAIL_PX = 512
SMALLEST_THUMBNAIL_PX = 16
SHEET_PIXELS = 8_000_000
LONGEST_SIDE_PX = 16_000

_PAPER, _INK, _FAINT, _EMPTY = (255, 255, 255), (34, 34, 34), (120, 120, 120), (236, 236, 236)
_LINES, _LETTERS = 6, 400  # of one label; the rest is cut off
_WORD = re.compile(r"[^\s,-]*(?:[\s,-]+|$)")
_PART = re.compile(r"[^_]*(?:_+|$)")

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


def thumbnail_px(cells: int, *, columns: int) -> int:
    """The long edge that thumbnails need for a sheet of so many cells to stay within bounds.

    >>> thumbnail_px(12, columns=4), thumbnail_px(1000, columns=40)
    (512, 89)
    """
    rows = -(-cells // columns)
    bound = min(math.isqrt(SHEET_PIXELS // cells), LONGEST_SIDE_PX // max(rows, columns))
    return max(SMALLEST_THUMBNAIL_PX, min(LARGEST_THUMBNAIL_PX, bound))


def contact_sheet(
    pictures: Sequence[Tensor | str],
    *,
    columns: int,
    row_labels: Sequence[str] = (),
    column_labels: Sequence[str] = (),
    captions: Sequence[str] = (),
    title: str = "",
) -> Tensor:
    """All pictures on one white sheet, row by row, each in the middle of its cell; the same bits every time.

    Args:
        pictures: [3, h, w] floating point 0..1 of any sizes, or words for a cell without a picture.
        columns: cells in a row.
        row_labels: to the left of each row; a newline begins a line.
        column_labels: above each column.
        captions: below each cell.
        title: above everything.

    Returns:
        [3, H, W] float32 0..1.

    Raises:
        ValueError: no cells, or labels that do not fit their number.
    """
    rows = -(-len(pictures) // columns) if columns > 0 else 0
    fits = len(row_labels) in (0, rows) and len(column_labels) in (0, columns)
    if not rows or not fits or len(captions) not in (0, len(pictures)):
        raise ValueError("a contact sheet needs cells, and as many labels as it has rows, columns and cells")
    layout = _Layout.of(pictures, columns, row_labels, column_labels, captions, title)
    return layout.drawn(pictures)


@dataclass(frozen=True, slots=True)
class _Label:
    """Text broken into lines, and the room that it takes in px."""

    lines: tuple[str, ...]
    font: Font

    @property
    def line_px(self) -> int:
        return math.ceil(_size(self.font) * 1.3)

    @property
    def width(self) -> int:
        return math.ceil(max((self.font.getlength(line) for line in self.lines), default=0))

    @property
    def height(self) -> int:
        return self.line_px * len(self.lines)

    def draw(
        self, canvas: ImageDraw.ImageDraw, x: float, y: float, *, anchor: str = "m", ink: object = _INK
    ) -> None:
        """The lines from `y` down; `anchor` is l, m or r: which part of each line lies at `x`."""
        for number, line in enumerate(self.lines):
            middle = y + (number + 0.5) * self.line_px
            canvas.text((x, middle), line, fill=ink, font=self.font, anchor=anchor + "m")  # type: ignore[arg-type]


def _size(font: Font) -> float:
    return float(getattr(font, "size", 11))


def _label(text: str, font: Font, width: float) -> _Label:
    """`text` in lines of at most `width` px, broken after spaces, commas and hyphens where possible."""
    lines = [part for line in text[:_LETTERS].splitlines() for part in _broken(line, font, width)]
    if len(lines) > _LINES:
        lines = [*lines[: _LINES - 1], _cut(lines[_LINES - 1] + "...", font, width)]
    return _Label(tuple(lines), font)


def _broken(line: str, font: Font, width: float) -> list[str]:
    found = [""]
    for word in _words(line, font, width):
        if found[-1] and font.getlength((found[-1] + word).rstrip()) > width:
            found.append("")
        found[-1] += word
    return [_cut(part.strip(), font, width) for part in found]


def _words(line: str, font: Font, width: float) -> Iterator[str]:
    """What may be moved to a line of its own; names are broken at underscores only if they would not fit."""
    for word in filter(None, _WORD.findall(line)):
        too_long = font.getlength(word.rstrip()) > width
        yield from filter(None, _PART.findall(word)) if too_long else (word,)


def _cut(text: str, font: Font, width: float) -> str:
    """`text`, or as much of it as fits with dots at the end."""
    if font.getlength(text) <= width:
        return text
    while text and font.getlength(text + "...") > width:
        text = text[:-1]
    return text + "..."


# Why so many: the measures of one drawing, each following from others.
@dataclass(frozen=True, slots=True)
class _Layout:
    """Where everything stands, in px."""

    box: tuple[int, int]
    columns: int
    gap: int
    margin: int
    rows: list[_Label]
    heads: list[_Label]
    captions: list[_Label]
    title: _Label
    font: Font

    @classmethod
    def of(
        cls,
        pictures: Sequence[Tensor | str],
        columns: int,
        row_labels: Sequence[str],
        column_labels: Sequence[str],
        captions: Sequence[str],
        title: str,
    ) -> _Layout:
        """The layout in which the largest picture and every label find room."""
        drawn = [picture for picture in pictures if not isinstance(picture, str)]
        width = max((picture.shape[2] for picture in drawn), default=192)
        height = max((picture.shape[1] for picture in drawn), default=144)
        size = min(28, max(13, max(width, height) // 14))
        font, gap = ImageFont.load_default(size), max(6, width // 28)
        rows = [_label(text, font, max(width * 0.8, size * 9)) for text in row_labels]
        side = max((label.width for label in rows), default=0)
        whole = columns * (width + gap) + side
        return cls(
            (width, height),
            columns,
            gap,
            max(16, size),
            rows,
            [_label(text, font, width) for text in column_labels],
            [_label(text, font, width) for text in captions],
            _label(title, ImageFont.load_default(round(size * 1.35)), max(whole - gap, size * 9)),
            font,
        )

    @property
    def left(self) -> int:
        """Where the first column begins."""
        side = max((label.width for label in self.rows), default=0)
        return self.margin + (side + 2 * self.gap if side else 0)

    @property
    def top(self) -> int:
        """Where the first row begins."""
        heads = max((label.height for label in self.heads), default=0)
        above = [part for part in (self.title.height, heads) if part]
        return self.margin + sum(above) + self.gap * len(above)

    @property
    def row_px(self) -> int:
        """The height of a row with what belongs to it."""
        tallest = max([self.box[1], *(label.height for label in self.rows)])
        below = max((label.height for label in self.captions), default=0)
        return tallest + (below + self.gap // 2 if below else 0) + self.gap

    def drawn(self, pictures: Sequence[Tensor | str]) -> Tensor:
        """The sheet as a tensor."""
        rows = -(-len(pictures) // self.columns)
        across = self.left + self.columns * (self.box[0] + self.gap) - self.gap + self.margin
        width = max(across, self.title.width + 2 * self.margin)
        height = self.top + rows * self.row_px - self.gap + self.margin
        image = Image.new("RGB", (width, height), _PAPER)
        canvas = ImageDraw.Draw(image)
        self._draw_labels(canvas)
        for at, picture in enumerate(pictures):
            self._draw_cell(image, canvas, at, picture)
        pixels = torch.from_numpy(np.array(image, dtype=np.uint8))
        return pixels.permute(2, 0, 1).float() / 255

    def _draw_labels(self, canvas: ImageDraw.ImageDraw) -> None:
        self.title.draw(canvas, self.left, self.margin, anchor="l")
        for column, label in enumerate(self.heads):
            middle = self.left + column * (self.box[0] + self.gap) + self.box[0] / 2
            label.draw(canvas, middle, self.top - self.gap / 2 - label.height)
        for row, label in enumerate(self.rows):
            y = self.top + row * self.row_px + (self.box[1] - label.height) / 2
            label.draw(canvas, self.left - 1.5 * self.gap, max(y, self.top + row * self.row_px), anchor="r")

    def _draw_cell(
        self, image: Image.Image, canvas: ImageDraw.ImageDraw, at: int, picture: Tensor | str
    ) -> None:
        (width, height), (row, column) = self.box, divmod(at, self.columns)
        x, y = self.left + column * (width + self.gap), self.top + row * self.row_px
        if isinstance(picture, str):
            canvas.rectangle((x, y, x + width - 1, y + height - 1), fill=_EMPTY)
            words = _label(picture, self.font, width - 2)
            words.draw(canvas, x + width / 2, y + (height - words.height) / 2, ink=_FAINT)
        else:
            place = x + (width - picture.shape[2]) // 2, y + (height - picture.shape[1]) // 2
            image.paste(Image.fromarray(_levels(picture)), place)
        if self.captions:
            self.captions[at].draw(canvas, x + width / 2, y + height + self.gap / 2)


def _levels(picture: Tensor) -> Array:
    """[h, w, 3] uint8 of a picture in 0..1."""
    return picture.detach().cpu().float().clamp(0, 1).mul(255).round().byte().permute(1, 2, 0).numpy()
