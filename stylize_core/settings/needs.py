"""Which of its two pictures a result may do without, by its settings."""

from __future__ import annotations

from stylize_core.settings.style import StyleSettings


def lacking(settings: StyleSettings, *, content: bool, style: bool) -> str:
    """Why these settings cannot do with the pictures that there are; empty if they can.

    >>> lacking(StyleSettings(), content=True, style=False)
    '`mode: transfer` needs a style; add one, or set `mode: content`'
    >>> lacking(StyleSettings(mode="content"), content=True, style=False)
    ''
    """
    for role, there, why, instead in (
        ("content", content, _content_needed_by(settings), "texture"),
        ("style", style, _style_needed_by(settings), "content"),
    ):
        if why and not there:
            advice = f"set `mode: {instead}`" if why.startswith("mode") else "leave this setting out"
            return f"`{why}` needs a {role}; add one, or {advice}"
    return ""


def _content_needed_by(settings: StyleSettings) -> str:
    """The setting because of which there must be a content, such as `mode: transfer`; empty if none."""
    if settings.mode != "texture":
        return f"mode: {settings.mode}"
    if settings.start == "content":
        return "init: content"
    return "" if settings.colour == "style" else f"colour: {settings.colour}"


def _style_needed_by(settings: StyleSettings) -> str:
    """The setting because of which there must be a style; empty if none."""
    if settings.mode in ("transfer", "texture"):
        return f"mode: {settings.mode}"
    return "init: style" if settings.init == "style" else ""
