"""`python -m benchmarks looks`: pairs, settings, the table and the sheet."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from benchmarks.looks.command import add_options, looks_table
from benchmarks.looks.making import own_pictures, pairs_of, read_look
from stylize_core.image.decode import decode_picture
from stylize_core.settings.picture import PictureSettings
from stylize_core.settings.style import StyleSettings

A, B, C = Path("a"), Path("b"), Path("c")


def options(*words: str) -> Namespace:
    parser = ArgumentParser()
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--weights")
    add_options(parser)
    return parser.parse_args(words)


def test_contents_meet_styles_in_turn() -> None:
    assert pairs_of([A], [B, C]) == [(A, B), (A, C)]
    assert pairs_of([A, B], [C]) == [(A, C), (B, C)]
    assert pairs_of([A, B, C], [B, C]) == [(A, B), (B, C), (C, B)]


def test_no_pictures_are_an_error() -> None:
    with pytest.raises(ValueError, match="at least one picture of each"):
        pairs_of([A], [])


def test_a_look_is_written_as_in_a_manifest() -> None:
    assert read_look("") == StyleSettings()
    asked = "scales: 4, style_layers: [relu1_1, relu2_1]"
    assert read_look(asked) == StyleSettings(scales=4, style_layers=("relu1_1", "relu2_1"))


def test_a_wrong_look_says_what_is_wrong_with_it() -> None:
    with pytest.raises(ValueError, match="did you mean `scales`"):
        read_look("scale: 4")


def test_styles_can_be_taken_as_if_their_files_were_small(tmp_path: Path) -> None:
    names = [str(path) for path in own_pictures("styles")[:2]]
    asked = (
        "--styles", *names, "--sizes", "96", "--look", "steps: 30, precision: fp32",
        "--sheet", str(tmp_path / "sheet.png"),
    )  # fmt: skip

    def distances(*more: str) -> list[float]:
        table = looks_table(options(*asked, *more))
        return [
            float(str(cell)) for column in table.columns if column.header == "mean" for cell in column.cells
        ]

    whole, large, small = distances(), distances("--style-px", "96"), distances("--style-px", "48")
    assert large == whole
    assert small != whole
    assert small[-1] < 5 * whole[-1], "a small file is enlarged where it is measured"


def test_every_pair_size_and_look_has_a_row_a_cell_and_a_share_in_the_means(tmp_path: Path) -> None:
    looks = ("--look", "steps: 2, scales: 1", "--look", "steps: 3, scales: 1, style_layers: [relu1_1]")
    names = [str(path) for path in own_pictures("styles")[:2]]
    sheet = tmp_path / "sheet.png"
    table = looks_table(options("--styles", *names, "--sizes", "64", "80", *looks, "--sheet", str(sheet)))
    assert table.row_count == 2 * (3 * 2 + 2)  # three contents of our own, and a mean for each look
    cells = {str(column.header): list(map(str, column.cells)) for column in table.columns}
    assert cells["px"] == ["64"] * 8 + ["80"] * 8
    assert cells["look"][0] == "steps: 2, scales: 1"
    first = [float(cell) for cell, pair in zip(cells["mean"], cells["pair"], strict=True) if " x " in pair][
        :6:2
    ]
    shown = StringIO()
    Console(width=300, file=shown).print(table)
    assert "style_layers: [relu1_1]" in shown.getvalue(), "which is no markup"
    assert float(cells["mean"][6]) == pytest.approx(sum(first) / 3, abs=1e-4)
    assert not any(cells["apart"][:8])
    assert all(float(cell) > 0 for name in ("apart", "forms") for cell in cells[name][8:])
    picture = decode_picture(sheet.read_bytes(), source="sheet", settings=PictureSettings())
    assert picture.rgb.shape[1] > 6 * 48  # six rows of pictures at 1:1
