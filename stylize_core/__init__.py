"""The art: Gatys, Ecker and Bethge's style transfer on image tensors, without any knowledge of batches.

Names are loaded when they are first used, so that settings and errors cost no torch import.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stylize_core.errors import SettingsError as SettingsError
    from stylize_core.errors import StylizeError as StylizeError
    from stylize_core.image.decode import Picture as Picture
    from stylize_core.image.decode import decode_picture as decode_picture
    from stylize_core.image.encode import encode_picture as encode_picture
    from stylize_core.networks.encoder import Encoder as Encoder
    from stylize_core.networks.weights import Weights as Weights
    from stylize_core.networks.weights import builtin_weights as builtin_weights
    from stylize_core.networks.weights import published_weights as published_weights
    from stylize_core.networks.weights import weights_from_bytes as weights_from_bytes
    from stylize_core.settings.picture import PictureSettings as PictureSettings
    from stylize_core.settings.style import StyleSettings as StyleSettings
    from stylize_core.transfer import Stylized as Stylized
    from stylize_core.transfer import stylize as stylize

_HOMES = {
    "Encoder": "networks.encoder",
    "Picture": "image.decode",
    "PictureSettings": "settings.picture",
    "SettingsError": "errors",
    "StyleSettings": "settings.style",
    "StylizeError": "errors",
    "Stylized": "transfer",
    "Weights": "networks.weights",
    "builtin_weights": "networks.weights",
    "decode_picture": "image.decode",
    "encode_picture": "image.encode",
    "published_weights": "networks.weights",
    "stylize": "transfer",
    "weights_from_bytes": "networks.weights",
}
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> object:
    """Load a public name from its module on first use."""
    if name not in _HOMES:
        raise AttributeError(f"module 'stylize_core' has no attribute {name!r}")
    return getattr(import_module(f"stylize_core.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
