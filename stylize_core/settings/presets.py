"""Settings by name: other programs' defaults, so that their users find the look they know, and intents.

docs/presets.md maps other programs' flags to our keys and says what differs. Knows no torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from stylize_core.architecture import DEFAULT_ENCODER
from stylize_core.settings.intents import INTENTS
from stylize_core.settings.recipes import NEWEST, defaults_of

PresetName = Literal[
    "none",
    "subtle",
    "painting",
    "bold",
    "texture-heavy",
    "draft",
    "final",
    "paper",
    "neural-style",
    "neural-style-pt",
    "style-transfer-pytorch",
    "pytorch-tutorial",
]

# Presets stay what they are when our defaults change: each lies on the recipe of when it was made.
_GROUND: Mapping[str, Any] = {"recipe": 1}

# These programs cut pixels off at black and white, on the way or when they save. Instead `range_weight` holds
# them, which is no part of their formulas; it is as large as their style weight, as in our own recipes.

# VGG-16 as published with `convention: features` is its authors' own network, which sees pictures in 0..255:
# numbers that were chosen for their VGG-19 keep their meaning with it.
_CAFFE: Mapping[str, Any] = {
    **_GROUND,
    "encoder": "vgg16",
    "init": "noise",
    "margin": 0,
    "scales": 1,
}

_NEURAL_STYLE: Mapping[str, Any] = {
    **_CAFFE,
    "size": 512,
    "steps": 1000,
    "optimizer": "lbfgs",
    "history": 100,
    "loss": "mean",
    "content_weight": 5.0,
    "style_weight": 500.0,  # 100 for each of five layers, whose weights sum to 1 here
    "range_weight": 500.0,
    "pooling": "max",
}

PROGRAMS: Mapping[str, Mapping[str, Any]] = {
    "paper": {
        **_CAFFE,
        "size": 512,
        "steps": 500,
        "optimizer": "lbfgs",
        "loss": "gatys",
        "content_weight": 1.0,
        "style_weight": 1000.0,
        "range_weight": 1000.0,
        "pooling": "average",
    },
    "neural-style": {
        **_NEURAL_STYLE,
        "tv_weight": 1e-3 * 256**2,  # its pixels go from 0 to 256
        "tv_form": "half_squares",
    },
    "neural-style-pt": {
        **_NEURAL_STYLE,
        "tv_weight": 1e-3 * 255,
        "tv_form": "absolute",
    },
    "style-transfer-pytorch": {
        **_GROUND,
        "encoder": "vgg19",
        "init": "content",
        "size": 512,
        "steps": 1000,
        "optimizer": "adam",
        "learning_rate": 0.02,
        "average": 0.99,
        "loss": "mean",
        "statistics": "moments",
        "content_weight": 0.015,
        "style_weight": 1.0,
        "range_weight": 1.0,
        "style_layers": {
            "relu1_1": 256.0,
            "relu2_1": 64.0,
            "relu3_1": 16.0,
            "relu4_1": 4.0,
            "relu5_1": 1.0,
        },
        "tv_weight": 2.0,
        "tv_form": "nine_point",
        "margin": 0,
        "pooling": "max",
    },
    "pytorch-tutorial": {
        **_GROUND,
        "encoder": "vgg19",
        "init": "content",
        "size": 512,
        "steps": 300,
        "optimizer": "lbfgs",
        "history": 100,
        "loss": "mean",
        "content_weight": 1.0,
        "style_weight": 5e6,  # a million for each of five layers
        "range_weight": 5e6,
        "content_layers": ("relu2_2",),
        "style_layers": ("relu1_1", "relu1_2", "relu2_1", "relu2_2", "relu3_1"),
        "scales": 1,
        "margin": 0,
        "pooling": "max",
    },
}
"""The settings that imitate each program."""

PRESETS: Mapping[str, Mapping[str, Any]] = {"none": {}, **INTENTS, **PROGRAMS}
"""The settings that each preset lays under the user's own; what it does not name is as in its `recipe`."""


def laid_out(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings with those that their preset and their recipe stand for; neither of the two is left.

    >>> laid_out({"preset": "subtle", "size": 64})["style_weight"]
    30.0
    """
    preset = PRESETS[settings.get("preset", "none")]
    recipe = preset.get("recipe", settings.get("recipe", NEWEST))
    given = {**preset, **settings}
    found = {**defaults_of(recipe, given.get("encoder", DEFAULT_ENCODER)), **given}
    return {key: value for key, value in found.items() if key not in ("preset", "recipe")}
