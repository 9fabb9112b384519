"""The command `stylize report`: one page, or one sheet, to look at what a manifest or an output has."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.cli.answers import print_json, print_line
from flows.cli.arguments import Json, ShardText
from flows.cli.exits import errors_become_exit_codes
from flows.errors import BadArguments

if TYPE_CHECKING:
    from flows.model.shard import Shard
    from flows.pages.payload import Links
    from flows.pages.targets import Target

DRAWN = 100_000
"""Pictures that the command makes small: all."""

Results = Annotated[
    str, typer.Argument(help="A manifest, or an output: a path or s3:// URI.", show_default=False)
]
PageFile = Annotated[
    Path | None, typer.Option("-o", "--output", help="Where the page goes; beside the pictures if left out.")
]
Price = Annotated[
    float | None, typer.Option(help="What the machine with all its devices costs per hour, for the cost.")
]
SheetToo = Annotated[
    bool, typer.Option("--sheet", help="Draw report.png as well, a contact sheet of everything.")
]


def report(
    results: Results,
    *,
    output: PageFile = None,
    shard: ShardText = None,
    cost_per_hour: Price = None,
    sheet: SheetToo = False,
    as_json: Json = False,
) -> None:
    """Draw report.html: pictures, failures and what to do, settings, times; one file, no network."""
    from flows.pages.targets import find_target
    from flows.running.looking.sheet import draw_product_sheet
    from flows.running.platforms import shard_of

    with errors_become_exit_codes():
        if cost_per_hour is not None and not 0 < cost_per_hour < 1e9:
            raise BadArguments(f"--cost-per-hour: {cost_per_hour:g} is not accepted; it must be above 0")
        part = shard_of(shard)
        target = find_target(results, shard=part)
        files = [_page(target, part, output, cost_per_hour)]
        if sheet:
            files.append(draw_product_sheet(target, part, note=print_line))
        if as_json:
            print_json({"files": files, "pairs": len(target.gathered.entries)})
        else:
            for file in files:
                print_line(file)


def _page(target: Target, part: Shard, output: Path | None, cost_per_hour: float | None) -> str:
    """Draw the page; where it lies.

    Raises:
        BadArguments: somebody else's file would be replaced that the user did not name.
    """
    from flows.pages.placing import is_page, page_before, put_page, storage_of
    from flows.pages.previews import Bounds
    from flows.pages.report import Asked, report_page
    from flows.records.report import page_name

    storage, name = (target.storage, page_name(part)) if output is None else storage_of(output)
    before = page_before(storage, name)
    replaces = output is not None or (target.plan is not None and target.plan.replace_foreign)
    if not is_page(before) and not replaces:
        raise BadArguments(f"{storage.uri(name)} is no page of stylize; move it away, or name a file with -o")
    links = _links(target.storage.root, storage.root)
    asked = Asked(target.title, Bounds(DRAWN), part, cost_per_hour, before, links)
    return put_page(storage, name, report_page(target.gathered, target.storage, asked) or b"")


def _links(output: str, folder: str) -> Links:
    """How a page in that folder leads to the files of the output."""
    from flows.pages.payload import Links
    from flows.storage.location import is_remote

    if folder == output:
        return Links()
    return Links(usable=False) if is_remote(output) else Links(Path(output).as_uri() + "/")
