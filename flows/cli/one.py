"""The command `stylize one`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from flows.cli.answers import print_json, print_line, say_if_lost
from flows.cli.arguments import Json, OneDevice, Photograph, SettingTexts, Verbose
from flows.cli.display import choose_display
from flows.cli.exits import errors_become_exit_codes
from flows.records import exit_codes as codes


# Why so many: each is an argument or an option of the command line.
def one(
    content: Photograph,
    style: Annotated[
        str | None,
        typer.Argument(help="The painting; none for a mode that needs only one picture.", show_default=False),
    ] = None,
    *,
    output: Annotated[
        Path, typer.Option("-o", "--output", help="Where the picture goes; .png, .jpg, .webp or .tif.")
    ],
    settings: SettingTexts = None,
    device: OneDevice = "auto",
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Stylise one picture here and now, with its record beside it; no Prefect."""
    from flows.running.one import run_one

    with errors_become_exit_codes():
        with choose_display(Console(stderr=True)) as display:
            outcome = run_one(
                content, style, output=output, settings=settings or [], device=device, listener=display
            )
        if as_json:
            print_json(
                {
                    "name": outcome.name,
                    "status": outcome.status,
                    "kind": outcome.kind,
                    "message": outcome.message,
                }
            )
        elif outcome.status in ("done", "skipped"):
            print_line(str(output))
        say_if_lost()
        ends = {"failed": codes.SOME_FAILED, "stopped": codes.INTERRUPTED}
        raise typer.Exit(ends.get(outcome.status, codes.ALL_DONE))
