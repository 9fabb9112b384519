"""The defaults that may change as better ones are found, by number. Knows no torch.

docs/looks.md says how the newest were chosen. An older number keeps the look of work that has begun.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from stylize_core.architecture import DEFAULT_ENCODER

Recipe = Literal[1, 2, 3]

RECIPES: Mapping[int, Mapping[str, Any]] = {
    1: {"coarsest": 256, "style_weight": 100.0, "range_weight": 100.0, "diagonal_gain": 1.0},
    2: {"coarsest": 0, "style_weight": 1000.0, "range_weight": 1000.0, "diagonal_gain": 0.0},
    3: {"coarsest": 0, "style_weight": 1000.0, "range_weight": 1000.0, "diagonal_gain": 0.0},
}
"""The settings that differ between recipes, whatever the encoder."""

_THREE_BLOCKS = ("relu1_1", "relu2_1", "relu3_1", "relu3_2", "relu3_3", "relu3_4")

ONCE_OWN: Mapping[int, Mapping[str, Mapping[str, Any]]] = {
    1: {"slim": {"style_layers": _THREE_BLOCKS}},
    2: {"slim": {"style_layers": _THREE_BLOCKS, "diagonal_gain": 1.5}},
    3: {},
}
"""What was an encoder's own under a recipe, where it is another today."""

NEWEST: Recipe = 3
DEFAULTS: Mapping[str, Any] = RECIPES[NEWEST]
"""What settings have that nobody has set."""

UNSPOKEN: Mapping[str, Any] = RECIPES[1]
"""What identities leave out where it decides: they were there before recipes were."""


def defaults_of(recipe: int, encoder: str = DEFAULT_ENCODER) -> dict[str, Any]:
    """All that a recipe says for an encoder, as settings.

    >>> defaults_of(1, "vgg19")["coarsest"]
    256
    >>> len(defaults_of(2, "slim")["style_layers"])
    6
    """
    return {**RECIPES[recipe], **ONCE_OWN[recipe].get(encoder, {})}
