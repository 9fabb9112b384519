"""The command `stylize`. Its exit codes are an API: `flows/records/exit_codes.py`."""

from __future__ import annotations

import json
import logging
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from flows.cli.arguments import (
    Device,
    Json,
    ManifestPath,
    MaxTimeText,
    MetricsText,
    OneDevice,
    Photograph,
    SettingTexts,
    ShardText,
    SkipFailed,
    UntilText,
    Verbose,
    WaitText,
)
from flows.cli.display import choose_display
from flows.cli.exits import answer_lost, errors_become_exit_codes
from flows.cli.tables import plan_facts, print_plan
from flows.logs import described, log_to_stderr
from flows.manifest.load import load_manifest
from flows.planning.plan import make_plan
from flows.records import exit_codes as codes
from flows.running.options import run_options, with_batch
from flows.running.platforms import shard_of
from flows.streams import lost_answer, take_over_streams
from flows.text import safe_text

app = typer.Typer(
    name="stylize",
    help="Bulk neural style transfer: a manifest of pictures in, stylised pictures with records out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _say_version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"stylize {version('stylize')}\n")
        raise typer.Exit


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
def plan(manifest: ManifestPath, shard: ShardText = None, as_json: Json = False) -> None:
    """Say what a run would do, and why, without doing it."""
    with errors_become_exit_codes():
        planned = make_plan(load_manifest(manifest), shard=shard_of(shard))
        if as_json:
            _print_json(plan_facts(planned))
        else:
            print_plan(planned)


# Why so many: each is an option of the command line.
@app.command()
def run(
    manifest: ManifestPath,
    device: Device = None,
    workers: Annotated[
        int | None,
        typer.Option(help="Worker processes; if left out one per device, or per core for small pictures."),
    ] = None,
    max_time: MaxTimeText = None,
    until: UntilText = None,
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
    skip_failed: SkipFailed = False,
    shard: ShardText = None,
    wait: WaitText = None,
    metrics: MetricsText = None,
    as_json: Json = False,
    verbose: Verbose = False,
) -> None:
    """Do everything that the manifest asks for and is not done yet."""
    from flows.cli.run import run_here

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
        )
        report = run_here(with_batch(load_manifest(manifest), batch), options)
        if as_json:
            sys.stdout.write(report.to_bytes().decode())
        else:
            Console(soft_wrap=True).print(safe_text(report.sentence()), markup=False, highlight=False)
        _say_if_lost()
        raise typer.Exit(report.exit_code)


@app.command()
def status(manifest: ManifestPath, as_json: Json = False) -> None:
    """Say how far a manifest is: done, failed and to do, and who is working on it."""
    from flows.cli.tables import print_status
    from flows.running.status import look

    with errors_become_exit_codes():
        found = look(load_manifest(manifest))
        if as_json:
            _print_json(found.facts())
        else:
            print_status(found, Console())


@app.command()
def shards(
    manifest: ManifestPath,
    *,
    slots: Annotated[int, typer.Option(help="How many shards will be at work at the same time.")],
    devices_per_slot: Annotated[int, typer.Option(help="Devices that each of them has.")] = 1,
    seconds_per_pair: Annotated[
        float | None, typer.Option(help="Of one device; as in the last run if left out.")
    ] = None,
    cost_per_hour: Annotated[
        float | None, typer.Option(help="What a slot costs per hour, in the currency of the cost.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Say into how many shards to divide a manifest for several machines, and how long they will take."""
    from flows.cli.shards import choose, print_choice

    with errors_become_exit_codes():
        choice = choose(
            load_manifest(manifest),
            manifest,
            slots=slots,
            devices=devices_per_slot,
            seconds_per_pair=seconds_per_pair,
            cost_per_hour=cost_per_hour,
        )
        if as_json:
            _print_json(choice.facts())
        else:
            print_choice(choice, Console())


# Why so many: each is an argument or an option of the command line.
@app.command()
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
        _say_if_lost()
        ends = {"failed": codes.SOME_FAILED, "stopped": codes.INTERRUPTED}
        raise typer.Exit(ends.get(outcome.status, codes.ALL_DONE))


# Why so many: each is an argument or an option of the command line.
@app.command()
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
    from flows.cli.explore import explore_here, facts, print_cells

    with errors_become_exit_codes():
        asked, report = explore_here(
            content, style, output=output, size=size, settings=settings or [], device=device
        )
        if as_json:
            _print_json(facts(asked, report))
        else:
            print_cells(asked, report)
        _say_if_lost()
        raise typer.Exit(report.exit_code)


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

    with errors_become_exit_codes():
        found = describe_weights(name, architecture=architecture, fetch=fetch)
        if as_json:
            _print_json(found)
        else:
            print_weights(found, Console())


def main() -> None:
    """Run the command."""
    take_over_streams()
    try:
        app()
    except Exception as error:  # a fault of this program: all that is known, but nothing secret
        sys.stderr.write(f"internal error; please report it:\n{described(error)}\n")
        raise SystemExit(codes.NOTHING_STARTED) from None


def _say_if_lost() -> None:
    """The exit code is about pictures, so what was printed and is lost gets a line."""
    if why := lost_answer():
        sys.stderr.write(answer_lost(why) + "\n")


def _print_json(value: Any) -> None:
    sys.stdout.write(json.dumps(value, indent=1, sort_keys=True) + "\n")
