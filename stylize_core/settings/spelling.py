"""How the settings of one picture are spelled in its identity."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stylize_core.settings.fields import plain
from stylize_core.settings.layers import UNUSED
from stylize_core.settings.recipes import UNSPOKEN
from stylize_core.settings.resolved import diagonal_gain_of, forms_gain_of, whitened_of
from stylize_core.settings.schedule import stages

if TYPE_CHECKING:
    from stylize_core.settings.style import StyleSettings


def spelled(settings: StyleSettings) -> dict[str, Any]:
    """See `StyleSettings.canonical`."""
    diagonal, forms = diagonal_gain_of(settings), forms_gain_of(settings)
    found = plain(settings, leave_out="weights") | {
        "init": settings.start,
        "content_layers": settings.content_layer_weights,
        "style_layers": settings.style_layer_weights,
        "dream_layers": settings.dream_layer_weights,
        "pooling": settings.network_pooling,
        "scales": _scales(settings),
        "coarsest": _coarsest(settings),
        "diagonal_gain": None if diagonal == UNSPOKEN["diagonal_gain"] else float(diagonal),
        "forms_gain": None if forms == 1 else float(forms),
        "whitening": whitened_of(settings) or None,
    }
    unused = {*UNUSED[settings.mode], *(("size",) if settings.megapixels else ())}
    return {key: value for key, value in found.items() if key not in unused and value is not None}


def _scales(settings: StyleSettings) -> int | None:
    """At how many sizes it is optimised, or is asked for where only the content tells; None for the usual."""
    long_edge = settings.picture_size.known_px
    if long_edge is None:
        return settings.scales or None
    sizes = len(settings.stages(long_edge))
    return sizes if sizes > 1 else None


def _coarsest(settings: StyleSettings) -> int | None:
    """Where sizes begin, if that decides and how many there are does not tell; None for the usual."""
    if not settings.chooses_sizes:
        return None
    long_edge = settings.picture_size.known_px
    if long_edge is None:
        return None if settings.coarsest == UNSPOKEN["coarsest"] else settings.coarsest
    found = settings.stages(long_edge)
    return None if found == stages(len(found), settings.steps) else settings.coarsest
