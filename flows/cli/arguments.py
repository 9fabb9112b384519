"""Arguments and options that several commands have."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from flows.logs import log_to_stderr


def manifest_paths(incomplete: str) -> Iterator[str]:
    """The manifests whose paths begin so; where there are none, the shell offers any file and folder."""
    folder, slash, begun = incomplete.rpartition("/")
    for path in sorted(Path(folder + slash or ".").glob("*.y*ml")):
        if path.name.startswith(begun) and path.is_file():
            yield folder + slash + path.name


def setting_texts(incomplete: str) -> Iterator[str]:
    """The settings that begin so, each with its `=`, and behind that the words that it takes."""
    from flows.manifest.settings import SETTINGS

    key, equals, begun = incomplete.partition("=")
    if not equals:
        yield from (f"{name}=" for name in SETTINGS if name.startswith(key))
    elif key in SETTINGS:
        yield from (f"{key}={word}" for word in SETTINGS[key].words if word.startswith(begun))


ManifestPath = Annotated[
    str,
    typer.Argument(
        help="The manifest, a YAML file: a path, s3:// URI or - (stdin).",
        show_default=False,
        autocompletion=manifest_paths,
    ),
]
Photograph = Annotated[str, typer.Argument(help="The photograph: a path or s3:// URI.", show_default=False)]
SettingTexts = Annotated[
    list[str] | None,
    typer.Option(
        "-s",
        "--set",
        help="A setting as in a manifest, such as -s size=512; may be repeated.",
        autocompletion=setting_texts,
    ),
]
_PART = "A part of the manifest"
Only = Annotated[
    list[str] | None,
    typer.Option(
        "--only",
        metavar="PATTERN",
        rich_help_panel=_PART,
        help="Only pairs whose names fit, such as 'lion*'; may be repeated. `stylize plan` shows names.",
    ),
]
Limit = Annotated[
    int | None,
    typer.Option(
        "--limit", metavar="N", rich_help_panel=_PART, help="Only the first N of the pairs that are to do."
    ),
]
OnlyFailed = Annotated[
    bool,
    typer.Option(
        "--failed", rich_help_panel=_PART, help="Only pairs whose last try failed and left a record."
    ),
]
Force = Annotated[
    bool,
    typer.Option(
        "--force",
        rich_help_panel=_PART,
        help="Make what is done again; the old picture stays if that fails.",
    ),
]
Preview = Annotated[
    bool,
    typer.Option(
        "--preview",
        rich_help_panel=_PART,
        help="Small and fast, in a folder of their own: the output's name with `-preview` behind it.",
    ),
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
Workers = Annotated[
    int | None,
    typer.Option(help="Worker processes; if left out one per device, or per core for small pictures."),
]
MaxCost = Annotated[
    float | None,
    typer.Option(help="Begin no further pair once the run cost this much; needs --cost-per-hour."),
]
CostPerHour = Annotated[
    float | None,
    typer.Option(help="What the machine with all its devices costs per hour, in the currency of the cost."),
]
BatchText = Annotated[
    str | None,
    typer.Option(
        "--batch",
        metavar="auto|N",
        help="Pairs computed together: auto, or 1 to 9999; the manifest's `batch` if left out.",
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
VerboseFirst = Annotated[
    bool,
    typer.Option("-v", "--verbose", help="Log retries and more.", callback=_be_verbose, is_eager=True),
]
"""The same, known before the other options are looked at."""
