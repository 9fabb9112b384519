"""Which of its two pictures a pair may do without, by its settings."""

from __future__ import annotations

from flows.manifest.settings import build
from flows.manifest.sweep import Layer, variants
from stylize_core.settings.style import StyleSettings


def lacking(settings: StyleSettings, *, content: bool, style: bool) -> str:
    """Why these settings cannot do with the pictures that there are; empty if they can.

    >>> lacking(StyleSettings(), content=True, style=False)
    '`mode: transfer` needs a style; add one, or set `mode: content`'
    >>> lacking(StyleSettings(mode="content"), content=True, style=False)
    ''
    """
    for role, there, why, instead in (
        ("content", content, settings.content_needed_by, "texture"),
        ("style", style, settings.style_needed_by, "content"),
    ):
        if why and not there:
            advice = f"set `mode: {instead}`" if why.startswith("mode") else "leave this setting out"
            return f"`{why}` needs a {role}; add one, or {advice}"
    return ""


def first_lack(layers: tuple[Layer, ...], *, content: bool, style: bool) -> str:
    """The same for every variant of settings and sweeps that lie over one another, which are sound."""
    for settings, variant in variants(*layers):
        if reason := lacking(build(settings)[0], content=content, style=style):
            return f"{reason} (in the variant {variant.label})" if variant else reason
    return ""
