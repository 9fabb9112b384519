"""3x3 convolutions with a fifth or a quarter of the products, by Winograd's filtering over rows and columns.

For networks by Lavin and Gray 2015 (arXiv 1509.09308). A tile of 6x6 results needs 8x8 products per pair of
channels instead of 324: the 8x8 features below it and the kernel are both carried over to where filtering is
a product, with F(6, 3) over the columns and over the rows (`minimal_filtering`). All products of one place
within the tiles, for all tiles and channels, are one matrix product, which is what processors do best. What
comes before and after it, sums of a few features, are matrix products as well, with the same few numbers for
all tiles and channels: a pass over memory for the columns and one for the rows, where one addition after
another takes a dozen.

In bfloat16 only the products are: the sums before and after them are float32. Tiles are of 4x4 results there,
by points nearer to 1, which round less. It pays where channels are many: the sums cost by the channel, the
products by its square.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from copy import copy

import torch
from torch import Tensor

from stylize_core.architecture import winograd_tile
from stylize_core.device import multiplied_in
from stylize_core.networks.minimal_filtering import minimal_filtering

# So many tiles at a time: with fewer, kernels are read too often; more of them leave the cache in between.
TILES_AT_ONCE = 160
# Of so many channels at a time kernels are carried over, in float64.
CHANNELS = 16


class Winograd:
    """A 3x3 convolution with zeros around the picture.

    Args:
        weight_kc33: the kernels.
        bias_k: added to every result; none if left out.
        dtype: number format of features and results; kernels are carried over in float64 and then rounded.
    """

    def __init__(self, weight_kc33: Tensor, bias_k: Tensor | None, *, dtype: torch.dtype) -> None:
        self._by = minimal_filtering(winograd_tile(dtype.itemsize))
        self._kernels = _carried_over(self._by.kernel, weight_kc33.cpu(), dtype)
        self._factors = multiplied_in(dtype, "cpu")
        self._sums_in = torch.promote_types(dtype, torch.float32)
        self._bias = None if bias_k is None else bias_k.to(dtype)

    def turned(self) -> Winograd:
        """What carries gradients back, with the same kernels in memory: see `minimal_filtering`."""
        turned = copy(self)
        turned._by, turned._kernels, turned._bias = self._by.turned(), self._kernels.mT, None
        return turned

    def __call__(self, features_bchw: Tensor) -> Tensor:
        """Results [B, K, H, W] of features [B, C, H, W], channels last."""
        batch, _, height, width = features_bchw.shape
        made_bhwk = features_bchw.new_empty(batch, height, width, self._kernels.shape[2])
        kernels = self._kernels.to(self._factors)
        for features, made in zip(features_bchw.permute(0, 2, 3, 1), made_bhwk, strict=True):
            self._filter(features, kernels, made)
        return made_bhwk.permute(0, 3, 1, 2)

    def _filter(self, features_hwc: Tensor, kernels: Tensor, made_hwk: Tensor) -> None:
        """Fill in the results of one picture, a strip of tiles at a time."""
        places, (tile, reach) = len(kernels), self._by.results.shape
        rows, columns = (-(-side // tile) for side in made_hwk.shape[:2])
        at_once = min(rows, -(-TILES_AT_ONCE // columns))
        room = _Room(places * at_once * columns * max(kernels.shape[1:]), self._sums_in)
        more = reach - tile
        padded = features_hwc.new_zeros(tile * at_once + more, tile * columns + more, features_hwc.shape[2])
        for first, last in _strips(rows, at_once):
            _lay(features_hwc, tile * first - 1, tile * last + 1, within=padded)
            tiles = _tiles(padded, tile, reach, last - first, columns)
            found = self._filter_tiles(tiles, kernels, room)
            self._put(found, made_hwk[tile * first : tile * last])

    def _filter_tiles(self, tiles: Tensor, kernels: Tensor, room: _Room) -> Tensor:
        """Results [rows, m, columns, m, K] of what tiles see, [m + 2, m + 2, rows, columns, C]."""
        places, channels, made = kernels.shape
        shape = (*tiles.shape[:-1], made)
        given = room.take(tiles.shape, self._sums_in).copy_(tiles)
        carried = room.held_as(self._kernels.dtype, self._through(self._by.features, given, room))
        carried = room.held_as(kernels.dtype, carried).view(places, -1, channels)
        products = torch.bmm(carried, kernels, out=room.take((*carried.shape[:2], made), kernels.dtype))
        summands = room.held_as(self._sums_in, products).view(shape)
        return self._through(self._by.results, summands, room).permute(2, 0, 3, 1, 4)

    @staticmethod
    def _through(matrix: Tensor, given: Tensor, room: _Room) -> Tensor:
        """Sums [M, M, ...] of what was taken last, [N, N, ...], by a matrix [M, N]: over columns, then rows.

        One product for both would be a single pass over memory, with three times the arithmetic.
        """
        (made, reach), shape = matrix.shape, given.shape[2:]
        rest, places = math.prod(shape), matrix.to(given.dtype)
        across = room.take((reach, made, rest), given.dtype)
        torch.bmm(places.expand(reach, made, reach), given.view(reach, reach, rest), out=across)
        both = room.take((made, made * rest), given.dtype)
        return torch.mm(places, across.view(reach, -1), out=both).view(made, made, *shape)

    def _put(self, found: Tensor, made_hwk: Tensor) -> None:
        """Fill in the results [rows, m, columns, m, K] of tiles, as far as they lie in the picture."""
        tile = found.shape[1]
        for rows, down, high in _cut(made_hwk.shape[0], tile):
            for columns, across, wide in _cut(made_hwk.shape[1], tile):
                part = torch.unflatten(made_hwk[rows, columns], 0, (-1, high))
                part = torch.unflatten(part, 2, (-1, wide))
                own = found[down, :high, across, :wide]
                if self._bias is None:
                    part.copy_(own)
                else:
                    torch.add(own, self._bias, out=part)


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


def _carried_over(kernel_places: Tensor, weight_kc33: Tensor, dtype: torch.dtype) -> Tensor:
    """The kernels where filtering is a product, [(m + 2)², C, K]."""
    over = torch.kron(kernel_places, kernel_places)
    kernels = weight_kc33.permute(2, 3, 1, 0).flatten(0, 1)
    places = torch.empty(len(over), *kernels.shape[1:], dtype=dtype)
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


def _tiles(padded_hwc: Tensor, tile: int, reach: int, rows: int, columns: int) -> Tensor:
    """What each tile of a strip sees, [reach, reach, rows, columns, C], as a view."""
    down, across, channel = padded_hwc.stride()
    strides = (down, across, tile * down, tile * across, channel)
    return padded_hwc.as_strided((reach, reach, rows, columns, padded_hwc.shape[2]), strides)


def _cut(side: int, tile: int) -> Iterator[tuple[slice, slice, int]]:
    """The whole tiles of a side, then what there is of the last: their results, they, results in each."""
    whole = side // tile
    if whole:
        yield slice(0, whole * tile), slice(0, whole), tile
    if side % tile:
        yield slice(whole * tile, side), slice(whole, whole + 1), side % tile
