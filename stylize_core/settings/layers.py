"""Which layers settings name and with which weights, and which settings a mode has no use for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction

from stylize_core.architecture import channel_count, in_words, layer_names
from stylize_core.errors import SettingsError
from stylize_core.settings.fields import check_number

Layers = Mapping[str, float] | Sequence[str]

_CHANNEL = re.compile(r":(0|[1-9][0-9]{0,3})\Z", re.ASCII)

_DREAM = frozenset({"dream_layers", "dream_rate", "octaves", "octave_scale", "jitter"})
_STYLE = frozenset({"style_weight", "style_layers", "statistics"})
_CONTENT = frozenset({"content_weight", "content_layers"})
_SOLVER = frozenset(
    {"loss", "optimizer", "learning_rate", "average", "history", "range_weight", "pooling", "plateau"}
)
UNUSED: Mapping[str, frozenset[str]] = {
    "transfer": _DREAM,
    "content": _DREAM | _STYLE,
    "texture": _DREAM | _CONTENT,
    "dream": _STYLE | _CONTENT | _SOLVER,
}
"""What has no part in the pictures of a mode, nor in their identity."""


def check_layers(key: str, layers: Layers, encoder: str, *, channels: bool = False) -> None:
    """Refuse names that the encoder does not have, and weights that are none.

    Args:
        channels: whether a name may end in the number of a channel, as `relu3_1:17` does.

    Raises:
        SettingsError: naming `key`.
    """
    known = layer_names(encoder)
    for name in layers:
        layer = _CHANNEL.sub("", name) if channels else name
        if layer not in known:
            numbered = "; channels have whole numbers from 0 on" if channels and layer.count(":") else ""
            raise SettingsError(key, name, f"{encoder} has {in_words(known)}{numbered}")
    if not isinstance(layers, Mapping) and len(set(layers)) != len(layers):
        raise SettingsError(key, list(layers), "each layer may stand once")
    for name, weight in dict(layers).items() if isinstance(layers, Mapping) else ():
        check_number(f"{key}.{name}", weight, float, {"gt": 0, "le": 1e15})


def check_channels(key: str, layers: Iterable[str], encoder: str) -> None:
    """Refuse channels that a layer does not have with the published or built-in weights.

    Raises:
        SettingsError: naming `key`.
    """
    for name in layers:
        layer, _, channel = name.partition(":")
        if channel and int(channel) >= (count := channel_count(encoder, layer)):
            raise SettingsError(key, name, f"{layer} has the channels 0 to {count - 1}")


def normalised(layers: Layers) -> dict[str, float]:
    """Weights that sum to 1, by name; exact up to one rounding, so that no order of layers can be told."""
    if not isinstance(layers, Mapping):
        return dict.fromkeys(sorted(layers), 1 / len(layers))
    total = sum(map(Fraction, layers.values()))
    return {name: float(Fraction(weight) / total) for name, weight in sorted(layers.items())}
