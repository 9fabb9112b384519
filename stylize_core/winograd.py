"""3x3 convolutions with a third of the products: Winograd's minimal filtering, nested over rows and columns.

Winograd 1980; for networks Lavin and Gray 2015 (arXiv 1509.09308). A tile of 2x4 results needs 4x6 products
per pair of channels instead of 72: the 4x6 features below it and the kernel are both carried over to where
filtering is a product, with F(2, 3) over the rows and F(4, 3) over the columns. All products of one place
within the tiles, for all tiles and channels, are one matrix product, which is what processors do best; what
comes before and after it are sums of a few features.

The places are the values of polynomials at some points. The usual ones of F(4, 3), 0, ±1, ±2 and infinity,
are meant for float32; with NEAR and FAR instead of 1 and 2 bfloat16 rounds by a quarter less
(`tests/core/test_winograd.py` holds it to that). It pays where channels are many: the sums cost by the
channel, the products by its square.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

ROWS, COLUMNS = 2, 4  # of the results in a tile
HIGH, WIDE = ROWS + 2, COLUMNS + 2  # of the features that they see
# The points over the columns, beside 0 and infinity, at -NEAR, NEAR, -FAR and FAR.
NEAR, FAR = 5 / 8, 3 / 2
# So much of carried-over features at a time stays in the processor's cache.
STRIP_BYTES = 8 * 2**20

# The kernel's part of F(2, 3), at the points 0, 1, -1 and infinity (Lavin and Gray, section 4.1).
ROW_KERNEL = torch.tensor([[1, 0, 0], [0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0, 0, 1]], dtype=torch.float64)


def _column_kernel() -> Tensor:
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
        places = torch.einsum(
            "pi,qj,kcij->qpck", ROW_KERNEL.double(), _column_kernel(), weight_kc33.double().cpu()
        )
        self._kernels = places.flatten(0, 1).to(dtype).contiguous()
        self._bias = None if bias_k is None else bias_k.to(dtype)

    def __call__(self, features_bchw: Tensor) -> Tensor:
        """Results [B, K, H, W] of features [B, C, H, W], channels last."""
        batch, _, height, width = features_bchw.shape
        rows, columns = -(-height // ROWS), -(-width // COLUMNS)
        padded_bhwc = _padded(features_bchw.permute(0, 2, 3, 1), ROWS * rows + 2, COLUMNS * columns + 2)
        made_bhwk = features_bchw.new_empty(batch, ROWS * rows, COLUMNS * columns, self._kernels.shape[2])
        for padded, made in zip(padded_bhwc, made_bhwk, strict=True):
            self._filter(padded, made)
        made_bkhw = made_bhwk[:, :height, :width].permute(0, 3, 1, 2)
        return made_bkhw.contiguous(memory_format=torch.channels_last)

    def _filter(self, padded_hwc: Tensor, made_hwk: Tensor) -> None:
        """Fill in the results of one picture, a strip of tiles at a time."""
        rows, columns = made_hwk.shape[0] // ROWS, made_hwk.shape[1] // COLUMNS
        row_bytes = HIGH * WIDE * columns * padded_hwc.shape[2] * padded_hwc.element_size()
        for first, last in _strips(rows, max(1, STRIP_BYTES // row_bytes)):
            tiles = _carried_over(padded_hwc[ROWS * first : ROWS * last + 2], columns)
            products = torch.bmm(tiles.flatten(2, 3).flatten(0, 1), self._kernels)
            made = made_hwk[ROWS * first : ROWS * last]
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
    """The tiles of a strip, [6, 4, rows, columns, C], where filtering is a product."""
    height, _, channels = padded_hwc.shape
    rows, last = (height - 2) // ROWS, COLUMNS * (columns - 1) + 1
    wide = padded_hwc.new_empty(WIDE, height, columns, channels)
    _columns_over([padded_hwc[:, j : j + last : COLUMNS] for j in range(WIDE)], wide.unbind())
    tiles = padded_hwc.new_empty(WIDE, HIGH, rows, columns, channels)
    d0, d1, d2, d3 = (wide[:, i : i + ROWS * rows - 1 : ROWS] for i in range(HIGH))
    torch.sub(d0, d2, out=tiles[:, 0])
    torch.add(d1, d2, out=tiles[:, 1])
    torch.sub(d2, d1, out=tiles[:, 2])
    torch.sub(d1, d3, out=tiles[:, 3])
    return tiles


def _columns_over(d: Sequence[Tensor], v: Sequence[Tensor]) -> None:
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
    """Sum the products [6, 4, rows, columns, K] of a strip up to its results; the products are used up."""
    places, _, rows, columns, channels = products.shape
    high = products.new_empty(places, rows, ROWS, columns, channels)
    m0, m1, m2, m3 = products.unbind(1)
    torch.add(m0.add_(m1), m2, out=high[:, :, 0])
    torch.sub(m1.sub_(m2), m3, out=high[:, :, 1])
    _columns_back(high.flatten(1, 2).unbind(), [made_hwk[:, j::COLUMNS] for j in range(COLUMNS)])


def _columns_back(m: Sequence[Tensor], y: Sequence[Tensor]) -> None:
    """The results' part of F(4, 3): six places `m`, used up, to four neighbours `y`, in ten sums."""
    p = torch.add(m[1], m[2])
    q = m[1].sub_(m[2])
    r = torch.add(m[3], m[4], out=m[2])
    s = m[3].sub_(m[4])
    torch.add(m[0].add_(p, alpha=1 / NEAR), r, alpha=FAR**-2, out=y[0])
    torch.add(q, s, alpha=1 / FAR, out=y[1])
    torch.add(r, p, alpha=NEAR, out=y[2])
    torch.add(m[5].add_(q, alpha=NEAR**2), s, alpha=FAR, out=y[3])
