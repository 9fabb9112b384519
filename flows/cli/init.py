"""The command `stylize init`."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from flows.cli.answers import print_line
from flows.cli.exits import errors_become_exit_codes
from flows.errors import BadArguments


def init(
    folders: Annotated[
        list[Path],
        typer.Argument(help="Folders of photographs and of paintings, or one with both.", show_default=False),
    ],
    styles: Annotated[
        list[Path] | None,
        typer.Option(
            "--styles",
            metavar="FOLDER",
            help="The folder of the paintings, where its name does not say so; may be repeated.",
        ),
    ] = None,
    output: Annotated[
        Path, typer.Option("-o", "--output", help="The manifest to write; - for standard output.")
    ] = Path("manifest.yaml"),
) -> None:
    """Write a commented manifest for folders of pictures."""
    from flows.running.upkeep.first_manifest import first_manifest

    with errors_become_exit_codes():
        place = Path("manifest.yaml") if str(output) == "-" else output
        made = first_manifest(folders, styles=styles or (), place=place.absolute())
        if str(output) == "-":
            sys.stdout.write(made.text)
            return
        try:
            with output.open("x", encoding="utf-8") as file:
                file.write(made.text)
        except FileExistsError:
            raise BadArguments(f"{output} is there already; name another file with -o") from None
        except OSError as error:
            raise BadArguments(
                f"{output} cannot be written: {error.strerror}; name another with -o"
            ) from None
        found = f"{made.contents} photographs, {made.styles} styles"
        print_line(f"{output}: {found}; `stylize plan {shlex.quote(str(output))}` says what it would make")
