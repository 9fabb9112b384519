"""How fast this machine is, measured in some seconds by small pictures of the very pairs that are to do."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace

from flows.engines.base import WorkerSpec
from flows.engines.local import LocalEngine
from flows.errors import BadArguments
from flows.manifest.model import Manifest
from flows.model.estimate import kind_of
from flows.model.events import Listener
from flows.model.observed import Kind, Observed
from flows.model.pair import Job, Pair
from flows.planning.plan import Plan
from flows.records.experience import load_experience, save_experience
from flows.running.listeners import Listeners
from flows.worker.devices import slots
from stylize_core.demand.operations import work_of
from stylize_core.settings.picture_size import SMALL_PX
from stylize_core.settings.style import StyleSettings

# Two sizes of each kind, which show how much slower small pictures are by the pixel.
SMALL_SIZES, SIZES = (96, SMALL_PX), (SMALL_PX + 8, 448)
# Some seconds' work for a core, so that the first steps count little; heavy networks take a few all the same.
PRODUCTS = 1e11
# Each size is measured so often, and the others in between: what else a machine does makes it slower for a
# while, and nothing makes it faster than it is.
ROUNDS = 2
FEWEST_STEPS, MOST_STEPS = 3, 60
# The first pair of a network takes longer, as libraries make ready what later ones find; it does not count.
WARMING = "-warming"


def measure(plan: Plan, manifest: Manifest, listener: Listener) -> int:
    """Measure every kind of pairs to do, and keep it for the estimates; how many small pictures told.

    One worker makes a few small pictures, the first of each kind, in a folder that is removed at the end.

    Raises:
        BadArguments: there is nothing to do, so nothing to measure.
        StylizeError: there is no such device, or weights are not what was promised.
    """
    if not plan.todo:
        raise BadArguments("--calibrate: nothing is to do, so there is nothing to measure")
    listener, began = Listeners(listener), time.monotonic()
    device = slots(manifest.device, 1)[0]
    examples = _examples(plan, device.partition(":")[0])
    engine = LocalEngine(on_progress=lambda _: None, note=listener.note)
    with tempfile.TemporaryDirectory(prefix="stylize-") as folder, closing(engine):
        listener.phase(f"starting a worker on {device}")
        devices = engine.start(WorkerSpec((device,), batch=manifest.batch))
        for pair in examples:
            listener.phase(f"loading the network {pair.style_settings.encoder}")
            engine.check_weights(pair.style_settings)
        start_s = time.monotonic() - began
        jobs = [Job(small, folder) for pair in examples for small in _small(pair)]
        listener.phase(f"measuring by {len(jobs)} small pictures")
        ended = [outcome for outcome in engine.outcomes(jobs) if not outcome.name.endswith(WARMING)]
        observed = _quickest([outcome.observed for outcome in ended if outcome.observed])
        listener.phase("")
    save_experience(load_experience().with_more(observed, start_s=start_s, devices=devices))
    return len(observed)


def _examples(plan: Plan, device: str) -> list[Pair]:
    """The first pair of each kind, its statistics and networks included."""
    found: dict[tuple[Kind, tuple[str, ...]], Pair] = {}
    for planned in plan.todo:
        settings = planned.pair.style_settings
        found.setdefault((kind_of(settings, device), settings.layers), planned.pair)
    return list(found.values())


def _small(pair: Pair) -> Iterator[Pair]:
    """The pair in small, in the sizes that are measured; in the first of them once more before."""
    own = pair.style_settings
    sizes = SMALL_SIZES if own.picture_size.is_small else SIZES
    picture = replace(pair.picture_settings, animation="none")
    rounds = [(size, f"-{size}-{number}") for number in range(ROUNDS) for size in sizes]
    for size, ending in ((sizes[0], WARMING), *rounds):
        settings = replace(own, size=size, megapixels=0.0, scales=1, octaves=1, snapshot_every=0, plateau=0.0)
        steps = FEWEST_STEPS if ending == WARMING else _steps(settings)
        settings = replace(settings, steps=steps)
        yield replace(pair, name=pair.name + ending, style_settings=settings, picture_settings=picture)


def _quickest(observed: Sequence[Observed]) -> list[Observed]:
    """Of each kind and size the one that took the device least for its work."""
    found: dict[tuple[Kind, int], Observed] = {}
    for one in sorted(observed, key=lambda one: one.device_s / one.work):
        found.setdefault((one.kind, one.pixels), one)
    return list(found.values())


def _steps(settings: StyleSettings) -> int:
    """How many evaluations are some seconds' work."""
    side = settings.picture_size.expected_px
    each = work_of(settings, width=side, height=side * 3 // 4).stages[-1].each
    return max(FEWEST_STEPS, min(MOST_STEPS, round(PRODUCTS / each)))
