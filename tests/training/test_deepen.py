"""A fourth block for a student of three, taught by the third block of its teacher at half the size."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import safetensors
import safetensors.torch
import torch
from torch import Tensor

from stylize_core.errors import BadWeights
from stylize_core.networks.encoder import vgg_features
from training.deepen import INDEX, LAYER, TAUGHT_BY, Lesson, deepen, main
from training.distil import Course
from training.matching import best_projection, spread, unexplained
from training.pictures import Crops, read_pictures
from training.student import first_parameters, read_student, write_student
from training.teacher import Teacher, prepared, read_teacher

TeacherFile = Callable[[int], Path]
WIDTHS = (4, 6, 8)


@pytest.fixture
def front() -> dict[str, Tensor]:
    """The three blocks of a student."""
    return first_parameters(WIDTHS, generator=torch.Generator().manual_seed(0))


def taught(front: dict[str, Tensor], pictures: Path, teacher: Path, *, steps: int) -> dict[str, Tensor]:
    return deepen(
        front,
        read_teacher(teacher),
        Crops(read_pictures(pictures), size=64, seed=0),
        width=24,
        course=Course(steps=steps, batch=4, learning_rate=0.01),
        progress=lambda *_: None,
    )


def missed(block: dict[str, Tensor], front: dict[str, Tensor], pictures: Path, teacher: Path) -> float:
    """The share of the teacher's variance that the block does not explain, of the same crops each time."""
    crops = Crops(read_pictures(pictures), size=64, seed=7)
    taught_by = Teacher(read_teacher(teacher), layers=(TAUGHT_BY,))
    seen = Lesson(taught_by, front, crops, 24).next(block)
    return float(unexplained(seen, best_projection(seen), spread(seen)))


def test_the_block_learns_and_the_blocks_before_it_stay(
    front: dict[str, Tensor], pictures: Path, teacher_file: TeacherFile
) -> None:
    before = {name: value.clone() for name, value in front.items()}
    teacher = teacher_file(3)
    few, block = (taught(front, pictures, teacher, steps=steps) for steps in (1, 250))
    assert missed(block, front, pictures, teacher) < 0.8 * missed(few, front, pictures, teacher)
    assert all(torch.equal(front[name], value) for name, value in before.items())
    assert {name: tuple(value.shape) for name, value in block.items()} == {
        f"features.{INDEX}.weight": (24, 8, 3, 3),
        f"features.{INDEX}.bias": (24,),
    }


def test_the_block_is_brought_to_the_level_of_the_others(
    front: dict[str, Tensor], pictures: Path, teacher_file: TeacherFile
) -> None:
    block = taught(front, pictures, teacher_file(3), steps=20)
    batch = prepared(Crops(read_pictures(pictures), size=64, seed=5).batch(32))
    found = vgg_features(batch, front | block, layers=(LAYER,), architecture="slim")[LAYER]
    assert float(found.square().mean()) == pytest.approx(1, rel=0.3)


def test_a_teacher_that_ends_too_early_is_refused(
    front: dict[str, Tensor], pictures: Path, teacher_file: TeacherFile
) -> None:
    with pytest.raises(BadWeights, match=r"ends at relu2_2 and cannot teach relu3_1"):
        taught(front, pictures, teacher_file(2), steps=1)


def test_the_command_writes_the_block_alone_twice_alike(
    front: dict[str, Tensor], pictures: Path, teacher_file: TeacherFile, tmp_path: Path
) -> None:
    student = tmp_path / "student.safetensors"
    write_student(student, front, facts={})

    def written(name: str) -> Path:
        out = tmp_path / name
        given = {"pictures": pictures, "teacher": teacher_file(3), "student": student, "out": out}
        words = [word for key, value in given.items() for word in (f"--{key}", str(value))]
        main([*words, "--steps", "3", "--crop", "32", "--width", "5", "--threads", "1"])
        return out

    one, two = written("a"), written("b")
    assert one.read_bytes() == two.read_bytes()
    assert set(safetensors.torch.load_file(one)) == {
        f"features.{INDEX}.{part}" for part in ("weight", "bias")
    }
    with safetensors.safe_open(one, framework="pt") as file:
        facts = file.metadata()
    assert (facts["architecture"], facts["layer"], facts["convention"]) == ("slim", "relu4_1", "torchvision")
    assert facts["teacher_sha256"] == read_teacher(teacher_file(3)).sha256
    assert read_student(student)[0].keys() == front.keys()
