"""How well a student follows its teacher on pictures that neither training nor fitting saw.

    python -m training.evaluate --student FILE --teacher FILE --pictures DIR --held-out DIR

Prints the tables of the model card.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from stylize_core.architecture import Architecture, convolutions
from stylize_core.networks.encoder import vgg_features
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
    parser.add_argument("--threads", type=int, default=2)
    given = parser.parse_args(arguments)
    torch.set_num_threads(given.threads)
    student, architecture = read_student(given.student)
    layers = [convolution.relu for convolution in convolutions(architecture)]
    found = evaluate(
        student,
        architecture,
        Teacher(read_teacher(given.teacher), layers=layers),
        pictures=_large_enough(read_pictures(given.pictures, long_edge=LONG_EDGE)),
        held_out=_large_enough(read_pictures(given.held_out, long_edge=LONG_EDGE)),
    )
    print(table(found))


def _large_enough(pictures: Iterable[Tensor]) -> list[Tensor]:
    return [picture for picture in pictures if min(picture.shape[1:]) >= LEAST_SIDE]


if __name__ == "__main__":
    main()
