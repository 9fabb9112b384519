"""Give `slim` a fourth block, which sees what its teacher's third block sees of the picture at half the size.

    python -m training.deepen --pictures DIR --teacher FILE --out slim_block4.safetensors

Statistics of large forms without a teacher of four blocks: what VGG-19's third block takes in of a halved
picture covers twice as much of the whole one, and lies in the grid of a fourth block. The first three blocks
stay as they are, bit for bit, and so do all pictures that are made with them alone. Otherwise as
`training.distil`.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor
from torch.nn import functional

from stylize_core.architecture import convolutions
from stylize_core.networks.encoder import vgg_features
from stylize_core.networks.weights import Weights
from training.distil import LICENCE, STATISTICS_BATCHES, WARM_UP, Course, add_course_options
from training.matching import Moments, best_projection, misalignment, moments, spread, unexplained
from training.pictures import Crops, read_pictures
from training.student import in_order, read_student
from training.teacher import Teacher, prepared, read_teacher

LAYER, TAUGHT_BY = "relu4_1", "relu3_1"
"""The layer that learns, and the teacher's that it learns from, of the picture at half the size."""
FRONT_INDEX, INDEX = (one.index for one in convolutions("slim")[-2:])
"""Of the last convolution before, and of its own."""

Progress = Callable[[int, float], None]


@dataclass(frozen=True, slots=True)
class Lesson:
    """A deeper student and its teacher looking at the same crops, the teacher at half the size."""

    teacher: Teacher
    front: Mapping[str, Tensor]
    crops: Crops
    batch: int

    def next(self, block: Mapping[str, Tensor]) -> Moments:
        """Moments of the layer over the next crops."""
        return seen_by_both({**self.front, **block}, self.teacher, self.crops.batch(self.batch))


def seen_by_both(student: Mapping[str, Tensor], teacher: Teacher, image_bchw: Tensor) -> Moments:
    """Moments of the layer over all positions of pictures, RGB 0..1, whose sides are multiples of 8."""
    halved = functional.interpolate(image_bchw, scale_factor=0.5, mode="bicubic", antialias=True).clamp(0, 1)
    mine = vgg_features(prepared(image_bchw), student, layers=(LAYER,), architecture="slim")[LAYER]
    return moments(mine, teacher(prepared(halved))[TAUGHT_BY])


# Why so many: who learns from whom, from what, and how.
def deepen(
    front: Mapping[str, Tensor],
    teacher: Weights,
    crops: Crops,
    *,
    width: int,
    course: Course,
    progress: Progress,
) -> dict[str, Tensor]:
    """A trained fourth block of one layer, keyed as in torchvision's VGG-19, with a mean square of one.

    The same arguments on the same machine with the same number of threads give the same parameters.

    Args:
        front: the first three blocks, which stay as they are.
        teacher: VGG-19, at least to relu3_1.
        crops: pictures to learn from; their side is even.
        width: channels of the layer.
        course: how long and how it learns; `positions` has no part in it.
        progress: told the step and the share of variance left unexplained.

    Raises:
        BadWeights: the teacher ends too early.
    """
    lesson = Lesson(Teacher(teacher, layers=(TAUGHT_BY,)), front, crops, course.batch)
    block = _first(front, width, torch.Generator().manual_seed(course.seed))
    with torch.no_grad():
        spread_t = spread(lesson.next(block))
    optimizer = torch.optim.Adam([value.requires_grad_() for value in block.values()])
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, course.learning_rate, course.steps, pct_start=WARM_UP
    )
    for step in range(1, course.steps + 1):
        seen = lesson.next(block)
        missed = unexplained(seen, best_projection(seen), spread_t)
        optimizer.zero_grad()
        torch.autograd.backward(missed + course.alignment * misalignment(seen))
        optimizer.step()
        schedule.step()
        progress(step, missed.item())
    return _levelled({name: value.detach() for name, value in block.items()}, lesson)


def _first(front: Mapping[str, Tensor], width: int, generator: torch.Generator) -> dict[str, Tensor]:
    """Random weights that keep the features' level (He et al. 2015, arXiv 1502.01852)."""
    channels = front[f"features.{FRONT_INDEX}.bias"].shape[0]
    weight = torch.randn(width, channels, 3, 3, generator=generator) * math.sqrt(2 / (9 * channels))
    return {f"features.{INDEX}.weight": weight, f"features.{INDEX}.bias": torch.zeros(width)}


@torch.no_grad()
def _levelled(block: Mapping[str, Tensor], lesson: Lesson) -> dict[str, Tensor]:
    """The layer brought to a mean square of one, as all others have; a ReLU commutes with the factor."""
    seen = lesson.next(block)
    for _ in range(STATISTICS_BATCHES - 1):
        seen = seen + lesson.next(block)
    factor = (seen.student.diagonal()[1:].mean() / seen.count).rsqrt()
    return {name: value * factor for name, value in block.items()}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command; `--help` describes it."""
    given = _parser().parse_args(arguments)
    torch.set_num_threads(given.threads)
    teacher, (front, _) = read_teacher(given.teacher), read_student(given.student)
    crops = Crops(read_pictures(given.pictures), size=given.crop, seed=given.seed)
    course = Course(steps=given.steps, seed=given.seed)

    def report(step: int, missed: float) -> None:
        if step % 100 == 0 or step == course.steps:
            print(f"{step:6d}  {LAYER} {missed:.3f}", flush=True)

    block = deepen(front, teacher, crops, width=given.width, course=course, progress=report)
    facts = {"architecture": "slim", "convention": "torchvision", "layer": LAYER}
    facts |= {"steps": str(given.steps), "seed": str(given.seed)}
    facts |= {"teacher_sha256": teacher.sha256, "licence": LICENCE}
    tensors = {name: value.contiguous() for name, value in block.items()}
    given.out.write_bytes(in_order(safetensors.torch.save(tensors, metadata=facts)))


PRETRAINED = Path(__file__).parents[1] / "stylize_core" / "networks" / "pretrained"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m training.deepen", description=(__doc__ or "").split("\n")[0]
    )
    add_course_options(parser, crop=128)
    parser.add_argument(
        "--student", type=Path, default=PRETRAINED / "slim.safetensors", help="its first three blocks"
    )
    parser.add_argument("--width", type=int, default=96, help="channels of the layer")
    return parser


if __name__ == "__main__":
    main()
