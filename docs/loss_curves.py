"""Loss curves as small SVG pictures, for settings whose effect is the way and not the look."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 640, 260
LEFT, RIGHT, TOP, BOTTOM = 52, 200, 14, 40
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#a0468c")
"""Told apart by readers who see few colours as well (Okabe and Ito 2008), the last one darkened."""
LINE_PX = 18


@dataclass(frozen=True, slots=True)
class Frame:
    """What the axes reach: evaluations from 1 on, losses from `low` to `high`, all above 0."""

    evaluations: int
    low: float
    high: float

    @classmethod
    def around(cls, curves: Sequence[Sequence[float]]) -> Frame:
        """The frame in which every point finds room."""
        losses = [loss for curve in curves for loss in curve if loss > 0]
        return cls(max(map(len, curves)), min(losses), max(losses))

    def x(self, evaluation: float) -> float:
        """Where an evaluation lies, px."""
        return LEFT + (WIDTH - LEFT - RIGHT) * (evaluation - 1) / max(1, self.evaluations - 1)

    def y(self, loss: float) -> float:
        """Where a loss lies, px, by its logarithm; below the frame's lowest nothing does."""
        share = math.log(max(loss, self.low) / self.low) / (math.log(self.high / self.low) or 1)
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * share

    def ticks(self) -> Iterator[float]:
        """1, 2 and 5 of every decade within the frame."""
        for power in range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1):
            yield from (loss for n in (1, 2, 5) if self.low <= (loss := n * 10.0**power) <= self.high)


def loss_curves(curves: Mapping[str, Sequence[float]]) -> str:
    """The losses of each evaluation by what the curve is called, as SVG on white; the same text each time."""
    frame = Frame.around(list(curves.values()))
    size = f'width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}"'
    look = 'font-family="sans-serif" font-size="12" fill="#222"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} {look}>',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
        *_axes(frame),
    ]
    for number, (name, losses) in enumerate(curves.items()):
        parts += _curve(frame, name, losses, number)
    return "\n".join([*parts, "</svg>", ""])


def _axes(frame: Frame) -> Iterator[str]:
    end = WIDTH - RIGHT
    for loss in frame.ticks():
        y = frame.y(loss)
        yield f'<path d="M{LEFT} {y:.1f}H{end}" stroke="#ddd"/>'
        yield f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{loss:g}</text>'
    yield f'<path d="M{LEFT} {TOP}V{HEIGHT - BOTTOM}H{end}" fill="none" stroke="#222"/>'
    for evaluation in (1, frame.evaluations):
        x = frame.x(evaluation)
        yield f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{evaluation}</text>'
    middle = (LEFT + end) / 2
    words = "evaluations; the loss is logarithmic"
    yield f'<text x="{middle}" y="{HEIGHT - 8}" text-anchor="middle">{words}</text>'


def _curve(frame: Frame, name: str, losses: Sequence[float], number: int) -> Iterator[str]:
    """A line with a dot where it ends, and its name beside the frame."""
    colour = COLOURS[number % len(COLOURS)]
    points = " ".join(f"{frame.x(at):.1f},{frame.y(loss):.1f}" for at, loss in enumerate(losses, start=1))
    yield f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.8"/>'
    end = f'cx="{frame.x(len(losses)):.1f}" cy="{frame.y(losses[-1]):.1f}"'
    yield f'<circle {end} r="3.5" fill="{colour}"/>'
    x, y = WIDTH - RIGHT + 14, TOP + 8 + 2 * LINE_PX * number
    yield f'<path d="M{x} {y}h16" stroke="{colour}" stroke-width="3"/>'
    yield f'<text x="{x + 22}" y="{y + 4}">{escape(name)}</text>'
    ended = f"{losses[-1]:.3g} after {len(losses)} evaluations"
    yield f'<text x="{x + 22}" y="{y + 4 + LINE_PX}" fill="#666">{ended}</text>'
