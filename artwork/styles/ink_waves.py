"""A rough sea in the manner of a colour woodblock: curling crests, claws of foam, indigo on paper."""

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from artwork.noise import Array, fractal
from artwork.tone import blur, colour, grid, mix, ramp, shrink, smoothstep

_SCALE = 3
_INK, _DEEP, _MID, _LIGHT, _PALE, _FOAM = "#14213f", "#1d3563", "#3a6096", "#7fa3bd", "#b5cbc9", "#f1e6cb"


@dataclass(frozen=True)
class Swell:
    """One row of waves; lengths in fractions of the width, `curl` in radians at the tip."""

    base: float
    rise: float
    length: float
    phase: float
    curl: float
    tones: tuple[str, ...]


_SWELLS = (
    Swell(0.36, 0.07, 0.17, 0.3, 1.2, (_PALE, _FOAM, _LIGHT, _PALE)),
    Swell(0.43, 0.13, 0.31, 0.82, 1.4, (_LIGHT, _PALE, _MID, _LIGHT, _FOAM)),
    Swell(0.58, 0.56, 0.98, 0.20, 1.5, (_DEEP, _FOAM, _MID, _LIGHT, _DEEP, _PALE, _MID, _INK)),
    Swell(0.60, 0.20, 0.43, 0.80, 1.5, (_MID, _PALE, _DEEP, _LIGHT, _INK, _FOAM)),
    Swell(0.71, 0.34, 0.74, 0.86, 1.6, (_DEEP, _FOAM, _MID, _INK, _LIGHT, _MID)),
    Swell(0.80, 0.23, 0.52, 0.22, 1.5, (_INK, _LIGHT, _DEEP, _FOAM, _MID, _INK)),
)


def draw(width: int) -> Array:
    """The print, sRGB 0..1 (H, W, 3), 5:4."""
    wide, high = width * _SCALE, round(width * 0.8) * _SCALE
    rng = np.random.default_rng(53)
    block = Image.fromarray((_sky(wide, high) * 255).astype(np.uint8))
    _clouds(block, rng)
    for swell in _SWELLS:
        _wave_row(block, swell, rng)
    return _printed(shrink(np.asarray(block, np.float32) / 255, _SCALE), rng)


def _sky(wide: int, high: int) -> Array:
    """Paper, darkened at the top as when ink is wiped on the block, with a low red sun."""
    x, y = grid(wide, high)
    wipe = y + 0.015 * fractal(x * 2, y * 6, octaves=2, seed=2)
    rgb = ramp(
        wipe, [(0.0, "#33507c"), (0.07, "#7d97a8"), (0.17, "#d9d0b4"), (0.27, "#eedfbd"), (0.40, "#e8c79c")]
    )
    disc = smoothstep(0.0625, 0.0605, np.hypot(x - 0.735, y - 0.17))
    return mix(rgb, mix(colour("#c8492c"), colour("#de7f4a"), smoothstep(0.13, 0.24, y)), disc * 0.93)


def _clouds(block: Image.Image, rng: np.random.Generator) -> None:
    """Flat bands of cloud with round ends, outlined."""
    pen, width = ImageDraw.Draw(block), block.width
    for _ in range(13):
        x, y, length = rng.uniform(-0.1, 1.0), rng.uniform(0.02, 0.30), rng.uniform(0.1, 0.34)
        half = rng.uniform(0.006, 0.012)
        for grow, tone in ((0.0016, "#5a6f8c"), (0.0, rng.choice(["#efe4c8", "#dcd6c0", "#c9d0c8"]))):
            for dx, dy, part in ((0, 0, 1), (0.07, half * 1.7, 0.55), (-0.05, -half * 1.6, 0.4)):
                box = (
                    x + dx - grow,
                    y + dy - half - grow,
                    x + dx + length * part + grow,
                    y + dy + half + grow,
                )
                pen.rounded_rectangle([v * width for v in box], radius=(half + grow) * width, fill=str(tone))


def _crest(swell: Swell, t: Array, *, depth: float) -> tuple[Array, Array]:
    """The curve (n, 2) of the row at parameter t, `depth` below its surface, and how high up, 0..1."""
    turn = (t / swell.length - swell.phase + 0.5) % 1 - 0.5
    number = np.round(t / swell.length - swell.phase)
    vary = 0.80 + 0.2 * np.sin(number * 2.4 + swell.phase * 9)
    skew = np.where(turn < 0, turn / 0.62, turn / 0.38)
    up = np.exp(-(np.abs(skew * 2.75) ** 1.55)) * smoothstep(0.5, 0.40, np.abs(turn))
    reach = swell.rise * vary * up * (1 - depth * 0.9)
    x = t + reach * swell.curl * 0.62 * up**2.2
    y = (
        swell.base
        - reach * (1 - 0.36 * up**7)
        + depth * (0.10 + swell.rise * 0.55)
        + 0.006 * np.sin(t * 50 + 3 * depth)
    )
    return np.stack([x, y], -1), up


def _wave_row(block: Image.Image, swell: Swell, rng: np.random.Generator) -> None:
    width, height = block.size
    t = np.arange(-0.6, 1.5, 0.0011)
    surface, up = _crest(swell, t, depth=0.0)
    body = Image.new("L", block.size)
    _fill(ImageDraw.Draw(body), surface * width, height, 255)
    layer = Image.new("RGB", block.size, swell.tones[0])
    pen = ImageDraw.Draw(layer)
    steps = 24
    for number in range(steps):
        line, _ = _crest(swell, t, depth=((number + 0.55 + 0.2 * rng.uniform()) / steps) ** 1.15 * 1.5)
        _fill(pen, line * width, height, swell.tones[number % len(swell.tones)])
        _ink(pen, line * width, rng, breadth=0.0011 * width)
    block.paste(layer, mask=body)
    _ink(ImageDraw.Draw(block), surface * width, rng, breadth=0.0024 * width)
    _foam(block, swell, surface, up, rng)


def _fill(pen: ImageDraw.ImageDraw, line: Array, height: int, tone: str | int) -> None:
    points = [(line[0, 0], height * 1.2), *map(tuple, line), (line[-1, 0], height * 1.2)]
    pen.polygon([(float(x), float(y)) for x, y in points], fill=tone)


def _ink(pen: ImageDraw.ImageDraw, line: Array, rng: np.random.Generator, *, breadth: float) -> None:
    """A brush line whose breadth swells and shrinks."""
    place = np.arange(len(line)) / 40
    breadths = breadth * (1 + 0.75 * fractal(place, place * 0 + rng.uniform(0, 99), octaves=2, seed=7))
    for start in range(0, len(line) - 1, 3):
        piece = line[start : start + 4]
        pen.line(
            [(float(x), float(y)) for x, y in piece], fill=_INK, width=max(1, round(float(breadths[start])))
        )


def _foam(block: Image.Image, swell: Swell, surface: Array, up: Array, rng: np.random.Generator) -> None:
    """White claws along the upper part of every crest, and spray thrown ahead of them."""
    size = 0.0055 + 0.034 * swell.rise
    blobs: list[tuple[float, float, float]] = []
    travelled = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(surface, axis=0).T))])
    last = -1.0
    for index in np.flatnonzero(up > 0.45).tolist():
        if travelled[index] - last < size * rng.uniform(0.75, 1.25):
            continue
        last = travelled[index]
        ahead = surface[min(index + 4, len(surface) - 1)] - surface[max(index - 4, 0)]
        blobs += _claw(surface[index], float(np.arctan2(ahead[1], ahead[0])), size, float(up[index]), rng)
    blobs += _spray(surface[up > 0.8], size, rng)
    _blobs(block, blobs)


def _claw(
    at: Array, along: float, size: float, up: float, rng: np.random.Generator
) -> list[tuple[float, float, float]]:
    """Circles (x, y, radius): a knuckle, and on high parts fingers that reach out and hook downward."""
    radius = size * (0.35 + 0.65 * up) * rng.uniform(0.75, 1.2)
    blobs = [(float(at[0]), float(at[1]) + radius * 0.35, radius)]
    fingers = int(rng.integers(1, 4)) if up > 0.55 else 0
    for _ in range(fingers):
        angle, bend = along - rng.uniform(0.5, 1.5), rng.uniform(0.10, 0.22)
        x, y, r = float(at[0]), float(at[1]), radius * 0.6
        while r > size * 0.10:
            x, y = x + r * 0.8 * np.cos(angle), y + r * 0.8 * np.sin(angle)
            angle, r = angle + bend, r * 0.885
            blobs.append((x, y, r))
    return blobs


def _spray(tips: Array, size: float, rng: np.random.Generator) -> list[tuple[float, float, float]]:
    if len(tips) == 0:
        return []
    chosen = tips[rng.integers(0, len(tips), 60)]
    throw = rng.normal((2.5, -1.5), (3.5, 2.6), chosen.shape) * size
    radii = size * rng.uniform(0.06, 0.22, len(chosen))
    return [(float(x), float(y), float(r)) for (x, y), r in zip(chosen + throw, radii, strict=True)]


def _blobs(block: Image.Image, blobs: list[tuple[float, float, float]]) -> None:
    """All outlines first, then all fills, so that overlapping circles become one outlined shape."""
    pen, width = ImageDraw.Draw(block), block.width
    for grow, tone in ((0.0016, _INK), (0.0, _FOAM)):
        for x, y, radius in blobs:
            r = radius + grow
            pen.ellipse([(x - r) * width, (y - r) * width, (x + r) * width, (y + r) * width], fill=tone)
    for x, y, radius in blobs:
        if radius > 0.008:
            box = [
                (x - radius * 0.6) * width,
                (y - radius * 0.5) * width,
                (x + radius * 0.7) * width,
                (y + radius * 0.8) * width,
            ]
            pen.arc(box, 20, 150, fill=_LIGHT, width=max(2, round(0.0016 * width)))


def _printed(rgb: Array, rng: np.random.Generator) -> Array:
    """The flat colours as a print: ink that takes unevenly along the grain of the block, on fibrous paper."""
    height, width = rgb.shape[:2]
    x, y = grid(width, height)
    paper = ramp(0.5 + fractal(x * 3, y * 3, octaves=4, seed=3), [(0.2, "#e6d6b2"), (0.8, "#f6ecd4")])
    density = 1 - rgb.min(-1)
    grain = fractal(x * 3 + 0.6 * np.sin(y * 4), y * 95, octaves=3, seed=4, gain=0.6)
    mottle = fractal(x * 120, y * 120, octaves=2, seed=6)
    edge = np.clip(density - blur(density, 2.5 * width / 700), -0.4, 0.4)
    take = np.clip(1 + 0.34 * grain + 0.15 * mottle + 0.5 * edge, 0.3, 1.6)
    ink = np.clip(1 - (1 - np.clip(rgb / colour(_FOAM), 0, 1)) * take[..., None], 0.02, 1)
    fibre = _fibres(width, height, rng)
    return np.asarray(
        np.clip(ink * paper * (1 - 0.10 * fibre)[..., None] + (0.05 * fibre * density)[..., None], 0, 1)
    )


def _fibres(width: int, height: int, rng: np.random.Generator) -> Array:
    sheet = Image.new("L", (width * 2, height * 2))
    pen = ImageDraw.Draw(sheet)
    for _ in range(900):
        at, angle = rng.uniform(0, 2, 2) * (width, height), rng.uniform(0, 2 * np.pi)
        bend, points = rng.normal(0, 0.12), []
        for _ in range(12):
            points.append((float(at[0]), float(at[1])))
            at = at + np.array([np.cos(angle), np.sin(angle)]) * width * 0.006
            angle += bend
        pen.line(points, fill=int(rng.integers(60, 255)), width=2)
    return np.asarray(sheet.resize((width, height), Image.Resampling.BOX), np.float32) / 255
