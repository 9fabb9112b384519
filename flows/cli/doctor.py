"""The command `stylize doctor`."""

from __future__ import annotations

from typing import Annotated

import typer

from flows.cli.answers import print_json, print_line
from flows.cli.arguments import Json, manifest_paths
from flows.cli.exits import errors_become_exit_codes
from flows.manifest.load import load_manifest
from flows.records.exit_codes import ALL_DONE, NOTHING_STARTED


def doctor(
    manifest: Annotated[
        str | None,
        typer.Argument(
            help="A manifest, whose output, weights and device are looked at as well.",
            show_default=False,
            autocompletion=manifest_paths,
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Check devices, memory, weights, storage, Prefect, disk and clock, and say what to do."""
    from flows.running.upkeep.doctor import examine, facts

    with errors_become_exit_codes():
        loaded = None if manifest is None else load_manifest(manifest)
        found = []
        for finding in examine(loaded):
            found.append(finding)
            if not as_json:
                advice = f"; {finding.advice}" if finding.advice else ""
                print_line(f"{finding.state:4}  {finding.check:8}  {finding.found}{advice}")
        told = facts(found)
        if as_json:
            print_json(told)
        raise typer.Exit(ALL_DONE if told["well"] else NOTHING_STARTED)
