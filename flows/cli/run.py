"""The command `stylize run`: a run on this machine that people can watch."""

from __future__ import annotations

import sys
from functools import partial
from typing import Annotated

import typer
from rich.console import Console

from flows.cli.answers import print_line, say_if_lost
from flows.cli.arguments import (
    BatchText,
    CostPerHour,
    Device,
    Force,
    Json,
    Limit,
    ManifestPath,
    MaxCost,
    MaxTimeText,
    MetricsText,
    Only,
    OnlyFailed,
    Preview,
    ShardText,
    SkipFailed,
    UntilText,
    Verbose,
    WaitText,
    Workers,
)
from flows.cli.closing import closing_line
from flows.cli.display import choose_display
from flows.cli.exits import errors_become_exit_codes
from flows.cli.plan import show_plan
from flows.manifest.load import load_manifest
from flows.manifest.model import Manifest
from flows.manifest.preview import preview_of
from flows.records.report import Report
from flows.running.options import RunOptions, run_options, with_batch


# Why so many: each is an option of the command line.
def run(
    manifest: ManifestPath,
    only: Only = None,
    limit: Limit = None,
    failed: OnlyFailed = False,
    force: Force = False,
    preview: Preview = False,
    dry_run: Annotated[
        bool, typer.Option("-n", "--dry-run", help="Say what would be done, as `plan` does, and do nothing.")
    ] = False,
    device: Device = None,
    workers: Workers = None,
    max_time: MaxTimeText = None,
    until: UntilText = None,
    max_cost: MaxCost = None,
    cost_per_hour: CostPerHour = None,
    batch: BatchText = None,
    skip_failed: SkipFailed = False,
    shard: ShardText = None,
    wait: WaitText = None,
    metrics: MetricsText = None,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Do everything that the manifest asks for and is not done yet."""
    with errors_become_exit_codes():
        options = run_options(
            shard=shard,
            device=device,
            workers=workers,
            max_time=max_time,
            until=until,
            max_cost=max_cost,
            cost_per_hour=cost_per_hour,
            skip_failed=skip_failed,
            wait=wait,
            metrics=metrics,
            only=only,
            limit=limit,
            failed=failed,
            force=force,
        )
        loaded = with_batch(load_manifest(manifest), batch)
        loaded = preview_of(loaded) if preview else loaded
        if dry_run:
            part, chosen = options["shard"], options["selection"]
            show_plan(loaded, part, chosen, cost_per_hour=cost_per_hour, as_json=as_json)
            return
        report = run_here(loaded, options)
        if as_json:
            sys.stdout.write(report.to_bytes().decode())
        else:
            print_line(report.sentence())
            chosen = options["selection"]
            print_line(closing_line(report, manifest, page=loaded.html, preview=preview, selection=chosen))
        say_if_lost()
        raise typer.Exit(report.exit_code)


def run_here(manifest: Manifest, options: RunOptions) -> Report:
    """Do what a shard of the manifest asks for, with a display, and in view on a Prefect server if named.

    A server that does not answer, or a Prefect that cannot start, costs the run a line and nothing else.

    Raises:
        BatchError: nothing could start.
        StylizeError: the device or the weights are not there.
    """
    from flows.engines.prefect.server import users_server
    from flows.engines.prefect.view import PrefectView
    from flows.running.listeners import Listeners
    from flows.running.run import run_shard

    do = partial(run_shard, manifest, **options)
    with choose_display(Console(stderr=True)) as display:
        if not users_server():
            return do(listener=display)
        shown = {
            "manifest": manifest.source,
            "device": options["device"],
            "workers": options["workers"],
            "shard": str(options["shard"]),
        }
        with PrefectView(shown, display.note) as view:
            both = Listeners(display, view)
            report = do(listener=both)
            view.ended(report)
            return report
