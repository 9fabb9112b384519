"""The command `stylize compare`: two outputs side by side on one page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flows.cli.answers import print_json, print_line
from flows.cli.arguments import Json
from flows.cli.exits import errors_become_exit_codes
from flows.cli.looking.report import DRAWN, Results
from flows.errors import BadArguments

PAGE = Path("compare.html")


def compare(
    first: Results,
    second: Results,
    *,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Where the page goes; compare.html if left out.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Draw a page of two outputs: pictures of equal names side by side, and the settings that differ."""
    from flows.pages.compare import compare_page
    from flows.pages.placing import is_page, page_before, put_page, storage_of
    from flows.pages.previews import Bounds
    from flows.pages.targets import find_target

    with errors_become_exit_codes():
        one, other = find_target(first), find_target(second)
        storage, name = storage_of(output or PAGE)
        if output is None and not is_page(page_before(storage, name)):
            raise BadArguments(f"{storage.uri(name)} is no page of stylize; name another file with -o")
        page = compare_page(one, other, Bounds(DRAWN)) or b""
        place = put_page(storage, name, page)
        names = {entry.name for target in (one, other) for entry in target.gathered.entries}
        if as_json:
            print_json({"file": place, "pairs": len(names)})
        else:
            print_line(place)
