"""What settings mean that leave something to the encoder, the mode or the picture's size."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

from stylize_core.architecture import COARSEST_PX, DIAGONAL_GAIN, layer_names, least_side
from stylize_core.settings.schedule import Stage, automatic_stages, stages

if TYPE_CHECKING:
    from stylize_core.settings.style import StyleSettings

Start = Literal["content", "noise", "style", "slim", "image"]
"""What the optimisation starts from."""

SIDE_PER_MARGIN = 24
"""How many times as long as its margin a picture's shorter side is at least."""

SMALLEST_OCTAVE = 32
"""Shorter side, px, below which a network sees too little for an octave to be worth its steps."""


def start_of(settings: StyleSettings) -> Start:
    """What `init` means in this mode."""
    if settings.init == "auto":
        return "content" if settings.mode in ("transfer", "dream") else "noise"
    return settings.init


def margin_of(settings: StyleSettings, *, width: int, height: int, least: int) -> int:
    """How many px around a picture of those sides, px, are optimised with it and cut off at the end.

    At most a share of the shorter side, lest what is cut off decides the statistics, but all that it lacks.
    """
    shorter = min(width, height)
    lacking = lacking_margin(width=width, height=height, least=least)
    return max(min(settings.margin, shorter // SIDE_PER_MARGIN), lacking)


def lacking_margin(*, width: int, height: int, least: int) -> int:
    """How many px a picture lacks on each side of the `least` that its network needs, none for most.

    None as well where its reflection, which is what stands in the margin, has too few.

    >>> [lacking_margin(width=192, height=height, least=8) for height in (3, 4, 7, 8)]
    [0, 2, 1, 0]
    """
    shorter = min(width, height)
    lacking = max(0, math.ceil((least - shorter) / 2))
    return lacking if lacking < shorter else 0


def stages_of(settings: StyleSettings, long_edge: int) -> tuple[Stage, ...]:
    """The sizes at which a picture of that long edge is optimised, from coarse to fine."""
    if settings.mode == "dream":  # has octaves of its own
        return stages(1, settings.steps)
    if not settings.chooses_sizes:
        return stages(settings.scales or 1, settings.steps)
    own = COARSEST_PX[settings.encoder]
    return automatic_stages(long_edge, settings.steps, coarsest=settings.coarsest, own=own)


def stages_seen(settings: StyleSettings, *, width: int, height: int, least: int) -> tuple[Stage, ...]:
    """The same without the smaller sizes that are below `least` px a side, where the network sees nothing."""
    found = stages_of(settings, max(width, height))
    while len(found) > 1 and min(width, height) * found[0].share < least:
        found = stages(len(found) - 1, settings.steps)
    return found


def octaves_of(settings: StyleSettings, *, width: int, height: int, least: int) -> tuple[Stage, ...]:
    """The octaves of a dream, the smallest first, the picture's own last; the steps are shared evenly.

    Smaller ones whose shorter side is below `least` px are left out.
    """
    shares = [settings.octave_scale**-number for number in range(settings.octaves)]
    kept = [1.0, *(share for share in shares[1:] if round(min(width, height) * share) >= least)][::-1]
    ends, steps = [0], settings.steps
    for number in range(len(kept)):
        ends.append(ends[-1] + steps // len(kept) + (number < steps % len(kept)))
    return tuple(Stage(share, *bounds) for share, bounds in zip(kept, pairwise(ends), strict=True))


def wandering_of(settings: StyleSettings, *, width: int, height: int) -> tuple[int, int]:
    """How far a dream of those sides is shifted at most, and how much is around it on the mean, px.

    All of it is the picture's own reflection, which has no more than it.

    >>> from stylize_core.settings.style import StyleSettings
    >>> wandering_of(StyleSettings(mode="dream", jitter=32, margin=8), width=100, height=50)
    (24, 25)
    """
    shorter = min(width, height)
    reach = min(settings.jitter, (shorter - 1) // 2)
    return reach, min(settings.margin + reach, shorter - 1 - reach)


def around_of(settings: StyleSettings, *, width: int, height: int) -> int:
    """How many px are around a picture of those sides, px, wherever its network sees it."""
    if settings.mode == "dream":
        return wandering_of(settings, width=width, height=height)[1]
    return margin_of(settings, width=width, height=height, least=least_side(settings.layers))


def diagonal_gain_of(settings: StyleSettings) -> float:
    """What `diagonal_gain` means for this encoder, solver and mode; 1 where it has no part."""
    if settings.mode not in ("transfer", "texture") or settings.optimizer != "lbfgs":
        return 1.0
    return settings.diagonal_gain or DIAGONAL_GAIN[settings.encoder]


def forms_gain_of(settings: StyleSettings) -> float:
    """What `forms_gain` means for this solver and mode; 1 where it has no part."""
    return settings.forms_gain if settings.mode != "dream" and settings.optimizer == "lbfgs" else 1.0


def whitened_of(settings: StyleSettings) -> float:
    """What `whitening` means for this solver, mode and these statistics; 0 where it has no part."""
    has_part = settings.uses_style and settings.optimizer == "lbfgs" and settings.statistics == "gram"
    return settings.whitening if has_part else 0.0


def layers_of(settings: StyleSettings) -> tuple[str, ...]:
    """Every layer that has a part in the loss, from the picture inwards."""
    used: set[str] = set()
    if settings.uses_content:
        used |= set(settings.content_layer_weights)
    if settings.uses_style:
        used |= set(settings.style_layer_weights)
    if settings.mode == "dream":
        used |= {name.partition(":")[0] for name in settings.dream_layer_weights}
    return tuple(name for name in layer_names(settings.encoder) if name in used)
