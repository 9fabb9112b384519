"""Leaves of the town: lumpy balls, and trees made of them."""

import numpy as np

from artwork.contents.blocks import LEAF, PAINT, box
from artwork.contents.raster import Mesh
from artwork.noise import Array
from artwork.tone import colour

_BARK = colour("#423d39")


def blob(
    mesh: Mesh,
    centre: tuple[float, float, float],
    radius: float,
    tone: Array,
    *,
    rng: np.random.Generator,
    rings: int = 5,
) -> None:
    """A lumpy ball of leaves."""
    turns = rings + 3
    theta = np.linspace(0, np.pi, rings + 1)[:, None]
    phi = np.linspace(0, 2 * np.pi, turns + 1)[None, :]
    lump = rng.uniform(0.8, 1.15, (rings + 1, turns + 1))
    lump[:, -1], lump[0], lump[-1] = lump[:, 0], 1, 1
    ball = np.stack([np.sin(theta) * np.cos(phi), np.cos(theta) + 0 * phi, np.sin(theta) * np.sin(phi)], -1)
    points = np.array(centre) + ball * (lump * radius)[..., None]
    quads = np.stack([points[:-1, :-1], points[:-1, 1:], points[1:, 1:], points[1:, :-1]], -2)
    mesh.add(quads.reshape(-1, 4, 3), tone, kind=LEAF)


def tree(mesh: Mesh, place: tuple[float, float, float], *, height: float, rng: np.random.Generator) -> None:
    """A round tree of several leaf balls, or a slim cypress."""
    x, y, z = place
    tone = colour(str(rng.choice(["#4a5f2c", "#5c6f33", "#3a5230", "#6d7a3c"]))) * rng.uniform(0.9, 1.1)
    if rng.uniform() < 0.3:
        for part in np.linspace(0.1, 1.0, 6):
            blob(
                mesh,
                (x, y + height * 1.3 * part, z),
                height * 0.17 * (1.15 - part),
                tone * 0.75,
                rng=rng,
                rings=5,
            )
        return
    box(mesh, (x - 0.12, y, z - 0.12), (x + 0.12, y + height * 0.6, z + 0.12), _BARK, kind=PAINT)
    for _ in range(6):
        shift = rng.normal(0, height * 0.2, 3) * (1, 0.6, 1)
        blob(
            mesh,
            (x + shift[0], y + height * 0.72 + shift[1], z + shift[2]),
            height * rng.uniform(0.2, 0.32),
            tone * rng.uniform(0.85, 1.15),
            rng=rng,
        )
