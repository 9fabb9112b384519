"""The art: Gatys, Ecker and Bethge's style transfer, without any knowledge of batches.

    from stylize_core import open_picture, save_picture, stylize
    made = stylize(open_picture("photo.jpg"), open_picture("painting.jpg"), size=512)
    save_picture(made, "made.png")

With `stylize_tensors`, `Encoder` and `Weights` programs bring tensors of their own, in batches. Everything
that is refused is a `StylizeError`; the tree of all stands in `stylize_core.errors`.

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
    from stylize_core.library.files import open_picture as open_picture
    from stylize_core.library.files import save_picture as save_picture
    from stylize_core.library.styling import stylize as stylize
    from stylize_core.networks.encoder import Encoder as Encoder
    from stylize_core.networks.weights import Weights as Weights
    from stylize_core.networks.weights import builtin_weights as builtin_weights
    from stylize_core.networks.weights import published_weights as published_weights
    from stylize_core.networks.weights import weights_from_bytes as weights_from_bytes
    from stylize_core.optim.watching import StepProgress as StepProgress
    from stylize_core.settings.picture import PictureSettings as PictureSettings
    from stylize_core.settings.style import StyleSettings as StyleSettings
    from stylize_core.transfer import Stylized as Stylized
    from stylize_core.transfer import stylize as stylize_tensors  # noqa: F401

_HOMES = {
    "Encoder": "networks.encoder.Encoder",
    "Picture": "image.decode.Picture",
    "PictureSettings": "settings.picture.PictureSettings",
    "SettingsError": "errors.SettingsError",
    "StepProgress": "optim.watching.StepProgress",
    "StyleSettings": "settings.style.StyleSettings",
    "StylizeError": "errors.StylizeError",
    "Stylized": "transfer.Stylized",
    "Weights": "networks.weights.Weights",
    "builtin_weights": "networks.weights.builtin_weights",
    "decode_picture": "image.decode.decode_picture",
    "encode_picture": "image.encode.encode_picture",
    "open_picture": "library.files.open_picture",
    "published_weights": "networks.weights.published_weights",
    "save_picture": "library.files.save_picture",
    "stylize": "library.styling.stylize",
    "stylize_tensors": "transfer.stylize",
    "weights_from_bytes": "networks.weights.weights_from_bytes",
}
"""Every public name, and what it stands for."""
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> object:
    """Load a public name from its module on first use."""
    if name not in _HOMES:
        raise AttributeError(f"module 'stylize_core' has no attribute {name!r}")
    module, _, meant = _HOMES[name].rpartition(".")
    return getattr(import_module(f"stylize_core.{module}"), meant)


def __dir__() -> list[str]:
    return __all__
