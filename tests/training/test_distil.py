from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import safetensors
import safetensors.torch
import torch

from stylize_core.errors import BadWeights, ImageTooSmall
from stylize_core.networks.weights import weights_from_bytes
from training.distil import Course, distil, main
from training.evaluate import evaluate
from training.pictures import Crops, read_pictures
from training.student import architecture_of
from training.teacher import Teacher, read_teacher

TeacherFile = Callable[[int], Path]
COURSE = Course(steps=40, batch=4)


@pytest.mark.parametrize(
    ("blocks", "widths", "crop"), [(3, (4, 6, 8), 32), (5, (4, 4, 6, 6, 6), 64)], ids=["three", "five"]
)
def test_a_student_follows_its_teacher_better_the_longer_it_learns(
    blocks: int, widths: tuple[int, ...], crop: int, pictures: Path, teacher_file: TeacherFile
) -> None:
    weights, found = read_teacher(teacher_file(blocks)), read_pictures(pictures)
    teacher = Teacher(weights, layers=weights.layers)

    def missed(steps: int) -> float:
        student = distil(
            weights,
            Crops(found, size=crop, seed=0),
            widths=widths,
            course=Course(steps=steps, batch=4, learning_rate=0.01),
            progress=lambda *_: None,
        )
        followings = evaluate(student, architecture_of(widths), teacher, pictures=found, held_out=found)
        return sum(following.unexplained for following in followings.values())

    few, many = missed(2), missed(60)
    assert many < 0.8 * few


@pytest.mark.parametrize(
    ("blocks", "widths", "architecture", "last"),
    [(3, "4,6,8", "slim", "relu3_4"), (5, "4,4,6,6,6", "vgg19", "relu5_4")],
    ids=["three", "five"],
)
def test_the_command_writes_a_file_that_the_encoder_reads(
    blocks: int,
    widths: str,
    architecture: str,
    last: str,
    pictures: Path,
    teacher_file: TeacherFile,
    tmp_path: Path,
) -> None:
    written = run(pictures, teacher_file(blocks), tmp_path / "student.safetensors", widths=widths)
    with safetensors.safe_open(written, framework="pt") as file:
        facts = file.metadata()
    assert (facts["architecture"], facts["convention"]) == (architecture, "torchvision")
    assert (facts["widths"], facts["steps"], facts["seed"]) == (widths, "3", "0")
    assert facts["teacher_sha256"] == read_teacher(teacher_file(blocks)).sha256
    assert "CC BY 4.0" in facts["licence"]
    assert read_teacher(written).layers[-1] == last


def test_a_three_block_student_is_read_as_slim(
    pictures: Path, teacher_file: TeacherFile, tmp_path: Path
) -> None:
    written = run(pictures, teacher_file(3), tmp_path / "student.safetensors")
    data, sha256 = written.read_bytes(), read_teacher(written).sha256
    weights = weights_from_bytes(
        data, sha256=sha256, architecture="slim", convention="torchvision", source="student"
    )
    indices = (0, 2, 5, 7, 10, 12, 14, 16)
    assert set(weights.parameters) == {f"features.{i}.{p}" for i in indices for p in ("weight", "bias")}


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(
    pictures: Path, teacher_file: TeacherFile, tmp_path: Path
) -> None:
    first, again, other = (
        run(pictures, teacher_file(3), tmp_path / name, seed=seed).read_bytes()
        for name, seed in (("a", 1), ("b", 1), ("c", 2))
    )
    assert first == again
    assert first != other


def test_a_teacher_may_be_a_pth_file_with_a_classifier(
    pictures: Path, teacher_file: TeacherFile, tmp_path: Path
) -> None:
    state = safetensors.torch.load_file(teacher_file(3)) | {"classifier.0.weight": torch.zeros(2, 2)}
    torch.save(state, tmp_path / "teacher.pth")
    plain = run(pictures, teacher_file(3), tmp_path / "a")
    pickled = run(pictures, tmp_path / "teacher.pth", tmp_path / "b")
    tensors = safetensors.torch.load_file(plain)
    assert all(torch.equal(v, tensors[k]) for k, v in safetensors.torch.load_file(pickled).items())


def test_a_finished_student_has_every_layer_at_one_level(pictures: Path, teacher_file: TeacherFile) -> None:
    from stylize_core.networks.encoder import vgg_features
    from training.teacher import prepared

    crops = Crops(read_pictures(pictures), size=32, seed=0)
    parameters = distil(
        read_teacher(teacher_file(3)), crops, widths=(4, 6, 8), course=COURSE, progress=lambda *_: None
    )
    layers = ("relu1_1", "relu2_2", "relu3_4")
    found = vgg_features(prepared(crops.batch(64)), parameters, layers=layers, architecture="slim")
    for features in found.values():
        assert 0.5 < features.square().mean().item() < 2


def test_a_teacher_that_ends_before_the_student_is_refused(
    pictures: Path, teacher_file: TeacherFile, tmp_path: Path
) -> None:
    with pytest.raises(BadWeights, match=r"ends at relu3_4 and cannot teach relu4_1"):
        run(pictures, teacher_file(3), tmp_path / "student", widths="4,4,6,6,6", crop=64)


@pytest.mark.parametrize("widths", ["16", "16,32", "16,32,64,64", "16,0,64"])
def test_widths_that_make_no_network_are_refused(
    widths: str, pictures: Path, teacher_file: TeacherFile, tmp_path: Path
) -> None:
    with pytest.raises(BadWeights, match="three or five positive numbers"):
        run(pictures, teacher_file(3), tmp_path / "student", widths=widths)


def test_crops_too_small_for_the_deepest_layer_are_refused(
    pictures: Path, teacher_file: TeacherFile, tmp_path: Path
) -> None:
    with pytest.raises(ImageTooSmall, match="use at least 16 px"):
        run(pictures, teacher_file(3), tmp_path / "student", crop=12)


def run(
    pictures: Path, teacher: Path, out: Path, *, widths: str = "4,6,8", seed: int = 0, crop: int = 64
) -> Path:
    threads = torch.get_num_threads()
    given = {
        "pictures": pictures,
        "teacher": teacher,
        "out": out,
        "widths": widths,
        "seed": seed,
        "crop": crop,
    }
    try:
        main([f"--{key}={value}" for key, value in given.items()] + ["--steps=3", "--batch=2", "--threads=1"])
    finally:
        torch.set_num_threads(threads)
    return out
