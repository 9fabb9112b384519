"""How surfaces of the still life take the light of a window, and what the glossy ones mirror."""

from dataclasses import dataclass

import numpy as np

from artwork.noise import Array
from artwork.tone import mix, smoothstep


@dataclass(frozen=True)
class Surface:
    """Per point: diffuse colour (n, 3), mirror strength, its sharpness 0..1, light let through (n, 3)."""

    albedo: Array
    mirror: Array
    sharp: Array
    through: Array


def shaded(
    surface: Surface, rays: Array, normal: Array, *, light: tuple[Array, Array], lit: Array, opened: Array
) -> Array:
    """Linear light (n, 3) sent to the eye: window, dim room, warm light off the table, reflections."""
    towards, strength = light
    cosine = normal @ towards
    wrap = np.clip(cosine, 0, 1) * lit
    room = mix(
        np.array([0.34, 0.28, 0.23], np.float32),
        np.array([0.62, 0.68, 0.78], np.float32),
        np.clip(0.5 - 0.6 * normal[:, 0] + 0.35 * normal[:, 1], 0, 1),
    )
    bounce = np.clip(-normal[:, 1], 0, 1)[:, None] * np.array([0.42, 0.28, 0.16], np.float32)
    diffuse = wrap[:, None] * strength + (room + bounce) * opened[:, None] * 0.72
    leak = (
        surface.through
        * (np.clip(-cosine, 0, 1) * 0.9 + 0.35)[:, None]
        * strength
        * (0.25 + 0.75 * lit)[:, None]
    )
    facing = np.clip(-(rays * normal).sum(-1), 0, 1)
    fresnel = surface.mirror + (1 - surface.mirror) * 0.75 * (1 - facing) ** 5 * np.minimum(
        surface.mirror * 20, 1
    )
    bent = rays + 2 * facing[:, None] * normal
    mirrored = (
        _surroundings(bent, surface.sharp)
        * (0.25 + 0.75 * np.maximum(lit, 0.6 * opened))[:, None]
        * opened[:, None] ** 0.5
    )
    return np.asarray(
        surface.albedo * diffuse + surface.albedo**0.5 * leak * 0.5 + mirrored * fresnel[:, None]
    )


def _surroundings(direction: Array, sharp: Array) -> Array:
    """The room as glossy things mirror it: dusk, a tall window of four panes at the left, a pale floor."""
    side, up = direction[:, 0] / (-direction[:, 2] + 1.3), direction[:, 1] / (-direction[:, 2] + 1.3)
    soft = 0.02 + 0.22 * (1 - sharp)
    u, v = (side + 0.46) / 0.15, (up - 0.36) / 0.24
    pane = smoothstep(1 + soft * 6, 1 - soft, np.abs(u)) * smoothstep(1 + soft * 6, 1 - soft, np.abs(v))
    bars = np.maximum(smoothstep(0.10 + soft, 0.06, np.abs(u)), smoothstep(0.07 + soft, 0.04, np.abs(v)))
    window = pane * (1 - bars * sharp) * (direction[:, 2] < 0.6)
    dusk = mix(
        np.array([0.10, 0.085, 0.07], np.float32),
        np.array([0.20, 0.22, 0.27], np.float32),
        np.clip(0.5 + direction[:, 1], 0, 1),
    )
    return dusk + window[:, None] * np.array([13.0, 12.4, 11.4], np.float32) * (0.25 + 0.75 * sharp)[:, None]
