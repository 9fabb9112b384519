"""The command `stylize plan`."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console

from flows.cli.answers import print_json
from flows.cli.arguments import Json, ManifestPath, ShardText
from flows.cli.display import choose_display
from flows.cli.estimates import check_price
from flows.cli.exits import errors_become_exit_codes
from flows.cli.tables import plan_facts, print_plan
from flows.manifest.load import load_manifest
from flows.planning.plan import make_plan
from flows.running.platforms import shard_of
from flows.running.prospects import prospect_of


def plan(
    manifest: ManifestPath,
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
        loaded = load_manifest(manifest)
        planned = make_plan(loaded, shard=shard_of(shard))
        if calibrate:
            from flows.running.calibration import measure

            with choose_display(Console(stderr=True)) as display:
                measure(planned, loaded, display)
        prospect = prospect_of(planned, loaded)
        if as_json:
            print_json(plan_facts(planned, prospect, cost_per_hour))
        else:
            print_plan(planned, prospect, cost_per_hour)
