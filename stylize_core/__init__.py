"""The art: Gatys, Ecker and Bethge's style transfer on image tensors, without any knowledge of batches.

Names are loaded when they are first used, so that settings and errors cost no torch import.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stylize_core.errors import StylizeError as StylizeError
    from stylize_core.networks.encoder import Encoder as Encoder
    from stylize_core.settings.picture import PictureSettings as PictureSettings
    from stylize_core.settings.style import StyleSettings as StyleSettings
    from stylize_core.transfer import Stylized as Stylized
    from stylize_core.transfer import stylize as stylize

_HOMES = {
    "Encoder": "networks.encoder",
    "PictureSettings": "settings.picture",
    "StyleSettings": "settings.style",
    "Stylized": "transfer",
    "StylizeError": "errors",
    "stylize": "transfer",
}
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> object:
    """Load a public name from its module on first use."""
    if name not in _HOMES:
        raise AttributeError(f"module 'stylize_core' has no attribute {name!r}")
    return getattr(import_module(f"stylize_core.{_HOMES[name]}"), name)
