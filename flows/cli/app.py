"""The command `stylize`. Exit codes are an API; they stand in `flows/records/report.py` and the README."""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Column, Table

from flows.cli.display import choose_display
from flows.errors import AlreadyRunning, BadArguments, BatchError, ManifestError
from flows.logs import described, log_to_stderr
from flows.manifest.load import load_manifest
from flows.manifest.model import BATCH, BATCH_EXPECTED
from flows.planning.plan import Plan, make_plan
from flows.planning.sheets_due import sheet_facts, sheet_line
from flows.records import report as ends
from flows.running.budget import budget_of
from flows.text import safe_text
from stylize_core.errors import SettingsError, StylizeError

app = typer.Typer(
    name="stylize",
    help="Bulk neural style transfer: a manifest of pictures in, stylised pictures with records out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
ROWS_SHOWN = 20

ManifestPath = Annotated[
    str, typer.Argument(help="The manifest, a YAML file: a path or s3:// URI.", show_default=False)
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
Device = Annotated[
    str | None, typer.Option(help="auto, cpu, cuda, cuda:<n> or mps; the manifest's `device` if left out.")
]


def _be_verbose(verbose: bool) -> bool:
    if verbose:
        log_to_stderr(logging.INFO)
    return verbose


def _say_version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"stylize {version('stylize')}\n")
        raise typer.Exit


Verbose = Annotated[bool, typer.Option("-v", "--verbose", help="Log retries and more.", callback=_be_verbose)]


@app.callback()
def _logging(
    verbose: Verbose = False,
    say_version: Annotated[
        bool, typer.Option("--version", help="Print the version.", is_eager=True, callback=_say_version)
    ] = False,
) -> None:
    if not verbose:
        log_to_stderr(logging.WARNING)


@app.command()
def plan(manifest: ManifestPath, as_json: Json = False) -> None:
    """Say what a run would do, and why, without doing it."""
    with _exit_codes():
        planned = make_plan(load_manifest(manifest))
        if as_json:
            _print_json(_plan_facts(planned))
        else:
            _print_plan(planned)


@app.command()
def run(
    manifest: ManifestPath,
    device: Device = None,
    workers: Annotated[
        int | None,
        typer.Option(help="Worker processes; if left out one per device, or per core for small pictures."),
    ] = None,
    max_time: Annotated[
        str | None,
        typer.Option(
            metavar="TIME", help="Begin no further pair after this time, such as 90s, 90m or 2h30m."
        ),
    ] = None,
    max_cost: Annotated[
        float | None,
        typer.Option(help="Begin no further pair once the run cost this much; needs --cost-per-hour."),
    ] = None,
    cost_per_hour: Annotated[
        float | None,
        typer.Option(
            help="What the machine with all its devices costs per hour, in the currency of the cost."
        ),
    ] = None,
    batch: Annotated[
        str | None,
        typer.Option(
            metavar="auto|N",
            help="Pairs computed together: auto, or 1 to 9999; the manifest's `batch` if left out.",
        ),
    ] = None,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Do everything that the manifest asks for and is not done yet."""
    from flows.running.command import run_manifest

    with _exit_codes():
        budget = budget_of(max_time=max_time, max_cost=max_cost, cost_per_hour=cost_per_hour)
        loaded = load_manifest(manifest)
        if batch is not None:
            loaded = replace(loaded, batch=_batch(batch))
        display = choose_display(Console(stderr=True))
        report = run_manifest(
            loaded, device=device or loaded.device, workers=workers, display=display, budget=budget
        )
        if as_json:
            sys.stdout.write(report.to_bytes().decode())
        else:
            Console(soft_wrap=True).print(safe_text(report.sentence()), markup=False, highlight=False)
        raise typer.Exit(report.exit_code)


@app.command()
def status(manifest: ManifestPath, as_json: Json = False) -> None:
    """Say how far a manifest is: done, failed and to do, and who is working on it."""
    from flows.running.status import look, print_status

    with _exit_codes():
        found = look(load_manifest(manifest))
        if as_json:
            _print_json(found.facts())
        else:
            print_status(found, Console())


@app.command()
def one(
    content: Annotated[str, typer.Argument(help="The photograph: a path or s3:// URI.", show_default=False)],
    style: Annotated[
        str | None,
        typer.Argument(help="The painting; none for a mode that needs only one picture.", show_default=False),
    ] = None,
    *,
    output: Annotated[
        Path, typer.Option("-o", "--output", help="Where the picture goes; .png, .jpg, .webp or .tif.")
    ],
    settings: Annotated[
        list[str] | None,
        typer.Option("-s", "--set", help="A setting as in a manifest, such as -s size=512; may be repeated."),
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda:<n> or mps.")] = "auto",
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Stylise one picture here and now, with its record beside it; no Prefect."""
    from flows.running.command import run_one

    with _exit_codes():
        outcome = run_one(
            content, style, output=output, settings=settings or [], device=device,
            display=choose_display(Console(stderr=True)),
        )  # fmt: skip
        if as_json:
            _print_json(
                {
                    "name": outcome.name,
                    "status": outcome.status,
                    "kind": outcome.kind,
                    "message": outcome.message,
                }
            )
        elif outcome.status in ("done", "skipped"):
            Console(soft_wrap=True).print(safe_text(str(output)), markup=False, highlight=False)
        raise typer.Exit(
            {"done": 0, "skipped": 0, "failed": ends.SOME_FAILED, "stopped": ends.INTERRUPTED}[outcome.status]
        )


@app.command()
def weights(
    name: Annotated[str | None, typer.Argument(help="slim, vgg19, vgg16, googlenet, or a file.")] = None,
    architecture: Annotated[
        str, typer.Option(help="The network that a file is for: slim, vgg19, vgg16 or googlenet.")
    ] = "vgg19",
    fetch: Annotated[
        bool, typer.Option("--fetch", help="Download the named published weights into torch's cache.")
    ] = False,
    as_json: Json = False,
) -> None:
    """List the known weights, download published ones, or print what a manifest needs to name a file."""
    from flows.cli.weights import describe_weights, print_weights

    with _exit_codes():
        found = describe_weights(name, architecture=architecture, fetch=fetch)
        if as_json:
            _print_json(found)
        else:
            print_weights(found, Console())


def main() -> None:
    """Run the command."""
    try:
        app()
    except SystemExit as end:
        _leave(end.code if isinstance(end.code, int) else ends.NOTHING_STARTED)
        raise
    except Exception as error:  # a fault of this program: all that is known, but nothing secret
        sys.stderr.write(f"internal error; please report it:\n{described(error)}\n")
        _leave(ends.NOTHING_STARTED)
        raise SystemExit(ends.NOTHING_STARTED) from None


def _leave(code: int) -> None:
    """End the process at once where waiting for its end would take long."""
    if "flows.running.command" in sys.modules:
        from flows.running.command import leave

        leave(code)


@contextmanager
def _exit_codes() -> Iterator[None]:
    """Errors that users can mend become one clear text and the design's exit code; others stay tracebacks."""
    try:
        yield
    except (ManifestError, BadArguments, SettingsError) as error:
        raise typer.Exit(_refuse(str(error), ends.INVALID)) from error
    except AlreadyRunning as error:
        raise typer.Exit(_refuse(str(error), ends.ALREADY_RUNNING)) from error
    except (BatchError, StylizeError) as error:
        raise typer.Exit(_refuse(str(error), ends.NOTHING_STARTED)) from error
    except KeyboardInterrupt:
        raise typer.Exit(_refuse("interrupted", ends.INTERRUPTED)) from None


def _refuse(text: str, code: int) -> int:
    lines = [safe_text(line) for line in text.splitlines()]
    Console(stderr=True, soft_wrap=True).print("\n".join(lines), markup=False, highlight=False)
    return code


def _batch(given: str) -> int | None:
    if given != "auto" and not re.fullmatch(BATCH, given):
        raise BadArguments(f"--batch: {given[:80]!r} is not accepted; it must be {BATCH_EXPECTED}")
    return None if given == "auto" else int(given)


def _print_json(value: Any) -> None:
    sys.stdout.write(json.dumps(value, indent=1, sort_keys=True) + "\n")


def _plan_facts(planned: Plan) -> dict[str, Any]:
    return {
        "output": planned.output,
        "counts": planned.counts,
        "sheets": sheet_facts(planned),
        "reasons": planned.reasons,
        "warnings": list(planned.warnings),
        "todo": [{"name": p.pair.name, "reason": p.reason} for p in planned.todo],
    }


def _print_plan(planned: Plan) -> None:
    console = Console(soft_wrap=True)
    for warning in planned.warnings:
        console.print(safe_text(f"warning: {warning}"), markup=False, highlight=False)
    counts = planned.counts
    pairs = "pair" if counts["planned"] == 1 else "pairs"
    line = f"{counts['planned']} {pairs}, {counts['done']} done, {counts['todo']} to do, in {planned.output}"
    console.print(safe_text(line), markup=False, highlight=False)
    if planned.sheets:
        console.print(safe_text(sheet_line(planned)), markup=False, highlight=False)
    if planned.todo:
        # without soft wrapping, for which a table would be cut off at the console's width
        console.print(_todo_table(planned), markup=False, highlight=False, soft_wrap=False)
    if (left := len(planned.todo) - ROWS_SHOWN) > 0:
        console.print(f"and {left} more; --json lists all", highlight=False)


def _todo_table(planned: Plan) -> Table:
    columns = [Column(header, overflow="fold") for header in ("pair", "why")]
    table = Table(*columns, box=None, pad_edge=False)
    for item in planned.todo[:ROWS_SHOWN]:
        table.add_row(safe_text(item.pair.name), safe_text(item.reason))
    return table
