"""Teach a small VGG to see as VGG-19 does.

    python -m training.distil --pictures DIR --teacher FILE --out slim.safetensors

Knowledge distillation by features (Romero et al. 2014, arXiv 1412.6550): at every ReLU layer a 1x1 projection
of the student's features must explain the teacher's, and the student's own inner products must be like the
teacher's, because style transfer works with the student's features as they are.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from stylize_core.architecture import Architecture, smallest_side
from stylize_core.errors import ImageTooSmall
from stylize_core.networks.encoder import vgg_features
from stylize_core.networks.weights import Weights
from training.matching import Moments, best_projection, misalignment, moments, spread, unexplained
from training.pictures import Crops, read_pictures
from training.student import architecture_of, first_parameters, followed, rescaled, write_student
from training.teacher import Teacher, prepared, read_teacher

Progress = Callable[[int, Mapping[str, float]], None]

WARM_UP = 0.15
STATISTICS_BATCHES = 8


@dataclass(frozen=True, kw_only=True, slots=True)
class Course:
    """How long and how the student learns.

    Attributes:
        batch: crops per step.
        learning_rate: highest rate of Adam in the one-cycle schedule.
        alignment: weight of the student's own inner products beside the projected features.
        positions: at most so many positions of a layer are compared in one step.
    """

    steps: int = 2000
    batch: int = 8
    learning_rate: float = 4e-3
    alignment: float = 2.0
    positions: int = 8192
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Lesson:
    """Student and teacher looking at the same crops."""

    teacher: Teacher
    crops: Crops
    architecture: Architecture
    batch: int

    def next(
        self, parameters: Mapping[str, Tensor], *, limit: int, generator: torch.Generator
    ) -> dict[str, Moments]:
        """Moments of each layer over the next crops, at `limit` random positions where there are more."""
        batch = prepared(self.crops.batch(self.batch))
        layers = self.teacher.layers
        targets = self.teacher(batch)
        mine = vgg_features(batch, parameters, layers=layers, architecture=self.architecture)
        counts = {features.numel() // features.shape[1] for features in mine.values()}
        chosen = {n: torch.randperm(n, generator=generator)[:limit] for n in sorted(counts) if n > limit}
        return {
            layer: moments(mine[layer], target, positions=chosen.get(target.numel() // target.shape[1]))
            for layer, target in targets.items()
        }


def distil(
    teacher: Weights, crops: Crops, *, widths: Sequence[int], course: Course, progress: Progress
) -> dict[str, Tensor]:
    """A trained student's parameters, keyed as in torchvision's VGG-19; every layer has a mean square of one.

    The same arguments on the same machine with the same number of threads give the same parameters.

    Args:
        teacher: VGG-19 as far as the student reaches.
        crops: pictures to learn from.
        widths: channels of each block, three or five of them.
        course: how long and how it learns.
        progress: told the step and the smoothed share of variance left unexplained at each layer.

    Raises:
        BadWeights: the teacher ends before the student does.
        ImageTooSmall: the crops leave too little at the deepest layer.
    """
    architecture = architecture_of(widths)
    layers = [convolution.relu for convolution in followed(widths)]
    _check_size(crops.size, layers[-1])
    generator = torch.Generator().manual_seed(course.seed)
    lesson = Lesson(Teacher(teacher, layers=layers), crops, architecture, course.batch)
    parameters = first_parameters(widths, generator=generator)
    spreads = {layer: spread(m) for layer, m in _statistics(lesson, parameters, generator).items()}
    optimizer = torch.optim.Adam([value.requires_grad_() for value in parameters.values()])
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, course.learning_rate, course.steps, pct_start=WARM_UP
    )
    smoothed: dict[str, float] = {}
    for step in range(1, course.steps + 1):
        seen = lesson.next(parameters, limit=course.positions, generator=generator)
        shares = {layer: unexplained(m, best_projection(m), spreads[layer]) for layer, m in seen.items()}
        loss = _total(shares.values()) + course.alignment * _total(misalignment(m) for m in seen.values())
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
        schedule.step()
        smoothed = _smoothed(smoothed, {layer: share.item() for layer, share in shares.items()})
        progress(step, smoothed)
    learnt = {name: value.detach() for name, value in parameters.items()}
    return _levelled(learnt, _statistics(lesson, learnt, generator))


def _check_size(size: int, deepest: str) -> None:
    least = 4 * smallest_side(deepest)
    if size < least:
        raise ImageTooSmall(f"crops of {size} px leave too little at {deepest}; use at least {least} px")


def _smoothed(before: Mapping[str, float], now: Mapping[str, float]) -> dict[str, float]:
    return {layer: 0.98 * before.get(layer, value) + 0.02 * value for layer, value in now.items()}


def _total(values: Iterable[Tensor]) -> Tensor:
    return torch.stack(list(values)).sum()


@torch.no_grad()
def _statistics(
    lesson: Lesson, parameters: Mapping[str, Tensor], generator: torch.Generator
) -> dict[str, Moments]:
    """Moments over some batches, all positions, without gradients."""
    limit = lesson.batch * lesson.crops.size**2
    sums = lesson.next(parameters, limit=limit, generator=generator)
    for _ in range(STATISTICS_BATCHES - 1):
        seen = lesson.next(parameters, limit=limit, generator=generator)
        sums = {layer: sums[layer] + seen[layer] for layer in sums}
    return sums


def _levelled(parameters: Mapping[str, Tensor], seen: Mapping[str, Moments]) -> dict[str, Tensor]:
    """Every layer brought to a mean square of one; the balance within a layer was learnt, and stays."""
    factors = {}
    for layer, m in seen.items():
        channels = m.student.shape[0] - 1
        factors[layer] = (m.student.diagonal()[1:].mean() / m.count).rsqrt().expand(channels)
    return rescaled(parameters, factors)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command; `--help` describes it."""
    given = _parser().parse_args(arguments)
    torch.set_num_threads(given.threads)
    widths = tuple(int(width) for width in given.widths.split(","))
    teacher = read_teacher(given.teacher)
    crops = Crops(read_pictures(given.pictures), size=given.crop, seed=given.seed)
    course = Course(steps=given.steps, batch=given.batch, alignment=given.alignment, seed=given.seed)
    start = time.monotonic()

    def report(step: int, shares: Mapping[str, float]) -> None:
        if step % 100 == 0 or step == course.steps:
            row = "  ".join(f"{layer[4:]} {share:.3f}" for layer, share in shares.items())
            print(f"{step:6d}  {time.monotonic() - start:6.0f} s  {row}", flush=True)

    parameters = distil(teacher, crops, widths=widths, course=course, progress=report)
    facts = {"widths": given.widths, "steps": str(given.steps), "seed": str(given.seed)}
    write_student(given.out, parameters, facts=facts | {"teacher_sha256": teacher.sha256, "licence": LICENCE})


USUAL = Course()
LICENCE = "CC BY 4.0; derived from VGG-19, K. Simonyan and A. Zisserman, Visual Geometry Group, Oxford"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m training.distil", description=(__doc__ or "").split("\n")[0]
    )
    add_course_options(parser, crop=96)
    parser.add_argument("--widths", default="16,32,64", help="channels per block: three or five numbers")
    parser.add_argument("--batch", type=int, default=USUAL.batch, help="crops per step")
    parser.add_argument(
        "--alignment", type=float, default=USUAL.alignment, help="weight of the inner products"
    )
    return parser


def add_course_options(parser: argparse.ArgumentParser, *, crop: int) -> None:
    """What every course takes: from what, from whom, how long, and where to."""
    parser.add_argument("--pictures", type=Path, required=True, help="folder of pictures to learn from")
    parser.add_argument(
        "--teacher", type=Path, required=True, help="VGG-19 state dict, torchvision's convention"
    )
    parser.add_argument("--out", type=Path, required=True, help="safetensors file to write")
    parser.add_argument("--steps", type=int, default=USUAL.steps)
    parser.add_argument("--crop", type=int, default=crop, help="side of a crop, px")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)


if __name__ == "__main__":
    main()
