"""Products of the features of a batch in bfloat16: parts of all pictures together, or picture by picture."""

from __future__ import annotations

from functools import partial

import torch
from rich.table import Table
from torch import Tensor

from benchmarks.turns import Way, Work, take_turns
from stylize_core.architecture import CHANNELS_PER_BLOCK, Architecture, units
from stylize_core.loss.products import PART, products, products_in_parts

ROWS = 8


def products_table(*, size: int, rounds: int) -> Table:
    """Seconds and memory for the first layer of each block, of pictures of 4 to 3, long edge `size` px.

    Together, the parts have to be copied first where they do not fill a picture; so it was once. Workers
    choose by the processor: picture by picture, or in float32 where it only imitates bfloat16.
    """
    table = Table("network", "products", "median s", "spread s", "ratio", "largest process")
    table.title = (
        f"products in bfloat16, {ROWS} x {size}x{size * 3 // 4} px, {torch.get_num_threads()} threads"
    )
    networks: tuple[Architecture, ...] = ("slim", "vgg19")
    for network in networks:
        ways = {name: Way(partial(_work, network, size, name)) for name in WAYS}
        found = take_turns(ways, rounds=rounds, threads=torch.get_num_threads())
        for name, turns in found.items():
            ratio = f"{found[TOGETHER].median / turns.median:.2f}"
            memory = f"{turns.peak_bytes / 1e6:.0f} MB"
            table.add_row(network, name, f"{turns.median:.3f}", turns.spread, ratio, memory)
    return table


def _work(network: Architecture, size: int, name: str) -> Work:
    layers = [_features(network, block, size) for block in range(1, 5)]
    return lambda: [WAYS[name](features_bchw) for features_bchw in layers]


def _features(network: Architecture, block: int, size: int) -> Tensor:
    """[B, C, H, W], channels last, as the network hands them over."""
    layer, channels = f"relu{block}_1", CHANNELS_PER_BLOCK[network][block - 1]
    shape = (ROWS, channels, units(layer, size * 3 // 4), units(layer, size))
    return torch.rand(shape).to(torch.bfloat16).contiguous(memory_format=torch.channels_last)


def _together(features_bchw: Tensor) -> Tensor:
    places_bnc = features_bchw.permute(0, 2, 3, 1).flatten(1, 2)
    rows, places, channels = places_bnc.shape
    size = max(PART, 4 * channels)
    whole = places - places % size
    parts_pnc, rest_bnc = places_bnc[:, :whole].reshape(-1, size, channels), places_bnc[:, whole:]
    sums_bcc = (parts_pnc.mT @ parts_pnc).float().view(rows, -1, channels, channels).sum(1)
    return sums_bcc + (rest_bnc.mT @ rest_bnc).float()


def _by_picture(features_bchw: Tensor) -> Tensor:
    return torch.stack([products_in_parts(one) for one in features_bchw.permute(0, 2, 3, 1).flatten(1, 2)])


TOGETHER = "of all together"
WAYS = {TOGETHER: _together, "picture by picture": _by_picture, "as workers choose": products}
