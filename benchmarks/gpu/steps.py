"""Whole steps of an optimisation on a device, solver included: launched one by one, and as one graph."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch

from benchmarks.gpu.clock import forget, once
from benchmarks.gpu.evaluations import encoder_on, pictures_on
from benchmarks.pictures import benchmark_settings
from stylize_core.architecture import Architecture
from stylize_core.device import choose_precision
from stylize_core.transfer import Stylized, stylize

STEPS_MODULE = "stylize_core.optim.steps"
NEVER = 2**31


@dataclass(frozen=True, slots=True)
class Step:
    """Seconds that an evaluation takes within an optimisation, everything included."""

    encoder: Architecture
    size: int
    batch: int
    way: str
    seconds: float


def steps_on(
    encoder: Architecture, *, size: int, batch: int, steps: int, device: torch.device, file: str | None
) -> Iterator[Step]:
    """A row for steps as they are, and, where a device captures them, one for steps launched one by one."""
    settings = benchmark_settings(encoder, size=size, steps=steps, scales=1)
    network = encoder_on(settings, choose_precision("auto", device, size=size), device, file)
    contents, styles = pictures_on(settings, batch, device)

    def seconds() -> float:
        def optimise() -> None:
            made.append(stylize(contents, styles, settings=settings, encoder=network))

        made: list[Stylized] = []
        once(optimise, device)
        took = once(optimise, device)
        forget(device)
        return took / max(report.evaluations for report in made[-1].reports)

    captures = device.type == "cuda" and importlib.util.find_spec(STEPS_MODULE) is not None
    yield Step(encoder, size, batch, "captured" if captures else "one by one", seconds())
    if captures:
        with launched_one_by_one():
            yield Step(encoder, size, batch, "one by one", seconds())


@contextmanager
def launched_one_by_one() -> Iterator[None]:
    """Keep the solver from capturing its steps inside."""
    module: Any = importlib.import_module(STEPS_MODULE)
    before = module.EAGER
    module.EAGER = NEVER
    try:
        yield
    finally:
        module.EAGER = before
