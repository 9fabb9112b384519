"""What a run is told when it is started, by a command or by a deployment, over what its manifest says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypedDict

from flows.errors import BadArguments
from flows.manifest.model import Manifest, batch_of
from flows.model import durations
from flows.model.selection import Selection
from flows.model.shard import WHOLE, Shard
from flows.running.budget import Budget, budget_of
from flows.running.metrics import metrics_file
from flows.running.platforms import shard_of


class RunOptions(TypedDict):
    """The options of `run_shard` that do not stand in a manifest; see there."""

    shard: Shard
    device: str | None
    workers: int | None
    budget: Budget
    selection: Selection
    skip_failed: bool
    wait_s: float
    metrics: Path | None


# Why so many: the command's options and a deployment's parameters, which are the same.
def run_options(
    *,
    shard: str | None,
    device: str | None,
    workers: int | None,
    max_time: str | None,
    until: str | None,
    max_cost: float | None,
    cost_per_hour: float | None,
    skip_failed: bool,
    wait: str | None,
    metrics: str | None,
    only: Sequence[str] | None = None,
    limit: int | None = None,
    failed: bool = False,
    force: bool = False,
) -> RunOptions:
    """The options of a run as people write them.

    Raises:
        BadArguments: one of them is not accepted; the text names it and says what is.
    """
    part = shard_of(shard)
    if failed and skip_failed:
        raise BadArguments("--failed asks for what --skip-failed leaves out; leave one of them out")
    return RunOptions(
        shard=part,
        device=device,
        workers=workers,
        budget=budget_of(max_time=max_time, until=until, max_cost=max_cost, cost_per_hour=cost_per_hour),
        selection=selection_of(part, only=only, limit=limit, failed=failed, force=force),
        skip_failed=skip_failed,
        wait_s=_wait_of(wait),
        metrics=metrics_file(metrics, part),
    )


def selection_of(
    shard: Shard,
    *,
    only: Sequence[str] | None = None,
    limit: int | None = None,
    failed: bool = False,
    force: bool = False,
) -> Selection:
    """Which pairs are asked for, as people write it.

    Raises:
        BadArguments: the limit is none, or of a shard; or a pattern is empty.
    """
    if limit is not None and shard != WHOLE:
        raise BadArguments("--limit counts over all pairs, and a shard knows its own; leave one of them out")
    if only is not None and not all(only):
        raise BadArguments("--only: an empty pattern fits no name; write one such as 'lion*'")
    try:
        return Selection(tuple(only or ()), limit, failed, force)
    except ValueError as error:
        raise BadArguments(f"--limit: {limit} is not accepted; it must be {error}") from None


def _wait_of(text: str | None) -> float:
    try:
        return 0.0 if text is None else durations.seconds(text)
    except ValueError as error:
        raise BadArguments(f"--wait: {str(text)[:80]!r} is not accepted; it must be {error}") from None


def with_batch(manifest: Manifest, given: str | None) -> Manifest:
    """The manifest with another `batch`, written as in a manifest: `auto` or a number; None leaves its own.

    Raises:
        BadArguments: it is neither.
    """
    if given is None:
        return manifest
    try:
        return replace(manifest, batch=batch_of(given))
    except ValueError as error:
        raise BadArguments(f"--batch: {given[:80]!r} is not accepted; it must be {error}") from None
