"""What polygons of the town are made of, by number, and the block that most things begin with."""

from collections.abc import Sequence

import numpy as np

from artwork.contents.raster import Mesh
from artwork.noise import Array

PLASTER, ROOF, GLASS, PAINT, STONE, LEAF, CLOTH = range(7)


# Front, top, left and right of a block: for every corner and axis, whether it is the low or the high end.
_FACES = np.array(
    [
        [[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]],
        [[0, 1, 0], [1, 1, 0], [1, 1, 1], [0, 1, 1]],
        [[0, 0, 0], [0, 1, 0], [0, 1, 1], [0, 0, 1]],
        [[1, 0, 0], [1, 1, 0], [1, 1, 1], [1, 0, 1]],
    ]
)


def box(mesh: Mesh, low: Sequence[float], high: Sequence[float], tone: Array, *, kind: int) -> None:
    """An upright block between two opposite corners, without its underside."""
    corners = np.array([low, high], np.float32)
    mesh.add(corners[_FACES, np.arange(3)], tone, kind=kind)
