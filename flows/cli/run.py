"""The command `stylize run`: a run on this machine that people can watch."""

from __future__ import annotations

from functools import partial

from rich.console import Console

from flows.cli.display import choose_display
from flows.engines.prefect.server import users_server
from flows.engines.prefect.view import PrefectView
from flows.manifest.model import Manifest
from flows.records.report import Report
from flows.running.listeners import Listeners
from flows.running.options import RunOptions
from flows.running.run import run_shard


def run_here(manifest: Manifest, options: RunOptions) -> Report:
    """Do what a shard of the manifest asks for, with a display, and in view on a Prefect server if named.

    A server that does not answer, or a Prefect that cannot start, costs the run a line and nothing else.

    Raises:
        BatchError: nothing could start.
        StylizeError: the device or the weights are not there.
    """
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
