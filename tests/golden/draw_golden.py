"""Draws the golden pictures anew: `python tests/golden/draw_golden.py`, when results are meant to change.

`tests/core/test_golden.py` holds every later version of the core against them.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from torch import Tensor

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "core"))

from small_networks import tiny_encoder, waves  # noqa: E402

from stylize_core.settings.recipes import defaults_of  # noqa: E402
from stylize_core.settings.style import StyleSettings  # noqa: E402
from stylize_core.transfer import stylize  # noqa: E402

CASES: dict[str, dict[str, Any]] = {
    "default": {**defaults_of(1), "steps": 15},
    "noise_adam": {**defaults_of(1), "steps": 25, "init": "noise", "seed": 3, "optimizer": "adam"},
    "gatys_max": {**defaults_of(1), "steps": 15, "loss": "gatys", "pooling": "max", "content_weight": 0.01},
    "smooth_vgg16": {**defaults_of(1, "vgg16"), "steps": 15, "encoder": "vgg16", "tv_weight": 20.0},
    # Three sizes; with far more steps they would amplify rounding.
    "recipe_2": {**defaults_of(2), "steps": 24, "coarsest": 14},
}


def drawn(name: str) -> Tensor:
    """The picture of a case as the core makes it today, [3, H, W] in 0..1."""
    settings = StyleSettings(**CASES[name])
    content, style = waves(0.3, height=40, width=56), waves(1.7, height=48, width=36, finer=4).flip(1)
    return stylize(content, style, settings=settings, encoder=tiny_encoder(settings)).image_bchw[0]


def main() -> None:
    """Write every golden picture."""
    for name in CASES:
        levels = np.rint(drawn(name).permute(1, 2, 0).numpy() * 255).astype(np.uint8)
        Image.fromarray(levels).save(HERE / f"{name}.png")


if __name__ == "__main__":
    main()
