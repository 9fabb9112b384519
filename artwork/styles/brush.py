"""Oil paint: curved strokes with bristle marks, on a canvas that remembers how thick the paint is."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from artwork.noise import Array, fractal
from artwork.tone import blur, grid, relief

Direction = Callable[[Array, Array], Array]  # angle in radians at points given in fractions of the width


@dataclass(frozen=True)
class Canvas:
    """Wet paint: colour 0..1 (H, W, 3) and thickness (H, W), both changed in place by `stroke`."""

    rgb: Array
    thickness: Array


@dataclass(frozen=True)
class Brush:
    """How strokes come out; lengths in fractions of the picture's width."""

    length: float
    breadth: float
    body: float = 1.0  # how much paint it leaves
    taper: float = 0.6  # 0: a slab as wide at its ends as in the middle
    dry: float = 0.3  # how raggedly the bristles lift off
    unmixed: float = 0.5  # how far the second colour shows in streaks


def blank(width: int, height: int, ground: Array) -> Canvas:
    """A canvas primed with one colour, its weave just visible."""
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    weave = 0.5 + 0.25 * (np.sin(x * 1.6) * np.sign(np.sin(y * 0.8)) + np.sin(y * 1.6))
    rgb = np.ones((height, width, 3), np.float32) * ground.astype(np.float32)
    return Canvas(rgb, (weave * 0.25).astype(np.float32))


def curves(direction: Direction, starts: Array, *, lengths: Array, pieces: int) -> Array:
    """Many curves at once, (n, pieces + 1, 2), through the middles `starts` (n, 2)."""
    step = lengths / pieces
    paths = [starts]
    for sign in (-1.0, 1.0):
        at = starts
        for _ in range(pieces // 2):
            angle = direction(at[:, 0], at[:, 1])
            at = at + sign * step[:, None] * np.stack([np.cos(angle), np.sin(angle)], -1)
            paths = [at, *paths] if sign < 0 else [*paths, at]
    return np.stack(paths, 1).astype(np.float32)


def scatter(canvas: Canvas, rng: np.random.Generator, *, spacing: float) -> Array:
    """Shuffled points (n, 2) on a jittered lattice over the canvas, in fractions of its width.

    They are never closer than three pixels, so that a small picture takes few strokes.
    """
    height, width = canvas.thickness.shape
    spacing, aspect = max(spacing, 3 / width), height / width
    x, y = np.meshgrid(np.arange(0, 1 + spacing, spacing), np.arange(0, aspect + spacing, spacing))
    points = np.stack([x.ravel(), y.ravel()], -1)
    points = points + rng.uniform(-0.6, 0.6, points.shape) * spacing
    return rng.permutation(points).astype(np.float32)


def stroke(
    canvas: Canvas, path: Array, brush: Brush, *, colours: tuple[Array, Array], rng: np.random.Generator
) -> None:
    """Lays one stroke along `path` (n, 2): the first colour, streaked with the second."""
    height, width = canvas.thickness.shape
    half = brush.breadth * width / 2 * rng.uniform(0.75, 1.2)
    points = path * width
    low = np.maximum(np.floor(points.min(0) - half - 1), 0).astype(int)
    high = np.minimum(np.ceil(points.max(0) + half + 2), (width, height)).astype(int)
    if (high <= low).any():
        return
    area = np.s_[low[1] : high[1], low[0] : high[0]]
    along, across = _coordinates(points, low, high)
    across = across / (half * _taper(along, brush.taper))
    bristle, streak = _bristles(across, along, rng)
    covered = _coverage(along, across, bristle, dry=brush.dry, soft=1.5 / half)
    paint = colours[0] + (colours[1] - colours[0]) * (np.clip(streak, 0, 1) * brush.unmixed)[..., None]
    paint = paint * (1 + 0.10 * bristle)[..., None]
    canvas.rgb[area] += (paint - canvas.rgb[area]) * covered[..., None]
    ridge = 0.35 * np.clip(np.abs(across) * 2 - 1, 0, 1) + 0.5 * np.clip(along * 6 - 5, 0, 1)
    left = brush.body * half * 0.16 * (1 + 0.55 * bristle + ridge)
    canvas.thickness[area] += (canvas.thickness[area] * -0.55 + left) * covered


def varnish(canvas: Canvas, *, strength: float, azimuth: float, gloss: float) -> Array:
    """The painting under a raking light from `azimuth` degrees, sRGB 0..1."""
    fine = blur(canvas.thickness, 1)
    diffuse, shine = relief(fine - 0.6 * blur(fine, 12), strength=strength, azimuth=azimuth)
    x, y = grid(fine.shape[1], fine.shape[0])
    patchy = 0.75 + 0.5 * fractal(x * 9, y * 9, octaves=2, seed=5)
    lit = canvas.rgb * (0.30 + 0.70 * diffuse)[..., None]
    return np.asarray(np.clip(lit + (gloss * patchy * np.clip(shine - 0.35, 0, 1))[..., None], 0, 1))


def _coordinates(points: Array, low: Array, high: Array) -> tuple[Array, Array]:
    """For every pixel of the box: place along the path 0..1 and signed distance from it in pixels."""
    x = np.arange(low[0], high[0], dtype=np.float32)[None, :, None] + 0.5
    y = np.arange(low[1], high[1], dtype=np.float32)[:, None, None] + 0.5
    start, leg = points[:-1], np.diff(points, axis=0)
    square = (leg**2).sum(-1) + 1e-6
    from_x, from_y = x - start[:, 0], y - start[:, 1]
    part = np.clip((from_x * leg[:, 0] + from_y * leg[:, 1]) / square, 0, 1)
    distance = (from_x - part * leg[:, 0]) ** 2 + (from_y - part * leg[:, 1]) ** 2
    best = distance.argmin(-1)[..., None]

    def pick(values: Array) -> Array:
        return np.take_along_axis(values, best, -1)[..., 0]

    side = pick(leg[:, 0] * from_y - leg[:, 1] * from_x)
    return (best[..., 0] + pick(part)) / len(leg), np.sqrt(pick(distance)) * np.sign(side)


def _taper(along: Array, taper: float) -> Array:
    return 1 - taper * np.abs(2 * along - 1) ** 3


def _bristles(across: Array, along: Array, rng: np.random.Generator) -> tuple[Array, Array]:
    """Fine grooves (-1..1) and broad streaks of unmixed paint (0..1), both running with the stroke."""
    place = np.clip((across + 1) / 2, 0, 1)
    fine, drift = rng.uniform(-1, 1, 18), rng.uniform(-1, 1, 18)
    wide = rng.uniform(-0.6, 1.2, 5)
    knots = np.linspace(0, 1, 18)
    groove = np.interp(place, knots, fine) * (1 - along) + np.interp(place, knots, drift) * along
    return groove.astype(np.float32), np.interp(place, np.linspace(0, 1, 5), wide).astype(np.float32)


def _coverage(along: Array, across: Array, bristle: Array, *, dry: float, soft: float) -> Array:
    edge = np.clip((1 - np.abs(across)) / soft, 0, 1)
    lift = np.clip((1 - along - dry * 0.35 * (0.5 + 0.5 * bristle)) * 14, 0, 1)
    touch = np.clip((along - dry * 0.15 * (0.5 - 0.5 * bristle)) * 14, 0, 1)
    return np.asarray(edge * np.maximum(lift * touch, 0))
