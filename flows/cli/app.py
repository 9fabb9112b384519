"""The command `stylize`. Its exit codes are an API: `flows/records/exit_codes.py`."""

from __future__ import annotations

import logging
import sys
from typing import Annotated

import typer

from flows.cli.arguments import VerboseFirst
from flows.cli.clean import clean
from flows.cli.doctor import doctor
from flows.cli.explore import explore
from flows.cli.init import init
from flows.cli.looking.compare import compare
from flows.cli.looking.report import report
from flows.cli.mistakes import Commands
from flows.cli.one import one
from flows.cli.plan import plan
from flows.cli.run import run
from flows.cli.shards import shards
from flows.cli.status import status
from flows.cli.weights import weights
from flows.logs import described, log_to_stderr
from flows.records import exit_codes as codes
from flows.running.upkeep.versions import versions_in_words
from flows.streams import take_over_streams

app = typer.Typer(
    name="stylize",
    cls=Commands,
    help="Bulk neural style transfer: a manifest of pictures in, stylised pictures with records out.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def _say_version(context: typer.Context, wanted: bool) -> None:
    if wanted:
        for line in versions_in_words(devices=bool(context.params.get("verbose"))):
            sys.stdout.write(line + "\n")
        raise typer.Exit


@app.callback()
def _logging(
    verbose: VerboseFirst = False,
    say_version: Annotated[
        bool,
        typer.Option(
            "--version",
            help="Print the versions of this and what it needs; with -v the devices.",
            callback=_say_version,
        ),
    ] = False,
) -> None:
    if not verbose:
        log_to_stderr(logging.WARNING)


# In the order in which the help lists them.
app.command()(init)
app.command()(plan)
app.command()(run)
app.command()(status)
app.command()(clean)
app.command()(report)
app.command()(compare)
app.command()(shards)
app.command()(one)
app.command()(explore)
app.command()(weights)
app.command()(doctor)


def main() -> None:
    """Run the command."""
    take_over_streams()
    try:
        app()
    except Exception as error:  # a fault of this program: all that is known, but nothing secret
        sys.stderr.write(f"internal error; please report it:\n{described(error)}\n")
        raise SystemExit(codes.NOTHING_STARTED) from None
