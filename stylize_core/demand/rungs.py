"""Ways to make a picture in less memory, one below the other. Knows no torch."""

from __future__ import annotations

from dataclasses import dataclass, replace

from stylize_core.sections import SMALLEST_TILE_PX
from stylize_core.settings.style import StyleSettings


@dataclass(frozen=True, slots=True)
class Rung:
    """How much of a picture is in memory at a time. The picture is the same, within rounding or nearly so.

    Attributes:
        tile_px: longest side of the tiles that the network sees it in; 0: all of it at once.
        history: so many curvature pairs at most are remembered.
    """

    tile_px: int = 0
    history: int = 100

    def settings(self, settings: StyleSettings) -> StyleSettings:
        """What is computed for a pair with these settings."""
        return replace(settings, history=min(settings.history, self.history))

    def words(self) -> str:
        """What is done, for people.

        >>> Rung(512, 4).words()
        'in tiles of 512 px, with a history of 4'
        """
        tiles = f"in tiles of {self.tile_px} px" if self.tile_px else "as a whole"
        return f"{tiles}, with a history of {self.history}" if self.history < WHOLE.history else tiles


WHOLE = Rung()

LADDER = (
    WHOLE,
    Rung(1024),
    Rung(512),
    Rung(512, history=4),
    Rung(512, history=1),
    Rung(SMALLEST_TILE_PX, history=1),
)
"""From the fastest to the one that takes least."""
