"""One picture here and now, in a worker process of its own: no lock, no report, no Prefect."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from flows.engines.base import WorkerSpec
from flows.engines.process_worker import ProcessWorker
from flows.errors import BadArguments, ManifestError
from flows.manifest.single import single_pair
from flows.model.events import Listener, PairProgress, Told
from flows.model.pair import Job, Outcome
from flows.planning.plan import make_plan
from flows.running.estimating.prospects import prospect_of
from flows.running.listeners import Listeners
from flows.worker.devices import slots


def run_one(
    content: str, style: str | None, *, output: Path, settings: Sequence[str], device: str, listener: Listener
) -> Outcome:
    """Stylise one picture, as a manifest with this pair alone would.

    Raises:
        BadArguments: a setting is not accepted, or the result would replace an input.
        SettingsError: the output's suffix is unknown, or a setting is not `key=value`.
        StylizeError: the device or the weights are not there.
    """
    manifest = single_pair(content, style, output=output, settings=settings)
    try:
        plan = make_plan(manifest)
    except ManifestError as error:  # who wrote no manifest is told the problems alone
        raise BadArguments("\n".join(map(str, error.problems))) from error
    (slot,) = slots(device, 1)
    listener, planned = Listeners(listener), plan.pairs[0]
    job = Job(planned.pair, manifest.output, planned.identity, manifest=manifest.source)

    def hear(told: Told) -> None:
        if isinstance(told, PairProgress):  # its end is told by the answer
            listener.pair_progress(told)

    worker = ProcessWorker(slot, WorkerSpec((slot,), batch=1), hear)
    try:
        listener.phase(f"starting a worker on {slot}")
        listener.expect(1)
        name = worker.describe()
        listener.phase(f"loading the network {planned.pair.style_settings.encoder}")
        worker.check_weights(planned.pair.style_settings)
        listener.foresee(prospect_of(plan, manifest, devices=(name,)))
        listener.phase("")
        (outcome,) = worker.run_pairs((job,), ())
        listener.pair_ended(outcome)
        return outcome
    finally:
        worker.close()
