"""The command `stylize explore`: a sheet of looks, and the settings of each as a manifest has them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from flows.cli.answers import print_json, say_if_lost
from flows.cli.arguments import Json, OneDevice, Photograph, SettingTexts, Verbose
from flows.cli.display import choose_display
from flows.cli.exits import errors_become_exit_codes
from flows.manifest.exploration import Exploration, exploration
from flows.manifest.written import plain, written
from flows.records.exit_codes import ALL_DONE
from flows.records.report import Report
from flows.text import safe_text

SHEET = Path("explore.png")
_LINE_BYTES = 1 << 20


# Why so many: each is an argument or an option of the command line.
def explore(
    content: Photograph,
    style: Annotated[str, typer.Argument(help="The painting: a path or s3:// URI.", show_default=False)],
    *,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="The sheet, a .png; explore.png if left out."),
    ] = None,
    size: Annotated[int | None, typer.Option(help="Long edge of each picture, px.")] = None,
    settings: SettingTexts = None,
    device: OneDevice = "auto",
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Make a sheet of one picture in many looks, and print the settings of each."""
    with errors_become_exit_codes():
        asked, report = explore_here(
            content, style, output=output, size=size, settings=settings or [], device=device
        )
        if as_json:
            print_json(facts(asked, report))
        else:
            print_cells(asked, report)
        say_if_lost()
        raise typer.Exit(report.exit_code)


def explore_here(
    content: str,
    style: str,
    *,
    output: Path | None,
    size: int | None,
    settings: Sequence[str],
    device: str,
) -> tuple[Exploration, Report]:
    """Explore with a display; what was asked for, and what became of it.

    Args:
        output: the sheet that the user names, which may replace any file; None for one of ours.
        size: as `-s size=` would say it.

    Raises:
        SettingsError: the sheet's suffix is not `.png`, or a setting is not `key=value`.
        BadArguments: a setting is not accepted, or something would be replaced that must not be.
        BatchError: the cells cannot be made or written.
        StylizeError: the device or the weights are not there.
    """
    from flows.running import explore as running

    given = [*settings, *([] if size is None else [f"size={size}"])]
    asked = exploration(content, style, sheet=output or SHEET, settings=given)
    with choose_display(Console(stderr=True)) as display:
        report = running.explore(asked, replace_foreign=output is not None, device=device, listener=display)
    return asked, report


def facts(asked: Exploration, report: Report) -> dict[str, Any]:
    """The exploration as `--json` prints it."""
    cells = {cell.label: {key: plain(value) for key, value in cell.settings.items()} for cell in asked.cells}
    failed = {one.name: {"kind": one.kind, "message": one.message} for one in report.failures}
    folder = str(asked.sheet.with_suffix(""))
    return {"sheet": str(asked.sheet), "folder": folder, "cells": cells, "failed": failed}


def print_cells(asked: Exploration, report: Report) -> None:
    """A YAML document: the settings of every cell that was made, by its label. Trouble goes to stderr."""
    if report.exit_code != ALL_DONE:
        _print(Console(stderr=True, soft_wrap=True), report.sentence())
    failed = {one.name for one in report.failures}
    cells = [cell for cell in asked.cells if cell.label not in failed]
    if report.end == "finished" and cells:
        console = Console(soft_wrap=True)
        _print(console, f"# {asked.sheet}: what stands behind a label goes under `settings:` of a manifest,")
        _print(console, "# for a large picture without size and steps.")
        for cell in cells:
            _print(console, f"{cell.label}: {written(cell.settings)}")


def _print(console: Console, line: str) -> None:
    console.print(safe_text(line, _LINE_BYTES), markup=False, highlight=False)
