"""3x3 convolutions with a quarter of the products: Winograd's minimal filtering, over rows and columns.

Winograd 1980; for networks Lavin and Gray 2015 (arXiv 1509.09308). A tile of 4x4 results needs 6x6 products
per pair of channels instead of 144: the 6x6 features below it and the kernel are both carried over to where
filtering is a product, with F(4, 3) over the columns and over the rows. All products of one place within the
tiles, for all tiles and channels, are one matrix product, which is what processors do best; what comes before
and after it are sums of a few features.

The places are the values of polynomials at some points. The usual ones, 0, ±1, ±2 and infinity, are meant for
float32; with NEAR and FAR instead of 1 and 2 bfloat16 rounds by two fifths less
(`tests/core/networks/test_winograd.py` holds it to that). It pays where channels are many: the sums cost by
the channel, the products by its square.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

TILE = 4  # results in a row and in a column of a tile
REACH = TILE + 2  # features that they see
PLACES = REACH * REACH
# The points, beside 0 and infinity, at -NEAR, NEAR, -FAR and FAR.
NEAR, FAR = 5 / 8, 3 / 2
# So much of carried-over features at a time stays in the processor's cache.
STRIP_BYTES = 8 * 2**20


def _kernel_places() -> Tensor:
    """The kernel's part of F(4, 3), [6, 3]: a polynomial's values, over those that the features' part leaves.

    The places at ±NEAR are larger by NEAR and those at ±FAR by FAR² than they need be, which saves the
    results' part four multiplications.
    """
    near, far = NEAR**2, FAR**2
    rows = [[1 / (near * far), 0, 0]]
    for point, scale in ((NEAR, NEAR), (-NEAR, NEAR), (FAR, far), (-FAR, far)):
        other = far if abs(point) == NEAR else near
        share = scale / (2 * point**2 * (point**2 - other))
        rows.append([share, share * point, share * point**2])
    return torch.tensor([*rows, [0, 0, 1]], dtype=torch.float64)


class Winograd:
    """A 3x3 convolution with zeros around the picture.

    Args:
        weight_kc33: the kernels.
        bias_k: added to every result; none if left out.
        dtype: number format of features and results; kernels are carried over in float64 and then rounded.
    """

    def __init__(self, weight_kc33: Tensor, bias_k: Tensor | None, *, dtype: torch.dtype) -> None:
        over = _kernel_places()
        places = torch.einsum("pi,qj,kcij->qpck", over, over, weight_kc33.double().cpu())
        self._kernels = places.flatten(0, 1).to(dtype).contiguous()
        self._bias = None if bias_k is None else bias_k.to(dtype)

    def __call__(self, features_bchw: Tensor) -> Tensor:
        """Results [B, K, H, W] of features [B, C, H, W], channels last."""
        batch, _, height, width = features_bchw.shape
        rows, columns = -(-height // TILE), -(-width // TILE)
        padded_bhwc = _padded(features_bchw.permute(0, 2, 3, 1), TILE * rows + 2, TILE * columns + 2)
        made_bhwk = features_bchw.new_empty(batch, TILE * rows, TILE * columns, self._kernels.shape[2])
        for padded, made in zip(padded_bhwc, made_bhwk, strict=True):
            self._filter(padded, made)
        made_bkhw = made_bhwk[:, :height, :width].permute(0, 3, 1, 2)
        return made_bkhw.contiguous(memory_format=torch.channels_last)

    def _filter(self, padded_hwc: Tensor, made_hwk: Tensor) -> None:
        """Fill in the results of one picture, a strip of tiles at a time."""
        rows, columns = made_hwk.shape[0] // TILE, made_hwk.shape[1] // TILE
        row_bytes = PLACES * columns * padded_hwc.shape[2] * padded_hwc.element_size()
        for first, last in _strips(rows, max(1, STRIP_BYTES // row_bytes)):
            tiles = _carried_over(padded_hwc[TILE * first : TILE * last + 2], columns)
            products = torch.bmm(tiles.flatten(2, 3).flatten(0, 1), self._kernels)
            made = made_hwk[TILE * first : TILE * last]
            _carry_back(products.view(*tiles.shape[:4], -1), made)
            if self._bias is not None:
                made += self._bias


def _padded(features_bhwc: Tensor, high: int, wide: int) -> Tensor:
    """Features with a zero before the first row and column, and zeros up to so many rows and columns."""
    batch, height, width, channels = features_bhwc.shape
    padded = features_bhwc.new_empty(batch, high, wide, channels)
    padded[:, 1 : height + 1, 1 : width + 1] = features_bhwc
    for border in (padded[:, :1], padded[:, height + 1 :], padded[:, :, :1], padded[:, :, width + 1 :]):
        border.zero_()
    return padded


def _strips(rows: int, most: int) -> Iterator[tuple[int, int]]:
    for first in range(0, rows, most):
        yield first, min(first + most, rows)


def _carried_over(padded_hwc: Tensor, columns: int) -> Tensor:
    """The tiles of a strip, [6, 6, rows, columns, C], where filtering is a product."""
    height, _, channels = padded_hwc.shape
    rows = (height - 2) // TILE
    wide = padded_hwc.new_empty(REACH, height, columns, channels)
    _over([padded_hwc[:, j : j + TILE * columns - 3 : TILE] for j in range(REACH)], wide.unbind())
    tiles = padded_hwc.new_empty(REACH, REACH, rows, columns, channels)
    _over([wide[:, i : i + TILE * rows - 3 : TILE] for i in range(REACH)], tiles.unbind(1))
    return tiles


def _over(d: Sequence[Tensor], v: Sequence[Tensor]) -> None:
    """The features' part of F(4, 3): six neighbours `d` to six places `v`, in twelve sums."""
    near, far = NEAR**2, FAR**2
    torch.sub(d[4], d[2], alpha=far, out=v[0])
    torch.sub(d[3], d[1], alpha=far, out=v[5])
    torch.add(v[0], v[5], alpha=NEAR, out=v[1])
    torch.sub(v[0], v[5], alpha=NEAR, out=v[2])
    torch.sub(d[4], d[2], alpha=near, out=v[0])
    torch.sub(d[3], d[1], alpha=near, out=v[5])
    torch.add(v[0], v[5], alpha=FAR, out=v[3])
    torch.sub(v[0], v[5], alpha=FAR, out=v[4])
    v[0].sub_(torch.sub(d[2], d[0], alpha=near), alpha=far)
    torch.sub(torch.sub(d[5], d[3], alpha=near), v[5], alpha=far, out=v[5])


def _carry_back(products: Tensor, made_hwk: Tensor) -> None:
    """Sum the products [6, 6, rows, columns, K] of a strip up to its results; the products are used up."""
    places, _, rows, columns, channels = products.shape
    high = products.new_empty(places, rows, TILE, columns, channels)
    _back(products.unbind(1), high.unbind(2))
    _back(high.flatten(1, 2).unbind(), [made_hwk[:, j::TILE] for j in range(TILE)])


def _back(m: Sequence[Tensor], y: Sequence[Tensor]) -> None:
    """The results' part of F(4, 3): six places `m`, used up, to four neighbours `y`, in ten sums."""
    p = torch.add(m[1], m[2])
    q = m[1].sub_(m[2])
    r = torch.add(m[3], m[4], out=m[2])
    s = m[3].sub_(m[4])
    torch.add(m[0].add_(p, alpha=1 / NEAR), r, alpha=FAR**-2, out=y[0])
    torch.add(q, s, alpha=1 / FAR, out=y[1])
    torch.add(r, p, alpha=NEAR, out=y[2])
    torch.add(m[5].add_(q, alpha=NEAR**2), s, alpha=FAR, out=y[3])
