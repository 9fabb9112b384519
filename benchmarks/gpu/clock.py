"""Seconds and memory of work on a device, which answers before it is done."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

Work = Callable[[], object]
WARM_UPS = 3  # libraries choose algorithms and make workspaces with the first calls
ENOUGH_S = 0.5
MOST_ROUNDS = 50


@dataclass(frozen=True, slots=True)
class Cost:
    """What a piece of work costs once it is warm.

    Attributes:
        seconds: the median.
        peak_bytes: the most memory of the device that it held, pictures included; None if nobody knows.
    """

    seconds: float
    peak_bytes: int | None


def cost_of(work: Work, device: torch.device) -> Cost:
    """Do the work again and again, for about `ENOUGH_S` and at least three times."""
    for _ in range(WARM_UPS):
        work()
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    seconds: list[float] = []
    while len(seconds) < 3 or (sum(seconds) < ENOUGH_S and len(seconds) < MOST_ROUNDS):
        seconds.append(once(work, device))
    peak = torch.cuda.max_memory_allocated(device) if device.type == "cuda" else None
    return Cost(statistics.median(seconds), peak)


def once(work: Work, device: torch.device) -> float:
    """Seconds until the device has done the work."""
    wait(device)
    began = time.perf_counter()
    work()
    wait(device)
    return time.perf_counter() - began


def wait(device: torch.device) -> None:
    """Return once the device has done everything."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def forget(device: torch.device) -> None:
    """Give back the memory that torch keeps for later."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
