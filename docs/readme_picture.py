"""Puts the quickstart's results side by side: `make demo`, then `python docs/readme_picture.py`."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "manifests" / "out" / "quickstart"
CONTENTS = ("landscape", "still_life", "town")
STYLES = ("flow", "impasto", "ink_waves", "mosaic")
CELL, GAP = 300, 8


def main() -> None:
    """Write `docs/images/quickstart.jpg`: one row per content, one column per style."""
    columns, rows = len(STYLES), len(CONTENTS)
    sheet = Image.new("RGB", (columns * (CELL + GAP) - GAP, rows * (CELL + GAP) - GAP), "white")
    for row, content in enumerate(CONTENTS):
        for column, style in enumerate(STYLES):
            with Image.open(RESULTS / f"{content}__{style}.png") as made:
                cell = _square(made.convert("RGB"))
            sheet.paste(cell, (column * (CELL + GAP), row * (CELL + GAP)))
    sheet.save(ROOT / "docs" / "images" / "quickstart.jpg", quality=88, optimize=True)


def _square(image: Image.Image) -> Image.Image:
    """The middle of a picture, CELL px a side."""
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    return image.crop((left, top, left + side, top + side)).resize((CELL, CELL), Image.Resampling.LANCZOS)


if __name__ == "__main__":
    main()
