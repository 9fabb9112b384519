"""Makes the figures of the guide: run the gallery, then `python docs/guide_pictures.py`."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from stylize_core.image.contact_sheet import contact_sheet

ROOT = Path(__file__).parents[1]
MANIFESTS = ROOT / "manifests"
GALLERY = "out/gallery"
FIGURES_FOLDER = ROOT / "docs" / "images" / "guide"
CELL_PX, QUALITY = 288, 84

PHOTO = {"town": "images/contents/town.jpg", "landscape": "images/contents/landscape.jpg"}
STYLE = {name: f"images/styles/{name}.jpg" for name in ("flow", "impasto", "ink_waves", "mosaic")}


@dataclass(frozen=True)
class Strip:
    """Pictures beside one another: captions with files below the folder of the manifests."""

    columns: int
    cells: Mapping[str, str]


@dataclass(frozen=True)
class Result:
    """A contact sheet or an animation, as the gallery has it."""

    file: str

    @property
    def suffix(self) -> str:
        """Of the figure: sheets become JPEGs."""
        return ".gif" if self.file.endswith(".gif") else ".jpg"


FIGURES: Mapping[str, Strip | Result] = {
    "styles": Strip(4, STYLE | {f"town in {name}": f"{GALLERY}/styles/{name}.png" for name in STYLE}),
    "intents": Result(f"{GALLERY}/intents__sheet.png"),
    "reconstructions": Result(f"{GALLERY}/reconstructions__sheet.png"),
    "textures": Result(f"{GALLERY}/textures__sheet.png"),
    "dreams": Result(f"{GALLERY}/dreams__sheet.png"),
    "layers_and_weights": Result(f"{GALLERY}/layers_and_weights__sheet.png"),
    "starts": Result(f"{GALLERY}/starts__sheet.png"),
    "statistics": Result(f"{GALLERY}/statistics__sheet.png"),
    "scales": Result(f"{GALLERY}/scales__sheet.png"),
    "crops": Result(f"{GALLERY}/crops__sheet.png"),
    "blends": Strip(
        4,
        {
            "flow alone": f"{GALLERY}/blends/flow.png",
            "2 : 1": f"{GALLERY}/blends/two_to_one.png",
            "1 : 2": f"{GALLERY}/blends/one_to_two.png",
            "mosaic alone": f"{GALLERY}/blends/mosaic.png",
        },
    ),
    "regions": Strip(
        4,
        {
            "town": PHOTO["town"],
            "mask of the sky": "images/masks/town_sky.png",
            "mask of the water": "images/masks/town_water.png",
            "flow, ink_waves and mosaic": f"{GALLERY}/regions.png",
        },
    ),
    "colours": Result(f"{GALLERY}/colours__sheet.png"),
    "optimisers": Result(f"{GALLERY}/optimisers__sheet.png"),
    "presets": Strip(
        4,
        {
            name: f"{GALLERY}/presets/{name}.png"
            for name in ("paper", "neural-style", "style-transfer-pytorch", "pytorch-tutorial")
        },
    ),
    "evolution": Result(f"{GALLERY}/evolution.gif"),
}


def figure_file(name: str) -> Path:
    """Where a figure lies."""
    figure = FIGURES[name]
    return FIGURES_FOLDER / f"{name}{figure.suffix if isinstance(figure, Result) else '.jpg'}"


def sources(name: str) -> list[str]:
    """The files below the folder of the manifests that a figure is made of."""
    figure = FIGURES[name]
    return [figure.file] if isinstance(figure, Result) else list(figure.cells.values())


def main() -> None:
    """Write every figure."""
    FIGURES_FOLDER.mkdir(parents=True, exist_ok=True)
    for name, figure in FIGURES.items():
        if isinstance(figure, Strip):
            _strip(figure).save(figure_file(name), quality=QUALITY, optimize=True)
        elif figure.suffix == ".gif":
            shutil.copyfile(MANIFESTS / figure.file, figure_file(name))
        else:
            with Image.open(MANIFESTS / figure.file) as sheet:
                sheet.convert("RGB").save(figure_file(name), quality=QUALITY, optimize=True)


def _strip(strip: Strip) -> Image.Image:
    cells = [_cell(MANIFESTS / file) for file in strip.cells.values()]
    sheet = contact_sheet(cells, columns=strip.columns, captions=list(strip.cells))
    return Image.fromarray(sheet.mul(255).round().byte().permute(1, 2, 0).numpy())


def _cell(path: Path) -> torch.Tensor:
    with Image.open(path) as opened:
        image = opened.convert("RGB")
    image.thumbnail((CELL_PX, CELL_PX), Image.Resampling.LANCZOS)
    return torch.from_numpy(np.array(image)).permute(2, 0, 1).float() / 255


if __name__ == "__main__":
    main()
