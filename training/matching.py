"""How much of the teacher's features the student's features carry, read from their second moments."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

# Channels of the teacher that hardly vary count as if they varied by this share of the layer's mean spread.
LEAST_SPREAD = 0.05
RIDGE = 1e-4


@dataclass(frozen=True, slots=True)
class Moments:
    """Sums over positions of products of features. The student's have a constant 1 in front, for the offset.

    Attributes:
        student: [1+S, 1+S].
        cross: [1+S, T].
        teacher: [T, T].
        count: how many positions were summed.
    """

    student: Tensor
    cross: Tensor
    teacher: Tensor
    count: int

    def __add__(self, other: Moments) -> Moments:
        return Moments(
            self.student + other.student,
            self.cross + other.cross,
            self.teacher + other.teacher,
            self.count + other.count,
        )

    def double(self) -> Moments:
        """The same in double precision, for long sums."""
        return Moments(self.student.double(), self.cross.double(), self.teacher.double(), self.count)


def moments(student_bchw: Tensor, teacher_bchw: Tensor, *, positions: Tensor | None = None) -> Moments:
    """Moments of one layer of both networks; gradients flow to the student.

    Args:
        student_bchw: [B, S, h, w].
        teacher_bchw: [B, T, h, w]; any float type.
        positions: indices into B*h*w to use; all when None.
    """
    student, teacher = _rows(student_bchw, positions), _rows(teacher_bchw, positions)
    student = torch.cat([torch.ones_like(student[:, :1]), student], dim=1)
    return Moments(student.T @ student, student.T @ teacher, teacher.T @ teacher, student.shape[0])


def _rows(features_bchw: Tensor, positions: Tensor | None) -> Tensor:
    rows = features_bchw.permute(0, 2, 3, 1).reshape(-1, features_bchw.shape[1])
    return (rows if positions is None else rows.index_select(0, positions)).float()


def spread(known: Moments) -> Tensor:
    """Standard deviation of each teacher channel, floored for those that hardly vary; [T]."""
    mean = known.cross[0] / known.count
    deviation = (known.teacher.diagonal() / known.count - mean.square()).clamp_min(0).sqrt()
    return deviation.clamp_min(LEAST_SPREAD * float(deviation.mean()) + 1e-12)


def best_projection(known: Moments) -> Tensor:
    """The 1x1 projection with offset, [1+S, T], that brings the student nearest to the teacher.

    Ridge regression in closed form, so projections need no training and are never behind the student.
    """
    with torch.no_grad():
        damped = known.student.clone()
        damped.diagonal()[1:] += RIDGE * damped.diagonal()[1:].mean() + 1e-8 * known.count
        projection: Tensor = torch.linalg.solve(damped, known.cross)
    return projection


def unexplained(known: Moments, projection: Tensor, spread_t: Tensor) -> Tensor:
    """Mean squared error of the projected student in units of each teacher channel's spread: 0 is perfect.

    With the best projection this is the share of the teacher's variance that the student misses, and its
    gradient with the projection held fixed is the gradient of the best achievable error (envelope theorem).
    """
    fitted = (projection * (known.student @ projection)).sum(0)
    error = known.teacher.diagonal() - 2 * (projection * known.cross).sum(0) + fitted
    return (error / spread_t.square()).mean() / known.count


def misalignment(known: Moments) -> Tensor:
    """One minus the alignment of both networks' own inner products between positions: 0..1.

    Kornblith et al. 2019 (arXiv 1905.00414), linear CKA, here without centring because Gram matrices of style
    transfer are not centred either. It is blind to rotations, but not to the balance between directions:
    where it is 0 the student's content and style losses are the teacher's.
    """
    student = known.student[1:, 1:]
    both = student.square().sum() * known.teacher.square().sum()
    return 1 - known.cross[1:].square().sum() / both.sqrt()
