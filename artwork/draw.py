"""Draws the example pictures: `python -m artwork.draw [name ...]`, all of them without a name.

Everything comes from fixed seeds: the same versions of numpy and Pillow write the same bytes.
"""

import io
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from artwork.contents import landscape, still_life, town
from artwork.noise import Array
from artwork.styles import flow, impasto, ink_waves, mosaic
from artwork.tone import picture

IMAGES = Path(__file__).parents[1] / "manifests" / "images"


@dataclass(frozen=True)
class Example:
    """One picture of the quickstart: who draws it at which width, its size in px, and how it is stored."""

    draw: Callable[[int], Array]
    size: tuple[int, int]
    quality: int
    grain: float = 0.0


EXAMPLES = {
    "contents/landscape": Example(landscape.draw, (768, 512), 90, grain=0.006),
    "contents/still_life": Example(still_life.draw, (614, 768), 90, grain=0.005),
    "contents/town": Example(town.draw, (768, 512), 88, grain=0.006),
    "styles/flow": Example(flow.draw, (704, 563), 82),
    "styles/mosaic": Example(mosaic.draw, (640, 512), 82),
    "styles/ink_waves": Example(ink_waves.draw, (704, 563), 86),
    "styles/impasto": Example(impasto.draw, (640, 512), 82),
}


# Masks, white where a part of a picture is, as large as that picture.
MASKS = {
    "masks/landscape_sky": Example(landscape.sky, (768, 512), 0),
    "masks/town_sky": Example(town.sky, (768, 512), 0),
    "masks/town_water": Example(town.water, (768, 512), 0),
    "masks/flow_sky": Example(flow.sky, (704, 563), 0),
}


def png(example: Example, width: int) -> bytes:
    """The mask drawn `width` px wide, as a grey PNG file; the same bytes each time."""
    stored = io.BytesIO()
    Image.fromarray((example.draw(width) * 255 + 0.5).astype(np.uint8)).save(stored, "png", optimize=True)
    return stored.getvalue()


def jpeg(example: Example, width: int) -> bytes:
    """The picture drawn `width` px wide, as a JPEG file; the same bytes each time."""
    stored = io.BytesIO()
    image = picture(example.draw(width), grain=example.grain, seed=1)
    image.save(stored, "jpeg", quality=example.quality, optimize=True, progressive=True)
    return stored.getvalue()


def main(names: list[str]) -> int:
    """Draws the named pictures, or all, into `images`; 2 if a name is unknown, and then nothing is drawn."""
    known = EXAMPLES | MASKS
    if unknown := sorted(set(names) - set(known)):
        print(f"no picture is called {', '.join(unknown)}; there are {', '.join(known)}", file=sys.stderr)
        return 2
    for name in names or known:
        store, suffix = (png, "png") if name in MASKS else (jpeg, "jpg")
        start, path = time.perf_counter(), IMAGES / f"{name}.{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(store(known[name], known[name].size[0]))
        print(f"{name}: {path.stat().st_size // 1000} kB in {time.perf_counter() - start:.0f} s", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
