"""What the work costs: tables of ratios, measured in one run. See `docs/performance.md`."""

import os

from flows.worker.torch_environment import prepare_for_torch

AS_GIVEN = dict(os.environ)
UNPREPARED = "BENCHMARKS_UNPREPARED"  # set for the processes of `benchmarks.turns` that are not ours

if UNPREPARED not in os.environ:
    prepare_for_torch()  # as the workers do; torch reads it when it is first imported
