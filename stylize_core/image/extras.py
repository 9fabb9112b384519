"""Libraries that are installed on demand only. Knows no torch, so that a plan can ask."""

from __future__ import annotations

import importlib.util

from stylize_core.errors import MissingExtra
from stylize_core.settings.picture import PictureSettings


def check_extras(settings: PictureSettings) -> None:
    """Refuse settings for which this installation lacks a library.

    Raises:
        MissingExtra: naming the setting and the command that installs what is missing.
    """
    if settings.animation == "mp4" and importlib.util.find_spec("av") is None:
        advice = "run: pip install av (the extra `mp4` of this package), or use gif or webp"
        raise MissingExtra(f"`animation: mp4` needs PyAV, which is not installed; {advice}")
