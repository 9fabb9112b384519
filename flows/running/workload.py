"""What a plan asks of an engine: workers, networks and jobs."""

from __future__ import annotations

from collections.abc import Iterator

from flows.engines.base import WorkerSpec
from flows.manifest.model import Manifest
from flows.model.pair import Job
from flows.planning.plan import Plan
from flows.worker.devices import cpu_workers, slots, usable_cores
from stylize_core.settings.style import StyleSettings


def workers_for(plan: Plan, manifest: Manifest, device: str, workers: int | None) -> WorkerSpec:
    """The workers that are asked for; if nobody says how many, one per device, or as many as suit a CPU."""
    on_cpu = cpu_workers([planned.pair.style_settings.picture_size.expected_px for planned in plan.todo])
    found = slots(device, workers, cpu_workers=on_cpu)
    sharing = found.count("cpu")
    threads = None if sharing < 2 else max(1, usable_cores() // sharing)
    return WorkerSpec(found, threads, manifest.batch)


def networks(plan: Plan) -> Iterator[StyleSettings]:
    """For each set of weights and layers that is used, settings that ask for it."""
    found = {}
    for settings in (planned.pair.style_settings for planned in plan.todo):
        dreamt = tuple(settings.dream_layer_weights) if settings.mode == "dream" else ()
        found[settings.encoder, settings.weights, settings.layers, dreamt] = settings
    yield from found.values()


def jobs(plan: Plan, manifest: Manifest) -> Iterator[Job]:
    """What is to do, in the order of the plan."""
    for p in plan.todo:
        yield Job(
            p.pair,
            plan.output,
            p.identity,
            p.attempts,
            manifest.timeout_s,
            plan.replace_foreign,
            p.forced,
            plan.source,
            manifest.checkpoint_s,
        )
