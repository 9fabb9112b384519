"""Draws the example pictures of this folder: `python manifests/draw.py [name ...]`, all of them without a name.

Everything comes from fixed seeds: the same versions of numpy and Pillow write the same bytes.
"""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from drawing import flow, impasto, ink_waves, landscape, mosaic, still_life, town
from drawing.noise import Array
from drawing.tone import picture

_IMAGES = Path(__file__).parent / "images"


@dataclass(frozen=True)
class Example:
    """One picture of the quickstart: who draws it, how wide (px), and how it is stored."""

    draw: Callable[[int], Array]
    width: int
    quality: int
    grain: float = 0.006


EXAMPLES = {
    "contents/landscape": Example(landscape.draw, 768, 90),
    "contents/still_life": Example(still_life.draw, 614, 90),
    "contents/town": Example(town.draw, 768, 88),
    "styles/flow": Example(flow.draw, 704, 82, grain=0.0),
    "styles/mosaic": Example(mosaic.draw, 640, 82, grain=0.0),
    "styles/ink_waves": Example(ink_waves.draw, 704, 86, grain=0.0),
    "styles/impasto": Example(impasto.draw, 640, 82, grain=0.0),
}


def write(name: str, example: Example) -> Path:
    """Draws one picture and writes its JPEG; the path that now exists."""
    path = _IMAGES / f"{name}.jpg"
    path.parent.mkdir(parents=True, exist_ok=True)
    image = picture(example.draw(example.width), grain=example.grain, seed=1)
    image.save(path, quality=example.quality, optimize=True, progressive=True, subsampling="4:2:0")
    return path


def main(names: list[str]) -> None:
    """Draws the named pictures, or all."""
    for name in names or EXAMPLES:
        start = time.perf_counter()
        path = write(name, EXAMPLES[name])
        print(f"{path.name}: {path.stat().st_size // 1000} kB in {time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main(sys.argv[1:])
