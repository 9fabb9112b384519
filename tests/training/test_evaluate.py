from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from training.deepen import main as deepen_main
from training.evaluate import evaluate, main
from training.pictures import read_pictures
from training.student import first_parameters, write_student
from training.teacher import Teacher, read_teacher

TeacherFile = Callable[[int], Path]


def test_a_teacher_follows_itself_but_for_its_rounding(pictures: Path, teacher_file: TeacherFile) -> None:
    weights, found = read_teacher(teacher_file(3)), read_pictures(pictures)
    teacher = Teacher(weights, layers=weights.layers)
    followings = evaluate(weights.parameters, "slim", teacher, pictures=found[:2], held_out=found[2:])
    assert tuple(followings) == weights.layers
    for following in followings.values():
        assert following.unexplained < 0.03
        assert following.misalignment < 0.001


def test_a_dead_channel_shows(pictures: Path, teacher_file: TeacherFile) -> None:
    weights, found = read_teacher(teacher_file(3)), read_pictures(pictures)
    student = first_parameters((4, 6, 8), generator=torch.Generator().manual_seed(0))
    student["features.5.weight"][2], student["features.5.bias"][2] = 0, -1
    teacher = Teacher(weights, layers=weights.layers)
    followings = evaluate(student, "slim", teacher, pictures=found, held_out=found)
    assert followings["relu2_1"].quietest == 0
    assert followings["relu1_1"].quietest > 0


def test_the_command_prints_a_row_for_every_layer(
    pictures: Path, teacher_file: TeacherFile, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    student = first_parameters((4, 6, 8), generator=torch.Generator().manual_seed(0))
    write_student(tmp_path / "student", student, facts={})
    given = {
        "student": tmp_path / "student",
        "teacher": teacher_file(3),
        "pictures": pictures,
        "held-out": pictures,
    }
    threads = torch.get_num_threads()
    try:
        main([f"--{key}={value}" for key, value in given.items()])
    finally:
        torch.set_num_threads(threads)
    assert capsys.readouterr().out.count("| relu") == 8


def test_a_fourth_block_is_judged_by_pictures_at_half_the_size(
    pictures: Path, teacher_file: TeacherFile, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    front = first_parameters((4, 6, 8), generator=torch.Generator().manual_seed(0))
    write_student(tmp_path / "student", front, facts={})
    words = {"pictures": pictures, "teacher": teacher_file(3), "student": tmp_path / "student"}
    given = [word for key, value in words.items() for word in (f"--{key}", str(value))]
    deepen_main([*given, "--out", str(tmp_path / "block"), "--steps", "5", "--crop", "32", "--width", "6"])
    capsys.readouterr()
    main([*given, "--held-out", str(pictures), "--block", str(tmp_path / "block")])
    *_, last = capsys.readouterr().out.strip().splitlines()
    layer, unexplained, *_ = (cell.strip() for cell in last.strip("|").split("|"))
    assert layer == "relu4_1"
    assert 0 < float(unexplained) < 1
