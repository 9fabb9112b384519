from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch

from stylize_core.image.decode import decode_picture
from stylize_core.settings.picture import PictureSettings
from training.compare import GAP, main

TeacherFile = Callable[[int], Path]


def test_the_sheet_has_four_columns_and_a_row_per_pair(
    pictures: Path, teacher_file: TeacherFile, tmp_path: Path
) -> None:
    out = tmp_path / "sheet.jpg"
    given = {"teacher": teacher_file(3), "contents": pictures, "styles": pictures, "out": out}
    threads = torch.get_num_threads()
    try:
        main([f"--{key}={value}" for key, value in given.items()] + ["--rows=2", "--size=64", "--steps=3"])
    finally:
        torch.set_num_threads(threads)
    sheet = decode_picture(out.read_bytes(), source="sheet", settings=PictureSettings()).rgb
    assert sheet.shape == (3, 2 * 44 + GAP, 4 * 64 + 3 * GAP)
    assert sheet[:, 44 + 1 : 44 + GAP - 1].mean() > 0.9
