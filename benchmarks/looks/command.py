"""`python -m benchmarks looks`: the table of what was measured, and the sheet of what was made."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from statistics import fmean

from rich.markup import escape
from rich.table import Table
from torch import Tensor

from benchmarks.looks.making import Made, make_all, own_pictures, pairs_of, read_look
from benchmarks.looks.measures import EDGES_PX
from stylize_core.image.contact_sheet import contact_sheet
from stylize_core.image.encode import encode_picture
from stylize_core.settings.picture import PictureSettings
from stylize_core.settings.picture_size import LARGEST_PX
from stylize_core.settings.recipes import RECIPES

LOOKS = tuple(f"recipe: {number}" for number in RECIPES)


def add_options(parser: argparse.ArgumentParser) -> None:
    """What only this benchmark takes."""
    group = parser.add_argument_group("looks")
    group.add_argument("--contents", type=Path, nargs="+", default=[], help="pictures; the project's own")
    group.add_argument(
        "--styles", type=Path, nargs="+", default=[], help="as many, or they are taken again from the first"
    )
    group.add_argument(
        "--look",
        action="append",
        help="settings as a manifest has them, such as `scales: 4`; may be repeated",
    )
    group.add_argument("--sizes", type=int, nargs="+", help="long edges, px, instead of --size")
    group.add_argument(
        "--style-px", type=int, default=LARGEST_PX, help="long edge, px, that no style's file goes beyond"
    )
    group.add_argument("--sheet", type=Path, default=Path("looks.png"), help="PNG to write")


def looks_table(options: argparse.Namespace) -> Table:
    """Make the pictures, write the sheet, and say what was measured."""
    looks = {text or "defaults": read_look(text) for text in options.look or LOOKS}
    contents = options.contents or own_pictures("contents")
    pairs = pairs_of(contents, options.styles or own_pictures("styles"))
    sizes = options.sizes or [options.size]
    made = list(make_all(pairs, looks, sizes, options.weights, style_px=options.style_px))
    png = encode_picture(sheet_of(made, columns=len(looks)), alpha=None, settings=PictureSettings(), facts={})
    options.sheet.write_bytes(png)
    return table_of(made, f"style distance by {'VGG-19' if options.weights else 'slim'}; {options.sheet}")


def sheet_of(made: Sequence[Made], *, columns: int) -> Tensor:
    """A row for each pair and size, a column for each look, every picture at 1:1; [3, H, W]."""
    rows = made[::columns]
    return contact_sheet(
        [one.image_bchw[0] for one in made],
        columns=columns,
        row_labels=[f"{one.pair}\n{one.size} px" for one in rows],
        column_labels=[one.look for one in made[:columns]],
        captions=[f"style {one.mean:.4f}, content {one.content:.2f}, {one.seconds:.0f} s" for one in made],
    )


def table_of(made: Sequence[Made], title: str) -> Table:
    """A row for each picture, and below those of a size the means of each look."""
    table = Table("px", "pair", "look", *map(str, EDGES_PX), *FIGURES, title=title)
    for size, some in groupby(made, key=lambda one: one.size):
        rows = list(some)
        for one in rows:
            table.add_row(str(size), escape(one.pair), escape(one.look), *_distances([one]), *_figures([one]))
        table.add_section()
        for look in dict.fromkeys(one.look for one in rows):
            those = [one for one in rows if one.look == look]
            table.add_row(
                str(size), f"mean of {len(those)}", escape(look), *_distances(those), *_figures(those)
            )
        table.add_section()
    return table


FIGURES = ("mean", "content", "grain", "hatch", "dark", "bright", "s", "apart", "forms")


def _distances(made: Sequence[Made]) -> list[str]:
    return [
        f"{fmean(one.style[edge] for one in made):.4f}" if edge in made[0].style else "" for edge in EDGES_PX
    ]


def _figures(made: Sequence[Made]) -> tuple[str, ...]:
    return (
        f"{fmean(one.mean for one in made):.4f}",
        f"{fmean(one.content for one in made):.3f}",
        f"{fmean(one.grain for one in made):.2f}",
        f"{fmean(one.hatch for one in made):.2f}",
        f"{fmean(one.dark for one in made):.2%}",
        f"{fmean(one.bright for one in made):.2%}",
        f"{fmean(one.seconds for one in made):.1f}",
        _mean_of_known([one.apart for one in made], digits=4),
        _mean_of_known([one.forms for one in made], digits=1),
    )


def _mean_of_known(values: Sequence[float | None], *, digits: int) -> str:
    known = [value for value in values if value is not None]
    return f"{fmean(known):.{digits}f}" if known else ""
