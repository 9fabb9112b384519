"""The matrices of minimal filtering F(m, 3): three taps over m + 2 features as products, place by place.

Winograd 1980, after Toom and Cook: taps and features are polynomials, and the places hold their values at
m + 2 points. The points are 0, infinity, and others with their negatives and inverses: a kernel turned round
has at a point what it had at the point's inverse, so the values of one kernel serve both ways.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache
from itertools import pairwise

import torch
from torch import Tensor

Point = Fraction | None
"""None is infinity: there a polynomial's value is its highest coefficient."""

# Beside 0 and infinity, by m: these points, their inverses, and both with the other sign. Powers of points
# far from 1 round coarsely, and points near to one another are hard to tell apart: of steps of a twentieth
# these are the best, for 4 in bfloat16 and for 6 in float32 (`tests/core/networks/test_winograd.py`).
BESIDE = {4: (Fraction(13, 20),), 6: (Fraction(1), Fraction(1, 2))}


@dataclass(frozen=True, slots=True)
class MinimalFiltering:
    """`results @ ((kernel @ g) * (features @ d))` are the m results of taps g over features d, in float64.

    Attributes:
        kernel: [m + 2, 3].
        features: [m + 2, m + 2].
        results: [m, m + 2].
        turned_places: the place of each point's inverse.
    """

    kernel: Tensor
    features: Tensor
    results: Tensor
    turned_places: Sequence[int]

    def turned(self) -> MinimalFiltering:
        """What makes of the same `kernel @ g` the results of the taps in the other order."""
        features, results = self.features[self.turned_places], self.results[:, self.turned_places]
        return replace(self, features=features, results=results)


@cache
def minimal_filtering(results: int) -> MinimalFiltering:
    """F(results, 3).

    >>> [tuple(one.shape) for one in (minimal_filtering(4).kernel, minimal_filtering(4).results)]
    [(6, 3), (4, 6)]
    """
    points = _points(results)
    finite = [point for point in points if point is not None]
    kernel, features, sums = [], [], []
    for point in points:
        others = [other for other in finite if other != point]
        # The value is taken over |point|, so that it is the same from a point and from its inverse.
        less = abs(point) if point else Fraction(1)
        share = less / math.prod(point - other for other in others) if point is not None else Fraction(1)
        kernel.append([power / less for power in _powers(point, 3)])
        features.append([share * factor for factor in _coefficients(others, results + 2)])
        sums.append(_powers(point, results))
    inverses = [points.index(_inverse(point)) for point in points]
    return MinimalFiltering(_matrix(kernel), _matrix(features), _matrix(sums).t().contiguous(), inverses)


def _points(results: int) -> list[Point]:
    points: list[Point] = [Fraction(0), None]
    for beside in BESIDE[results]:
        for point in dict.fromkeys((beside, 1 / beside)):
            points += [point, -point]
    return points


def _inverse(point: Point) -> Point:
    return Fraction(0) if point is None else 1 / point if point else None


def _powers(point: Point, count: int) -> list[Fraction]:
    """What the coefficients of a polynomial are multiplied by for its value, from the lowest on."""
    if point is None:
        return [Fraction(0)] * (count - 1) + [Fraction(1)]
    return [point**power for power in range(count)]


def _coefficients(zeros: Sequence[Fraction], count: int) -> list[Fraction]:
    """So many of the polynomial with these zeros, from the lowest on."""
    found = [Fraction(1)]
    for zero in zeros:
        found = [low - zero * high for low, high in pairwise([Fraction(0), *found, Fraction(0)])]
    return [*found, *[Fraction(0)] * (count - len(found))]


def _matrix(rows: Sequence[Sequence[Fraction]]) -> Tensor:
    return torch.tensor([[float(number) for number in row] for row in rows], dtype=torch.float64)
