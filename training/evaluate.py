"""How well a student follows its teacher on pictures that neither training nor fitting saw.

    python -m training.evaluate --student FILE --teacher FILE --pictures DIR --held-out DIR [--block FILE]

Prints the tables of the model card; with `--block` that of the fourth block, at the end.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add
from pathlib import Path

import safetensors.torch
import torch
from torch import Tensor

from stylize_core.architecture import Architecture, convolutions
from stylize_core.networks.encoder import vgg_features
from stylize_core.networks.weights import Weights
from training.deepen import LAYER, TAUGHT_BY, seen_by_both
from training.matching import Moments, best_projection, misalignment, moments, spread, unexplained
from training.pictures import read_pictures
from training.student import read_student
from training.teacher import Teacher, prepared, read_teacher

LONG_EDGE = 512
LEAST_SIDE = 32


@dataclass(frozen=True, slots=True)
class Following:
    """How one layer of the student does.

    Attributes:
        unexplained: share of the teacher's variance that the projected student misses, mean over channels.
        misalignment: one minus the alignment of both networks' inner products, without any projection.
        quietest: RMS of the student's quietest channel, in units of the layer's RMS; 0 is a dead channel.
        loudest: RMS of its loudest channel, likewise.
    """

    unexplained: float
    misalignment: float
    quietest: float
    loudest: float


def evaluate(
    student: Mapping[str, Tensor],
    architecture: Architecture,
    teacher: Teacher,
    *,
    pictures: Iterable[Tensor],
    held_out: Iterable[Tensor],
) -> dict[str, Following]:
    """One `Following` per layer; projections are fitted on `pictures` and judged on `held_out`."""
    fitted = _sums(student, architecture, teacher, pictures)
    judged = _sums(student, architecture, teacher, held_out)
    return {layer: _following(fitted[layer], judged[layer]) for layer in judged}


def _following(fitted: Moments, judged: Moments) -> Following:
    energy = judged.student.diagonal()[1:]
    relative = (energy / energy.mean()).sqrt()
    return Following(
        unexplained=unexplained(judged, best_projection(fitted), spread(judged)).item(),
        misalignment=misalignment(judged).item(),
        quietest=relative.min().item(),
        loudest=relative.max().item(),
    )


@torch.no_grad()
def _sums(
    student: Mapping[str, Tensor], architecture: Architecture, teacher: Teacher, pictures: Iterable[Tensor]
) -> dict[str, Moments]:
    """Moments in double precision over all positions of all pictures."""
    sums: dict[str, Moments] = {}
    for picture in pictures:
        image = prepared(picture[None].float() / 255)
        mine = vgg_features(image, student, layers=teacher.layers, architecture=architecture)
        for layer, target in teacher(image).items():
            known = moments(mine[layer], target).double()
            sums[layer] = sums[layer] + known if layer in sums else known
    return sums


def table(found: Mapping[str, Following]) -> str:
    """The result as a Markdown table."""
    rows = [
        f"| {layer} | {f.unexplained:.3f} | {f.misalignment:.3f} | {f.quietest:.2f} | {f.loudest:.2f} |"
        for layer, f in found.items()
    ]
    head = (
        "| layer | unexplained | misalignment | quietest channel | loudest channel |\n|---|---|---|---|---|"
    )
    return "\n".join([head, *rows])


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command; `--help` describes it."""
    parser = argparse.ArgumentParser(
        prog="python -m training.evaluate", description="Judge a student on held-out pictures."
    )
    parser.add_argument("--student", type=Path, required=True, help="file that training.distil wrote")
    parser.add_argument(
        "--teacher", type=Path, required=True, help="the VGG-19 state dict that it learnt from"
    )
    parser.add_argument("--pictures", type=Path, required=True, help="folder to fit the projections on")
    parser.add_argument("--held-out", type=Path, required=True, help="folder to judge on")
    parser.add_argument("--block", type=Path, help="file that training.deepen wrote")
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args(arguments)
    torch.set_num_threads(given.threads)
    student, architecture = read_student(given.student)
    layers = [one.relu for one in convolutions(architecture) if f"features.{one.index}.weight" in student]
    pictures, held_out = (
        _large_enough(read_pictures(folder, long_edge=LONG_EDGE))
        for folder in (given.pictures, given.held_out)
    )
    found = evaluate(
        student,
        architecture,
        Teacher(read_teacher(given.teacher), layers=layers),
        pictures=pictures,
        held_out=held_out,
    )
    if given.block is not None:
        deeper = {**student, **safetensors.torch.load_file(given.block)}
        found |= evaluate_block(deeper, read_teacher(given.teacher), pictures=pictures, held_out=held_out)
    print(table(found))


def evaluate_block(
    student: Mapping[str, Tensor],
    teacher: Weights,
    *,
    pictures: Iterable[Tensor],
    held_out: Iterable[Tensor],
) -> dict[str, Following]:
    """The same for the fourth block, judged by what its teacher sees of pictures at half the size."""
    half_seeing = Teacher(teacher, layers=(TAUGHT_BY,))

    @torch.no_grad()
    def sums(pictures: Iterable[Tensor]) -> Moments:
        seen = [seen_by_both(student, half_seeing, _in_eights(one)).double() for one in pictures]
        return reduce(add, seen)

    return {LAYER: _following(sums(pictures), sums(held_out))}


def _in_eights(picture: Tensor) -> Tensor:
    """The upper left part of a picture whose sides are multiples of 8; [1, 3, H, W], RGB 0..1."""
    height, width = (side // 8 * 8 for side in picture.shape[1:])
    return picture[None, :, :height, :width].float() / 255


def _large_enough(pictures: Iterable[Tensor]) -> list[Tensor]:
    return [picture for picture in pictures if min(picture.shape[1:]) >= LEAST_SIDE]


if __name__ == "__main__":
    main()
