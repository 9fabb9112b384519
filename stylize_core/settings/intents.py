"""Presets by intent: what somebody wants of a picture, as settings. Knows no torch.

docs/presets.md says what each is for and what was seen. `stylize explore` shows those that change the look.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stylize_core.settings.recipes import RECIPES

# What a preset gives stays as it was when it was released, whatever our defaults become.
_GROUND = RECIPES[2]


def _styled(weight: float, **others: float) -> Mapping[str, Any]:
    """So much style, and so much to hold the pixels in their range against it."""
    return {**_GROUND, "style_weight": weight, "range_weight": weight, **others}


LOOKS: Mapping[str, Mapping[str, Any]] = {
    "subtle": _styled(100.0),
    "painting": _GROUND,
    "bold": _styled(5000.0, style_scale=2.0),
    "texture-heavy": _styled(50_000.0),
}
"""How much of the style a picture takes and how large its strokes are, for every encoder and size."""

EFFORTS: Mapping[str, Mapping[str, Any]] = {
    "draft": {**_GROUND, "encoder": "slim", "size": 256, "steps": 60},
    "final": {**_GROUND, "encoder": "vgg19", "size": 1024, "steps": 500, "history": 20},
}
"""How much time a picture takes, with the look of `painting`."""

INTENTS: Mapping[str, Mapping[str, Any]] = {**LOOKS, **EFFORTS}
