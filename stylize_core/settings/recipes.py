"""The defaults that may change as better ones are found, by number. Knows no torch.

docs/looks.md says how the newest were chosen. An older number keeps the look of work that has begun.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

Recipe = Literal[1, 2]

RECIPES: Mapping[int, Mapping[str, Any]] = {
    1: {"coarsest": 256, "style_weight": 100.0, "range_weight": 100.0, "diagonal_gain": 1.0},
    2: {"coarsest": 0, "style_weight": 1000.0, "range_weight": 1000.0, "diagonal_gain": 0.0},
}
"""The settings that differ between recipes."""

NEWEST: Recipe = 2
DEFAULTS: Mapping[str, Any] = RECIPES[NEWEST]
"""What settings have that nobody has set."""

UNSPOKEN: Mapping[str, Any] = RECIPES[1]
"""What identities leave out where it decides: they were there before recipes were."""
