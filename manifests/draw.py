"""Draws the example pictures: `python manifests/draw.py [name ...]`, all of them without a name.

Everything comes from fixed seeds: the same versions of numpy and Pillow write the same bytes.
"""

import io
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from drawing import flow, impasto, ink_waves, landscape, mosaic, still_life, town
from drawing.noise import Array
from drawing.tone import picture
from PIL import Image

IMAGES = Path(__file__).parent / "images"


@dataclass(frozen=True)
class Example:
    """One picture of the quickstart: who draws it at which width, its size in px, and how it is stored."""

    draw: Callable[[int], Array]
    size: tuple[int, int]
    quality: int
    grain: float = 0.0


@dataclass(frozen=True)
class Mask:
    """A grey picture of where something is in an example: who draws it, and its size in px."""

    draw: Callable[[int], Array]
    size: tuple[int, int]


MASKS = {
    "masks/town_sky": Mask(town.sky, (384, 256)),
    "masks/town_water": Mask(town.water, (384, 256)),
    "masks/flow_sky": Mask(flow.sky, (250, 200)),
}
EXAMPLES = {
    "contents/landscape": Example(landscape.draw, (768, 512), 90, grain=0.006),
    "contents/still_life": Example(still_life.draw, (614, 768), 90, grain=0.005),
    "contents/town": Example(town.draw, (768, 512), 88, grain=0.006),
    "styles/flow": Example(flow.draw, (704, 563), 82),
    "styles/mosaic": Example(mosaic.draw, (640, 512), 82),
    "styles/ink_waves": Example(ink_waves.draw, (704, 563), 86),
    "styles/impasto": Example(impasto.draw, (640, 512), 82),
}


def jpeg(example: Example, width: int) -> bytes:
    """The picture drawn `width` px wide, as a JPEG file; the same bytes each time."""
    stored = io.BytesIO()
    image = picture(example.draw(width), grain=example.grain, seed=1)
    image.save(stored, "jpeg", quality=example.quality, optimize=True, progressive=True)
    return stored.getvalue()


def png(mask: Mask, width: int) -> bytes:
    """The mask drawn `width` px wide, as a grey PNG file."""
    stored = io.BytesIO()
    Image.fromarray((mask.draw(width)[..., 0] * 255).round().astype("uint8")).save(
        stored, "png", optimize=True
    )
    return stored.getvalue()


def main(names: list[str]) -> int:
    """Draws the named pictures, or all, into `images`; 2 if a name is unknown, and then nothing is drawn."""
    known = [*EXAMPLES, *MASKS]
    unknown = sorted(set(names) - set(known))
    if unknown:
        print(f"no picture is called {', '.join(unknown)}; there are {', '.join(known)}", file=sys.stderr)
        return 2
    for name in names or known:
        start, path = time.perf_counter(), IMAGES / (f"{name}.png" if name in MASKS else f"{name}.jpg")
        path.parent.mkdir(parents=True, exist_ok=True)
        if name in MASKS:
            path.write_bytes(png(MASKS[name], MASKS[name].size[0]))
        else:
            path.write_bytes(jpeg(EXAMPLES[name], EXAMPLES[name].size[0]))
        print(f"{name}: {path.stat().st_size // 1000} kB in {time.perf_counter() - start:.0f} s", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
