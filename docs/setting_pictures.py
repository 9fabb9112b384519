"""Makes the pictures of `docs/settings.md`: `python -m docs.setting_pictures`.

What `manifests/settings.yaml` makes is put side by side, a strip for each setting, or drawn as loss curves.
Only what is out of date is made: beside the pictures, `made.json` remembers of which inputs and settings each
was made. `python -m docs.generated --check` says which are out of date.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from docs.loss_curves import loss_curves
from docs.setting_notes import Curves, Strip
from docs.setting_sources import (
    FOLDER,
    MADE,
    MANIFEST,
    MANIFESTS,
    ROOT,
    Drawn,
    cells,
    digests,
    drawn_notes,
    identities,
    made,
    outdated,
    picture_name,
    plan,
)
from stylize_core.image.contact_sheet import contact_sheet
from stylize_core.settings.fields import Crop

CELL_PX, QUALITY = 192, 80


def main() -> None:
    """Make what is out of date, and remember of each picture what it was made of."""
    old = {path.name for path in outdated()}
    wanted = {key: note for key, note in drawn_notes().items() if picture_name(key, note) in old}
    if only := _pairs_of(wanted):
        _run(only)
    FOLDER.mkdir(parents=True, exist_ok=True)
    for key, note in wanted.items():
        shown = {caption: _place(file) for caption, file in cells(key, note).items()}
        name = picture_name(key, note)
        draw(shown, note, FOLDER / name)
        _remember(name)


def _pairs_of(wanted: Mapping[str, Drawn]) -> list[str]:
    """The names of the pairs that are shown."""
    files = {file for key, note in wanted.items() for file in cells(key, note).values()}
    pairs = (one.pair for one in plan().pairs)
    return [pair.name for pair in pairs if files & {pair.output_name, *pair.extra_names}]


def _run(only: list[str]) -> None:
    """Make what is not there yet, by the command that makes any picture."""
    command = [sys.executable, "-c", "from flows.cli.app import main; main()", "run", str(MANIFEST)]
    subprocess.run([*command, *(f"--only={name}" for name in only)], cwd=ROOT, check=True)


def _remember(name: str) -> None:
    """Write down what a picture was made of, so that a run that is broken off goes on behind it."""
    current = digests()
    known = {old: digest for old, digest in made().items() if old in current} | {name: current[name]}
    (FOLDER / MADE).write_text(json.dumps(dict(sorted(known.items())), indent=1) + "\n", encoding="utf-8")


def _place(file: str) -> Path:
    """Where a file of a strip lies: a result below the output, any other beside the manifest."""
    return (MANIFESTS / plan().output if file in identities() else MANIFESTS) / file


def draw(shown: Mapping[str, Path], note: Drawn, path: Path) -> None:
    """Write results as a strip or as curves, by their captions."""
    if isinstance(note, Curves):
        curves = {caption: _losses(result) for caption, result in shown.items()}
        path.write_text(loss_curves(curves), encoding="utf-8")
        return
    pictures = [_cell(result, note) for result in shown.values()]
    sheet = contact_sheet(pictures, columns=len(pictures), captions=list(shown))
    image = Image.fromarray(sheet.mul(255).round().byte().permute(1, 2, 0).numpy())
    image.save(path, quality=QUALITY, optimize=True)


def _cell(path: Path, note: Strip) -> torch.Tensor:
    """A result as [3, h, w] 0..1: a part of it enlarged, in its own pixels, or as large as any cell."""
    with Image.open(path) as opened:
        image = opened.convert("RGB")
    if note.zoom:
        image = _enlarged(image, note.zoom)
    elif not note.to_scale:
        share = CELL_PX / max(image.size)
        size = (round(image.width * share), round(image.height * share))
        image = image.resize(size, Image.Resampling.LANCZOS)
    return torch.from_numpy(np.array(image)).permute(2, 0, 1).float() / 255


def _enlarged(image: Image.Image, box: Crop) -> Image.Image:
    """A part of a picture, its pixels as squares, so that none is invented."""
    across, down = image.size
    left, top, right, bottom = box
    part = image.crop((round(left * across), round(top * down), round(right * across), round(bottom * down)))
    times = max(1, CELL_PX // max(part.size))
    return part.resize((part.width * times, part.height * times), Image.Resampling.NEAREST)


def _losses(result: Path) -> list[float]:
    """The loss of every evaluation, as the record beside a result has it."""
    record: Any = json.loads(result.with_suffix(".json").read_text(encoding="utf-8"))
    return [float(loss) for loss in record["optimisation"]["loss_curve"]]


if __name__ == "__main__":
    main()
