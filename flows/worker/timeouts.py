"""How much time a pair gets: until its own timeout, and before its worker counts as stuck."""

from __future__ import annotations

from collections.abc import Iterable

from flows.errors import TimedOut
from flows.model.durations import in_words
from flows.model.pair import Job, Pair

# The longest time that storage, decoding and the like may take together: three reads, each with all its
# rounds against a store that hangs.
WITHOUT_STEPS_S = 1800.0
# The longest time between two reports of an optimisation, which are ten evaluations apart: VGG-19 needs some
# 20 TFLOP per megapixel for them, of which a slow core may do 10 GFLOP/s and any GPU a hundred times as much.
CPU_S_PER_MEGAPIXEL = 3600.0
GPU_S_PER_MEGAPIXEL = 60.0


def refuse_if_late(job: Job, *, spent_s: float, step: int) -> None:
    """Hold the time that the optimisation of a pair has taken until some step against the pair's timeout.

    Raises:
        TimedOut: it is over.
    """
    if spent_s > job.timeout_s:
        steps, limit = job.pair.style_settings.steps, in_words(job.timeout_s)
        raise TimedOut(
            f"not done after {in_words(spent_s)} and {step} of {steps} steps; the timeout is {limit}: allow "
            "more, or ask for fewer steps or pixels",
            job.pair.name,
        )


def stuck_after_s(pairs: Iterable[Pair], device: str) -> float:
    """Without any progress for that long, the worker of the device is stuck with the pairs of a call.

    They may be computed together, and then all of them lie between two reports.

    Far more than any sound machine needs: who knows better sets a `timeout`.
    """
    megapixels = sum(pair.style_settings.picture_size.expected_px**2 for pair in pairs) / 1e6
    per_megapixel = CPU_S_PER_MEGAPIXEL if device == "cpu" else GPU_S_PER_MEGAPIXEL
    return WITHOUT_STEPS_S + megapixels * per_megapixel
