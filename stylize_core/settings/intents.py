"""Presets by intent: what somebody wants of a picture, as settings. Knows no torch.

docs/presets.md says what each is for and what was seen. `stylize explore` shows those that change the look.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# What a preset gives stays as it was when it was released, whatever our defaults become.
_GROUND: Mapping[str, Any] = {"recipe": 3}

LOOKS: Mapping[str, Mapping[str, Any]] = {
    "subtle": {**_GROUND, "coarsest": 64, "style_weight": 30.0},
    "painting": _GROUND,
    "bold": {**_GROUND, "style_weight": 3000.0, "range_weight": 3000.0, "style_scale": 2.0},
    "texture-heavy": {**_GROUND, "style_weight": 200.0, "init": "noise"},
}
"""How much a picture takes of its style, and how large; for every encoder and size."""

EFFORTS: Mapping[str, Mapping[str, Any]] = {
    "draft": {**_GROUND, "encoder": "slim", "size": 256, "steps": 80},
    "final": {**_GROUND, "encoder": "vgg19", "size": 1024, "steps": 500},
}
"""How much time a picture takes; their look is that of `painting`."""

INTENTS: Mapping[str, Mapping[str, Any]] = {**LOOKS, **EFFORTS}
