"""When a picture is ready before its steps are used up: nothing that an eye could see changes any more."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

WINDOW = 50
"""Evaluations between two looks at a picture; a solver may well rest for some."""

LEVELS = 255
"""Steps of a pixel from black to white, 8 bits per channel."""


@dataclass(init=False, eq=False)
class Plateau:
    """Compares each row with itself as it was a window ago.

    Attributes:
        before: [B, D], the rows at the last look; [B, 0] where none is ever looked at.

    Args:
        least: root mean square change, in steps of 8 bits, below which a row is still; 0: no row ever is.
        start_bn: the rows at the start.
    """

    least: float
    before: Tensor

    def __init__(self, least: float, start_bn: Tensor) -> None:
        self.least = least
        self.before = start_bn.clone() if least else start_bn.new_empty(len(start_bn), 0)

    def forget(self) -> None:
        """Count no row as still at the next look: it is about to move again."""
        self.before.fill_(torch.nan)

    def due(self, step: int) -> bool:
        """Whether there is a look after so many evaluations since the start."""
        return bool(self.least) and step % WINDOW == 0

    def reached(self, step: int, best_bn: Tensor) -> Tensor:
        """Which rows, [B], have been still since the last look; none between looks.

        Args:
            step: evaluations since the start.
            best_bn: the rows now.
        """
        if not self.due(step):
            return torch.zeros(len(best_bn), dtype=torch.bool, device=best_bn.device)
        change = LEVELS * (best_bn - self.before).square().mean(1).sqrt()
        self.before.copy_(best_bn)
        return change < self.least
