"""Arguments and options that several commands have."""

from __future__ import annotations

import logging
from typing import Annotated

import typer

from flows.logs import log_to_stderr

ManifestPath = Annotated[
    str, typer.Argument(help="The manifest, a YAML file: a path, s3:// URI or - (stdin).", show_default=False)
]
Photograph = Annotated[str, typer.Argument(help="The photograph: a path or s3:// URI.", show_default=False)]
SettingTexts = Annotated[
    list[str] | None,
    typer.Option("-s", "--set", help="A setting as in a manifest, such as -s size=512; may be repeated."),
]
OneDevice = Annotated[str, typer.Option(help="auto, cpu, cuda:<n> or mps.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
Device = Annotated[
    str | None, typer.Option(help="auto, cpu, cuda, cuda:<n> or mps; the manifest's `device` if left out.")
]
ShardText = Annotated[
    str | None,
    typer.Option(
        "--shard",
        metavar="i/n",
        help="A part of the pairs: the i-th of n, from 0; `auto` asks the job array that this is a task of.",
    ),
]
MaxTimeText = Annotated[
    str | None,
    typer.Option(
        "--max-time", metavar="TIME", help="Begin no further pair after this time, such as 90s, 90m or 2h30m."
    ),
]
SkipFailed = Annotated[
    bool,
    typer.Option(
        "--skip-failed",
        help="Do not try again what failed before for a reason of its own; it counts as failed.",
    ),
]
UntilText = Annotated[
    str | None,
    typer.Option(
        "--until", metavar="MOMENT", help="Begin no further pair after this moment, such as 2030-12-31T06:00."
    ),
]
WaitText = Annotated[
    str | None,
    typer.Option(
        "--wait", metavar="TIME", help="Wait so long for another run over the same pairs, such as 10m."
    ),
]
MetricsText = Annotated[
    str | None,
    typer.Option(
        "--metrics",
        metavar="FILE",
        help="Keep counters for Prometheus in this file, which ends in .prom; each shard has one of its own.",
    ),
]


def _be_verbose(verbose: bool) -> bool:
    if verbose:
        log_to_stderr(logging.INFO)
    return verbose


Verbose = Annotated[bool, typer.Option("-v", "--verbose", help="Log retries and more.", callback=_be_verbose)]
