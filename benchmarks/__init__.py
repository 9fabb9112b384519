"""What the work costs: tables of ratios, measured in one run. See `docs/performance.md`."""

from flows.environment import prepare_for_torch

prepare_for_torch()  # as the workers do; torch reads it when it is first imported
