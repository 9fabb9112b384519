"""What settings of a manifest, of a style and of a pair add up to."""

from __future__ import annotations

from collections.abc import Mapping

from flows.manifest.model import Manifest
from flows.manifest.settings import BuiltSettings, build
from flows.model.sweep import add_up


def resolve_settings(manifest: Manifest, *layers: Mapping[str, object]) -> BuiltSettings:
    """The manifest's defaults with `layers` over them, first the style's, then the pair's."""
    return build(add_up((manifest.settings, {}), *((layer, {}) for layer in layers))[0])
