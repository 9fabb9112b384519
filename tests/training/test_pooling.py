from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from training.pictures import read_pictures
from training.pooling import levels, ratios
from training.teacher import read_teacher

TeacherFile = Callable[[int], Path]


def test_pooling_changes_the_levels_behind_it_and_none_before(
    pictures: Path, teacher_file: TeacherFile
) -> None:
    weights, found = read_teacher(teacher_file(3)), read_pictures(pictures)
    largest, averaged = (levels(weights, found, pooling=pooling) for pooling in ("max", "average"))
    assert largest["relu1_2"] == averaged["relu1_2"]
    assert largest["relu2_1"] != averaged["relu2_1"]
    assert set(ratios(largest, averaged)) == set(largest) - {"relu1_1", "relu1_2"}
