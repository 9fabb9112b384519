"""What the settings of one picture must not say together."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from stylize_core.errors import SettingsError
from stylize_core.settings.layers import check_channels, check_layers

if TYPE_CHECKING:
    from stylize_core.settings.style import StyleSettings

_ASPECT = re.compile(r"([1-9][0-9]{0,4}):([1-9][0-9]{0,4})", re.ASCII)

MOST_SNAPSHOTS = 1000
"""So many pictures of one optimisation are evolution enough; more are a mistake in the manifest."""


def check_style(settings: StyleSettings) -> None:
    """Hold settings whose fields are sound one by one against each other.

    Raises:
        SettingsError: naming the first key whose value does not go with the others.
    """
    _check_layers(settings)
    _check_mode(settings)
    _check_start(settings)
    _check_size(settings)
    _check_aspect(settings.aspect, settings.mode)
    _check_steps(settings)


def _check_layers(settings: StyleSettings) -> None:
    for key in ("content_layers", "style_layers"):
        check_layers(key, getattr(settings, key), settings.encoder)
    if settings.encoder == "googlenet" and settings.weights and settings.weights.convention != "torchvision":
        named = settings.weights.convention
        raise SettingsError("weights.convention", named, "googlenet is read as torchvision publishes it")
    check_layers("dream_layers", settings.dream_layers, settings.encoder, channels=True)
    if settings.weights is None:
        check_channels("dream_layers", settings.dream_layers, settings.encoder)


def _check_mode(settings: StyleSettings) -> None:
    if settings.mode == "dream" and settings.colour == "match":
        raise SettingsError("colour", "match", "a dream has no style whose colours could be matched")
    if settings.mode != "dream" and not (settings.uses_content or settings.uses_style or settings.tv_weight):
        key = "content_weight" if settings.mode == "content" else "style_weight"
        raise SettingsError(key, 0, "at least one weight must be above 0")


def _check_start(settings: StyleSettings) -> None:
    """The short run before is by another network, and of a style."""
    if settings.init != "slim":
        return
    if settings.encoder == "slim":
        advice = "`encoder: slim` makes that picture itself; name a larger encoder, or leave `init` out"
        raise SettingsError("init", "slim", advice)
    if not settings.uses_style:
        of_mode = settings.mode in ("content", "dream")
        why = f"`mode: {settings.mode}` has none" if of_mode else "`style_weight` is 0"
        raise SettingsError("init", "slim", f"it begins with a style, and {why}; leave `init` out")


def _check_size(settings: StyleSettings) -> None:
    if settings.megapixels and settings.size == "original":
        raise SettingsError("megapixels", settings.megapixels, "`size: original` decides; give one of them")


def _check_steps(settings: StyleSettings) -> None:
    if settings.average and settings.optimizer == "lbfgs":
        advice = "L-BFGS keeps its best point; averages need `optimizer: adam` or `gd`"
        raise SettingsError("average", settings.average, advice)
    if settings.snapshot_every and settings.steps // settings.snapshot_every > MOST_SNAPSHOTS:
        advice = f"at most {MOST_SNAPSHOTS} fit; with {settings.steps} steps it must be at least"
        least = -(-settings.steps // MOST_SNAPSHOTS)
        raise SettingsError("snapshot_every", settings.snapshot_every, f"{advice} {least}")


def _check_aspect(aspect: Any, mode: str) -> None:
    """Nothing, or two whole numbers like 3:2, for a texture only."""
    expected = "it must be width:height in whole numbers, such as 3:2, and not beyond 16:1 or 1:16"
    parts = _ASPECT.fullmatch(aspect) if isinstance(aspect, str) else None
    if aspect != "" and (parts is None or not 1 / 16 <= int(parts[1]) / int(parts[2]) <= 16):
        raise SettingsError("aspect", aspect, expected)
    if aspect and mode != "texture":
        raise SettingsError("aspect", aspect, "only `mode: texture` takes one")
