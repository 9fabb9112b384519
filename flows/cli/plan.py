"""The command `stylize plan`."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console

from flows.cli.answers import print_json
from flows.cli.arguments import Force, Json, Limit, ManifestPath, Only, OnlyFailed, Preview, ShardText
from flows.cli.display import choose_display
from flows.cli.estimates import check_price
from flows.cli.exits import errors_become_exit_codes
from flows.cli.tables import plan_facts, print_plan
from flows.manifest.load import load_manifest
from flows.manifest.model import Manifest
from flows.manifest.preview import preview_of
from flows.model.selection import Selection
from flows.model.shard import Shard
from flows.planning.plan import make_plan
from flows.running.estimating.prospects import prospect_of
from flows.running.options import selection_of
from flows.running.platforms import shard_of
from flows.running.under_way import steps_kept


# Why so many: each is an option of the command line.
def plan(
    manifest: ManifestPath,
    only: Only = None,
    limit: Limit = None,
    failed: OnlyFailed = False,
    force: Force = False,
    preview: Preview = False,
    shard: ShardText = None,
    calibrate: Annotated[
        bool,
        typer.Option("--calibrate", help="Measure first, in some seconds, how fast this machine is."),
    ] = False,
    cost_per_hour: Annotated[
        float | None,
        typer.Option(help="What the machine with all its devices costs per hour, for an estimate."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Say what a run would do, why, and what it would take, without doing it."""
    with errors_become_exit_codes():
        check_price(cost_per_hour)
        part = shard_of(shard)
        selection = selection_of(part, only=only, limit=limit, failed=failed, force=force)
        loaded = load_manifest(manifest)
        show_plan(
            preview_of(loaded) if preview else loaded,
            part,
            selection,
            calibrate=calibrate,
            cost_per_hour=cost_per_hour,
            as_json=as_json,
        )


def show_plan(
    manifest: Manifest,
    shard: Shard,
    selection: Selection,
    *,
    calibrate: bool = False,
    cost_per_hour: float | None = None,
    as_json: bool,
) -> None:
    """Print what a run would do and take; first measure how fast this machine is if that is asked for.

    Raises:
        BatchError: it could not even be planned.
    """
    planned = make_plan(manifest, shard=shard, selection=selection)
    if calibrate:
        from flows.running.estimating.calibration import measure

        with choose_display(Console(stderr=True)) as display:
            measure(planned, manifest, display)
    prospect, kept = prospect_of(planned, manifest), steps_kept(planned, manifest)
    if as_json:
        print_json(plan_facts(planned, prospect, kept, cost_per_hour))
    else:
        print_plan(planned, prospect, kept, cost_per_hour)
