"""Which pairs of a manifest lack one of their two pictures."""

from __future__ import annotations

from flows.manifest.settings import SettingsBuilder
from flows.model.sweep import Layer, variants
from stylize_core.settings.needs import lacking


def first_lack(layers: tuple[Layer, ...], builder: SettingsBuilder, *, content: bool, style: bool) -> str:
    """Why some variant of sound settings cannot do with the pictures that there are; empty if all can."""
    for settings, variant in variants(*layers):
        if reason := lacking(builder.build(settings).style, content=content, style=style):
            return f"{reason} (in the variant {variant.label})" if variant else reason
    return ""
