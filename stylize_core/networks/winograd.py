"""3x3 convolutions with a quarter of the products: Winograd's minimal filtering, over rows and columns.

Winograd 1980; for networks Lavin and Gray 2015 (arXiv 1509.09308). A tile of 4x4 results needs 6x6 products
per pair of channels instead of 144: the 6x6 features below it and the kernel are both carried over to where
filtering is a product, with F(4, 3) over the columns and over the rows. All products of one place within the
tiles, for all tiles and channels, are one matrix product, which is what processors do best. What comes before
and after it, sums of a few features, are matrix products as well, with the same few numbers for all tiles and
channels: a pass over memory for the columns and one for the rows, where one addition after another takes a
dozen.

The places are the values of polynomials at some points. The usual ones, 0, ±1, ±2 and infinity, are meant for
float32; with NEAR and FAR instead of 1 and 2 bfloat16 rounds half as coarsely
(`tests/core/networks/test_winograd.py` holds it to that). They are each other's inverses, where a kernel that
is turned round has the same values: one kernel in memory serves the way forward and the way back. In bfloat16
only the products are: the sums before and after them are float32. It pays where channels are many: the sums
cost by the channel, the products by its square.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from copy import copy

import torch
from torch import Tensor

from stylize_core.device import multiplied_in

TILE = 4  # results in a row and in a column of a tile
REACH = TILE + 2  # features that they see
PLACES = REACH * REACH
# Points nearer to 1 are harder to tell apart, and powers of those farther from it are farther apart: in
# bfloat16 both round more coarsely.
NEAR = 0.65
FAR = 1 / NEAR
# The inverses of these and of infinity, which stands behind them, are the same in reverse.
POINTS = (0.0, NEAR, -NEAR, -FAR, FAR)
# So many tiles at a time: with fewer, kernels are read too often; more of them leave the cache in between.
TILES_AT_ONCE = 192
# Of so many channels at a time kernels are carried over, in float64.
CHANNELS = 16


def _kernel_places() -> Tensor:
    """The kernel's part of F(4, 3), [6, 3]: a polynomial's values, over the points.

    So the kernel turned round has them as well, each at the inverse.
    """
    rows = [[point**power / (abs(point) or 1) for power in range(3)] for point in POINTS]
    return torch.tensor([*rows, [0, 0, 1]], dtype=torch.float64)


def _feature_places() -> Tensor:
    """The features' part of F(4, 3), [6, 6]: for each point the polynomial that is 0 at all others."""
    rows = []
    for point in POINTS:
        others = [other for other in POINTS if other != point]
        share = (abs(point) or 1) / math.prod(point - other for other in others)
        rows.append([share * factor for factor in _coefficients(others)])
    return torch.tensor([*rows, _coefficients(POINTS)], dtype=torch.float64)


def _coefficients(zeros: Sequence[float]) -> list[float]:
    """Of the polynomial with these zeros, from the lowest power on, six of them."""
    found = [1.0]
    for zero in zeros:
        found = [low - zero * high for low, high in zip([0.0, *found], [*found, 0.0], strict=True)]
    return [*found, *[0.0] * (REACH - len(found))]


def _result_places() -> Tensor:
    """The results' part of F(4, 3), [4, 6]: powers of the points."""
    columns = [[point**power for power in range(TILE)] for point in POINTS]
    return torch.tensor([*columns, [0.0] * (TILE - 1) + [1.0]], dtype=torch.float64).t()


class Winograd:
    """A 3x3 convolution with zeros around the picture.

    Args:
        weight_kc33: the kernels.
        bias_k: added to every result; none if left out.
        dtype: number format of features and results; kernels are carried over in float64 and then rounded.
    """

    def __init__(self, weight_kc33: Tensor, bias_k: Tensor | None, *, dtype: torch.dtype) -> None:
        features, results = _feature_places(), _result_places()
        self._kernels = _carried_over(weight_kc33.cpu(), dtype)
        self._factors = multiplied_in(dtype, "cpu")
        self._sums_in = torch.promote_types(dtype, torch.float32)
        self._over, self._back = features.to(self._sums_in), results.to(self._sums_in)
        self._bias = None if bias_k is None else bias_k.to(dtype)

    def turned(self) -> Winograd:
        """What carries gradients back, with the same kernels in memory."""
        turned = copy(self)
        turned._kernels, turned._bias = self._kernels.mT, None
        turned._over, turned._back = self._over.flip(0), self._back.flip(1)
        return turned

    def __call__(self, features_bchw: Tensor) -> Tensor:
        """Results [B, K, H, W] of features [B, C, H, W], channels last."""
        batch, _, height, width = features_bchw.shape
        rows, columns = -(-height // TILE), -(-width // TILE)
        made_bhwk = features_bchw.new_empty(batch, TILE * rows, TILE * columns, self._kernels.shape[2])
        kernels = self._kernels.to(self._factors)
        for features, made in zip(features_bchw.permute(0, 2, 3, 1), made_bhwk, strict=True):
            self._filter(features, kernels, made)
        made_bkhw = made_bhwk[:, :height, :width].permute(0, 3, 1, 2)
        return made_bkhw.contiguous(memory_format=torch.channels_last)

    def _filter(self, features_hwc: Tensor, kernels: Tensor, made_hwk: Tensor) -> None:
        """Fill in the results of one picture, a strip of tiles at a time."""
        rows, columns = made_hwk.shape[0] // TILE, made_hwk.shape[1] // TILE
        at_once = min(rows, -(-TILES_AT_ONCE // columns))
        room = _Room(PLACES * at_once * columns * max(kernels.shape[1:]), self._sums_in)
        padded = features_hwc.new_zeros(TILE * at_once + 2, TILE * columns + 2, features_hwc.shape[2])
        for first, last in _strips(rows, at_once):
            _lay(features_hwc, TILE * first - 1, TILE * last + 1, within=padded)
            found = self._filter_tiles(_tiles(padded, last - first, columns), kernels, room)
            made = made_hwk[TILE * first : TILE * last].view(last - first, TILE, columns, TILE, -1)
            if self._bias is None:
                made.copy_(found)
            else:
                torch.add(found, self._bias, out=made)

    def _filter_tiles(self, tiles: Tensor, kernels: Tensor, room: _Room) -> Tensor:
        """Results [rows, 4, columns, 4, K] of what tiles see, [6, 6, rows, columns, C]."""
        rows, columns, channels = tiles.shape[2:]
        count, made = rows * columns, kernels.shape[2]
        given = room.take(tiles.shape, self._sums_in).copy_(tiles)
        carried = room.held_as(self._kernels.dtype, self._through(self._over, given, room))
        carried = room.held_as(kernels.dtype, carried)
        products = room.take((PLACES, count, made), kernels.dtype)
        torch.bmm(carried.view(PLACES, count, channels), kernels, out=products)
        summands = room.held_as(self._sums_in, products).view(REACH, REACH, rows, columns, made)
        return self._through(self._back, summands, room).permute(2, 0, 3, 1, 4)

    @staticmethod
    def _through(places: Tensor, given: Tensor, room: _Room) -> Tensor:
        """Sums [M, M, ...] of what was taken last, [6, 6, ...], by `places` [M, 6]: over columns, then rows.

        One product for both would be a single pass over memory, with three times the arithmetic.
        """
        made, shape = len(places), given.shape[2:]
        rest = math.prod(shape)
        across = room.take((REACH, made, rest), given.dtype)
        torch.bmm(places.expand(REACH, made, REACH), given.view(REACH, REACH, rest), out=across)
        both = room.take((made, made * rest), given.dtype)
        return torch.mm(places, across.view(REACH, -1), out=both).view(made, made, *shape)


class _Room:
    """Two pieces of memory that take turns, so that each step reads one and writes the other.

    Fresh memory at every step would take time.

    Args:
        numbers: as many as are in the largest step.
        dtype: the widest number format of a step.
    """

    def __init__(self, numbers: int, dtype: torch.dtype) -> None:
        self._next, self._last = torch.empty(numbers, dtype=dtype), torch.empty(numbers, dtype=dtype)

    def take(self, shape: Sequence[int], dtype: torch.dtype) -> Tensor:
        """Room for such a tensor, in the piece that was not taken last."""
        self._next, self._last = self._last, self._next
        return self._last.view(dtype)[: math.prod(shape)].view(shape)

    def held_as(self, dtype: torch.dtype, taken: Tensor) -> Tensor:
        """What was taken last, in another number format."""
        return taken if taken.dtype == dtype else self.take(taken.shape, dtype).copy_(taken)


def _carried_over(weight_kc33: Tensor, dtype: torch.dtype) -> Tensor:
    """The kernels where filtering is a product, [36, C, K]."""
    over = torch.kron(_kernel_places(), _kernel_places())
    kernels = weight_kc33.permute(2, 3, 1, 0).flatten(0, 1)
    places = torch.empty(PLACES, *kernels.shape[1:], dtype=dtype)
    for made, given in zip(torch.split(places, CHANNELS, 1), torch.split(kernels, CHANNELS, 1), strict=True):
        made.copy_(torch.mm(over, given.flatten(1).double()).view_as(made))
    return places


def _lay(features_hwc: Tensor, top: int, bottom: int, *, within: Tensor) -> None:
    """Lay rows, of which those outside the picture are zeros, from the second column on within zeros."""
    seen = features_hwc[max(0, top) : bottom]
    above, below = max(0, -top), max(0, -top) + len(seen)
    within[:above].zero_()
    within[above:below, 1 : seen.shape[1] + 1] = seen
    within[below : bottom - top].zero_()


def _strips(rows: int, most: int) -> Iterator[tuple[int, int]]:
    for first in range(0, rows, most):
        yield first, min(first + most, rows)


def _tiles(padded_hwc: Tensor, rows: int, columns: int) -> Tensor:
    """What each tile of a strip sees, [6, 6, rows, columns, C], as a view."""
    down, across, channel = padded_hwc.stride()
    strides = (down, across, TILE * down, TILE * across, channel)
    return padded_hwc.as_strided((REACH, REACH, rows, columns, padded_hwc.shape[2]), strides)
