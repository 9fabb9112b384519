from __future__ import annotations

import pytest
import torch
from torch import Tensor

from stylize_core.image.contact_sheet import LARGEST_THUMBNAIL_PX, SHEET_PIXELS, contact_sheet, thumbnail_px

COLOURS = [(1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0), (1.0, 1.0, 0.0)]


def plain(colour: tuple[float, float, float], *, height: int = 60, width: int = 90) -> Tensor:
    return torch.tensor(colour)[:, None, None].expand(3, height, width).clone()


def places(sheet: Tensor, colour: tuple[float, float, float]) -> tuple[int, int, int, int]:
    """Top, left, height and width of the pixels of exactly that colour."""
    found = (sheet == torch.tensor(colour)[:, None, None]).all(dim=0).nonzero()
    (top, left), (bottom, right) = found.min(dim=0).values.tolist(), found.max(dim=0).values.tolist()
    return top, left, bottom - top + 1, right - left + 1


def test_every_picture_stands_whole_and_unchanged_in_its_row_and_column() -> None:
    sheet = contact_sheet([plain(c) for c in COLOURS], columns=2, row_labels=["a", "b"], title="t")
    red, green, blue, yellow = (places(sheet, colour) for colour in COLOURS)
    assert {at[2:] for at in (red, green, blue, yellow)} == {(60, 90)}
    assert red[0] == green[0] < blue[0] == yellow[0]
    assert red[1] == blue[1] < green[1] == yellow[1]


def test_smaller_pictures_stand_in_the_middle_of_their_cells() -> None:
    sheet = contact_sheet([plain(COLOURS[0]), plain(COLOURS[1], height=20, width=30)], columns=2)
    large, small = places(sheet, COLOURS[0]), places(sheet, COLOURS[1])
    assert small[0] - large[0] == 20
    assert small[2:] == (20, 30)


def test_the_same_cells_give_the_same_bits_and_each_label_is_drawn() -> None:
    pictures = [plain(c) for c in COLOURS]
    labels = {"row_labels": ["a", "b"], "column_labels": ["c", "d"], "captions": ["e", "f", "g", "h"]}
    sheet = contact_sheet(pictures, columns=2, title="t", **labels)
    assert torch.equal(sheet, contact_sheet(pictures, columns=2, title="t", **labels))
    for key, texts in labels.items():
        other = contact_sheet(pictures, columns=2, title="t", **(labels | {key: [*texts[:-1], "x"]}))
        assert other.shape != sheet.shape or not torch.equal(other, sheet), key


def test_a_cell_without_a_picture_says_why_and_keeps_its_place() -> None:
    full = contact_sheet([plain(c) for c in COLOURS], columns=2)
    holey = contact_sheet([plain(COLOURS[0]), "failed: bad_image", *map(plain, COLOURS[2:])], columns=2)
    assert holey.shape == full.shape
    assert places(holey, COLOURS[3]) == places(full, COLOURS[3])
    top, left, height, width = places(full, COLOURS[1])
    cell = holey[:, top : top + height, left : left + width]
    assert len(set(cell.flatten().tolist())) > 2, "words on grey"


def test_a_sheet_of_words_alone_can_be_drawn() -> None:
    assert contact_sheet(["not made", "not made"], columns=1).shape[1] > 200


@pytest.mark.parametrize("label", ["", " ", "\n", "x" * 5000, "a-" * 3000, "é 漢字 \U0001f600", "_" * 500])
def test_no_label_breaks_the_sheet_out_of_its_bounds(label: str) -> None:
    pictures = [plain(c) for c in COLOURS]
    sheet = contact_sheet(
        pictures,
        columns=2,
        row_labels=[label] * 2,
        column_labels=[label] * 2,
        captions=[label] * 4,
        title=label,
    )
    assert max(sheet.shape) < 1500
    for colour in COLOURS:
        assert places(sheet, colour)[2:] == (60, 90), "covered by a label"


def test_thumbnails_shrink_with_their_number_so_that_sheets_stay_bounded() -> None:
    for cells in (1, 2, 31, 32, 200, 1000):
        columns = max(1, int(cells**0.5))
        px = thumbnail_px(cells, columns=columns)
        assert 64 <= px <= LARGEST_THUMBNAIL_PX
        assert cells * px * px <= SHEET_PIXELS + LARGEST_THUMBNAIL_PX**2
    assert thumbnail_px(1000, columns=1) == 16, "a column of a thousand"


@pytest.mark.parametrize(
    "wrong",
    [{"row_labels": ["a"]}, {"column_labels": ["a"]}, {"captions": ["a"]}, {"columns": 0}],
    ids=lambda wrong: next(iter(wrong)),
)
def test_labels_that_do_not_fit_the_cells_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="as many labels as it has"):
        contact_sheet([plain(c) for c in COLOURS], **({"columns": 2} | wrong))  # type: ignore[arg-type]


def test_nothing_makes_no_sheet() -> None:
    with pytest.raises(ValueError, match="needs cells"):
        contact_sheet([], columns=3)
