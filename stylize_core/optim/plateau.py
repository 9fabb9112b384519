"""When a picture is ready before its steps are used up: nothing that an eye could see changes any more."""

from __future__ import annotations

import torch
from torch import Tensor

WINDOW = 50
"""Evaluations between two looks at a picture; a solver may well rest for some."""

LEVELS = 255
"""Steps of a pixel from black to white, 8 bits per channel."""


class Plateau:
    """Compares each row with itself as it was a window ago.

    Args:
        least: root mean square change, in steps of 8 bits, below which a row is still; 0: no row ever is.
        start_bn: the rows at the start.
    """

    def __init__(self, least: float, start_bn: Tensor) -> None:
        self._least = least
        self._before = start_bn.clone() if least else start_bn

    def reached(self, step: int, best_bn: Tensor) -> Tensor:
        """Which rows, [B], have been still since the last look; none between looks.

        Args:
            step: evaluations since the start.
            best_bn: the rows now.
        """
        if not self._least or step % WINDOW:
            return torch.zeros(len(best_bn), dtype=torch.bool, device=best_bn.device)
        change = LEVELS * (best_bn - self._before).square().mean(1).sqrt()
        self._before = best_bn.clone()
        return change < self._least

    def keep(self, rows: Tensor) -> None:
        """Go on with these rows only."""
        self._before = self._before[rows]
