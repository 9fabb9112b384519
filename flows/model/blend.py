"""Several styles blended: pictures with their shares, whatever a picture is to whoever looks at it.

To the manifest a picture is a URI, to a plan an `Input`, to an identity a digest; the shape is always this.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Generic, TypeVar

T = TypeVar("T")
U = TypeVar("U")


@dataclass(frozen=True, slots=True)
class Part(Generic[T]):
    """A picture of a blend; the shares of all its parts sum to 1."""

    picture: T
    share: float


Blend = tuple[Part[T], ...]
"""Two pictures or more, in the manifest's order; empty where a style is a single picture."""


def shares_of(weights: Mapping[T, float]) -> Blend[T]:
    """The pictures with a weight above 0, which must be one at least; exact up to one rounding.

    >>> [(part.picture, part.share) for part in shares_of({"a": 3, "b": 0, "c": 1})]
    [('a', 0.75), ('c', 0.25)]
    """
    total = sum(map(Fraction, weights.values()))
    shares = ((picture, float(Fraction(weight) / total)) for picture, weight in weights.items())
    return tuple(Part(picture, share) for picture, share in shares if share)


def converted(blend: Blend[T], convert: Callable[[T], U]) -> Blend[U]:
    """A blend of what `convert` makes of the pictures; their shares stay."""
    return tuple(Part(convert(part.picture), part.share) for part in blend)


def spelled(blend: Blend[T], digests: Sequence[str]) -> str:
    """One text for the digests of a style: the digest itself, or shares and digests of a blend, in its order.

    Empty while one of them is unknown.

    >>> spelled((), ["abc"]), spelled(shares_of({"x": 1, "y": 1}), ["abc", "def"])
    ('abc', '0.5*abc+0.5*def')
    """
    if not blend or not all(digests):
        return digests[0] if all(digests) else ""
    return "+".join(f"{part.share!r}*{digest}" for part, digest in zip(blend, digests, strict=True))
