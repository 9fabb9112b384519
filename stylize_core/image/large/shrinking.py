"""Pillow's Lanczos in bounded memory: strips of rows go in from the top, the smaller picture is what is kept.

The filter is that of Pillow's `resize` on float samples (Duchon, "Lanczos filtering in one and two
dimensions", 1979; a window of 3, widened by the scale): across by Pillow itself, strip by strip, then down
here. Sums are taken in float64, as Pillow takes them, so that both give the same picture but for the last bit
of a few values.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from stylize_core.image.opening import Array

_WINDOW = 3.0


class Shrinker:
    """Planes [C, H, W] on their way to [C, h, w].

    Args:
        old: width and height of what comes.
        new: width and height of what is kept; a side that stays as it is is not filtered.
    """

    def __init__(self, channels: int, *, old: tuple[int, int], new: tuple[int, int]) -> None:
        self._old, self._new = old, new
        self._kept = np.empty((channels, new[1], new[0]), np.float32)
        self._down = None if old[1] == new[1] else _windows(old[1], new[1])
        self._sums: NDArray[np.float64] = np.zeros((channels, 0, new[0]))
        self._came = self._done = 0

    def add(self, strip: Array) -> None:
        """Take in the next rows, float32 [C, rows, W]."""
        across = self._across(strip)
        top, self._came = self._came, self._came + strip.shape[1]
        if self._down is None:
            self._kept[:, top : self._came] = across
        else:
            self._add_down(across, top, self._down)

    def result(self) -> Array:
        """The smaller picture, float32 [C, h, w] in 0..1, once every row has come."""
        return np.clip(self._kept, 0, 1, out=self._kept)

    def _across(self, strip: Array) -> Array:
        if self._old[0] == self._new[0]:
            return strip
        channels, rows, width = strip.shape
        # The planes below one another, so that Pillow works its weights out once.
        stacked = Image.fromarray(np.ascontiguousarray(strip).reshape(channels * rows, width))
        shrunk = stacked.resize((self._new[0], channels * rows), Image.Resampling.LANCZOS)
        return np.asarray(shrunk).reshape(channels, rows, -1)

    def _add_down(self, across: Array, top: int, windows: _Windows) -> None:
        """Add the rows' part to every row of the result that has one; keep those that are complete."""
        last = int(np.searchsorted(windows.first, self._came))  # the first row that these say nothing of
        weights = windows.of(self._done, last, top, self._came)
        more = np.zeros((len(across), last - self._done - self._sums.shape[1], self._new[0]))
        sums = np.concatenate([self._sums, more], axis=1)
        # By no BLAS, whose threads and order of sums are other ones on every machine.
        sums += np.einsum("nr,crw->cnw", weights, across, dtype=np.float64)
        complete = int(np.searchsorted(windows.end, self._came, side="right")) - self._done
        self._kept[:, self._done : self._done + complete] = sums[:, :complete]
        self._sums, self._done = sums[:, complete:], self._done + complete


class _Windows:
    """Which rows of the old picture each row of the new one is made of, and with which weights."""

    def __init__(self, first: list[int], weights: list[NDArray[np.float64]]) -> None:
        self.first = np.array(first)
        self.end = self.first + np.array([len(one) for one in weights])
        self._weights = weights

    def of(self, new_from: int, new_to: int, old_from: int, old_to: int) -> NDArray[np.float64]:
        """The weights [new, old] of some old rows in some new ones."""
        found: NDArray[Any] = np.zeros((new_to - new_from, old_to - old_from))
        for row in range(new_from, new_to):
            start, stop = max(old_from, self.first[row]), min(old_to, self.end[row])
            if start < stop:
                mine = self._weights[row][start - self.first[row] : stop - self.first[row]]
                found[row - new_from, start - old_from : stop - old_from] = mine
        return found


def _windows(old: int, new: int) -> _Windows:
    scale = old / new
    widened = max(scale, 1.0)
    firsts, weights = [], []
    for row in range(new):
        centre = (row + 0.5) * scale
        first = max(0, int(centre - _WINDOW * widened + 0.5))
        end = min(old, int(centre + _WINDOW * widened + 0.5))
        values = _lanczos((np.arange(first, end) - centre + 0.5) / widened)
        firsts.append(first)
        weights.append(values / values.sum())
    return _Windows(firsts, weights)


def _lanczos(x: NDArray[Any]) -> NDArray[Any]:
    return np.where(np.abs(x) < _WINDOW, np.sinc(x) * np.sinc(x / _WINDOW), 0.0)
