"""Products of features in bfloat16, a batch of 8: parts of all pictures together, or picture by picture."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

import torch
from rich.table import Table
from torch import Tensor

from stylize_core.architecture import CHANNELS_PER_BLOCK, Architecture, units
from stylize_core.loss.products import PART, products_in_parts

ROWS = 8


def products_table(*, size: int, rounds: int) -> Table:
    """Milliseconds for the first layer of each block, of pictures with a long edge of `size` px, 4 to 3.

    Together, the parts are copied first where they do not fill a picture; so it was once.
    """
    table = Table("network", "layer", "together, ms", "one by one, ms", "ratio", title=f"{ROWS} x {size} px")
    networks: tuple[Architecture, ...] = ("slim", "vgg19")
    for network in networks:
        for block, channels in enumerate(CHANNELS_PER_BLOCK[network][:4], 1):
            layer = f"relu{block}_1"
            places = units(layer, size) * units(layer, size * 3 // 4)
            made = torch.rand(ROWS, places, channels).to(torch.bfloat16)
            before, now = _by_turns([_together, _one_by_one], made, rounds)
            ratio = f"{before / now:.2f}"
            table.add_row(network, layer, f"{before * 1000:.1f}", f"{now * 1000:.1f}", ratio)
    return table


def _by_turns(ways: list[Callable[[Tensor], Tensor]], places_bnc: Tensor, rounds: int) -> list[float]:
    """The median seconds of each way, after one round that does not count."""
    seconds: list[list[float]] = [[] for _ in ways]
    for _ in range(rounds + 1):
        for way, took in zip(ways, seconds, strict=True):
            began = time.perf_counter()
            way(places_bnc)
            took.append(time.perf_counter() - began)
    return [median(took[1:]) for took in seconds]


def _together(places_bnc: Tensor) -> Tensor:
    rows, places, channels = places_bnc.shape
    size = max(PART, 4 * channels)
    whole = places - places % size
    parts_pnc, rest_bnc = places_bnc[:, :whole].reshape(-1, size, channels), places_bnc[:, whole:]
    sums_bcc = (parts_pnc.mT @ parts_pnc).float().view(rows, -1, channels, channels).sum(1)
    return sums_bcc + (rest_bnc.mT @ rest_bnc).float()


def _one_by_one(places_bnc: Tensor) -> Tensor:
    return torch.stack([products_in_parts(places_nc) for places_nc in places_bnc])
