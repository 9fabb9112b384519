"""The settings of the short run with `slim` that `init: slim` starts from. Knows no torch."""

from __future__ import annotations

from dataclasses import replace

from stylize_core.settings.recipes import DEFAULTS, RECIPES
from stylize_core.settings.style import StyleSettings

SKETCH_STEPS = 100
"""Evaluations by `slim`, each of which costs an eighth to a sixteenth of one by a full VGG."""

LONGEST_HISTORY = 10
"""Curvature pairs that such a short run has a use for."""

# In the place of weights in other units: those of the recipe that presets of other programs lie on.
_OWN_WEIGHTS = {
    "content_weight": 1.0,
    "style_weight": RECIPES[1]["style_weight"],
    "range_weight": RECIPES[1]["range_weight"],
}


def sketch_of(settings: StyleSettings) -> StyleSettings:
    """The settings under which `slim` makes a picture for these to start from.

    Mode, size, colours, solver and margin are the same. Layers, sizes on the way and the form of the loss are
    `slim`'s own; so are the weights of the loss where these are in other units, but what has none has none.
    """
    weights = {} if settings.loss == "relative" else _OWN_WEIGHTS
    return replace(
        settings,
        encoder="slim",
        weights=None,
        content_layers=(),
        style_layers=(),
        pooling="average",
        init="auto",
        steps=SKETCH_STEPS,
        history=min(settings.history, LONGEST_HISTORY),
        scales=0,
        coarsest=DEFAULTS["coarsest"],
        average=0.0,
        plateau=0.0,
        snapshot_every=0,
        loss="relative",
        statistics="gram",
        tv_weight=0.0,
        diagonal_gain=DEFAULTS["diagonal_gain"],
        forms_gain=1.0,
        **{key: value for key, value in weights.items() if getattr(settings, key)},
    )
