"""Settings written as a manifest has them, on one line."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict

from stylize_core.settings.weights_file import WeightsFile

_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")


def written(settings: Mapping[str, object]) -> str:
    """What may stand behind `settings:` in any manifest and is read as these settings again.

    Args:
        settings: by key, of the types that reading a manifest gives them.

    >>> written({"preset": "bold", "style_weight": 1e3, "init": "/a b.png", "style_layers": ("relu1_1",)})
    '{preset: bold, style_weight: 1000, init: "/a b.png", style_layers: [relu1_1]}'
    """
    return _value(settings)


def plain(value: object) -> object:
    """A setting's value as JSON has it."""
    if isinstance(value, WeightsFile):
        return asdict(value)
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, tuple) else value


def _value(value: object) -> str:
    if isinstance(value, WeightsFile):
        return _value(asdict(value))
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_value(key)}: {_value(item)}" for key, item in value.items()) + "}"
    if isinstance(value, tuple):
        return "[" + ", ".join(map(_value, value)) + "]"
    if isinstance(value, float):
        return repr(value).removesuffix(".0")
    if isinstance(value, str) and _WORD.fullmatch(value):
        return value
    return json.dumps(value, ensure_ascii=False)
