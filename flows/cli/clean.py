"""The command `stylize clean`: what the manifest no longer names is listed, and removed where asked for."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from flows.cli.answers import print_json, print_line
from flows.cli.arguments import Json, ManifestPath, Preview
from flows.cli.exits import errors_become_exit_codes
from flows.cli.tables import ROWS_SHOWN
from flows.manifest.load import load_manifest
from flows.manifest.preview import preview_of
from flows.text import safe_text

if TYPE_CHECKING:
    from flows.running.upkeep.leftovers import Leftovers


def clean(
    manifest: ManifestPath,
    delete: Annotated[bool, typer.Option("--delete", help="Remove what is listed.")] = False,
    earlier: Annotated[
        list[str] | None,
        typer.Option(
            "--earlier",
            metavar="PATH",
            help="What this manifest was called before, so that those results are its own as well; `unknown` "
            "for results that do not say for which manifest they were made. May be repeated.",
        ),
    ] = None,
    preview: Preview = False,
    as_json: Json = False,
) -> None:
    """List results in the output that the manifest no longer names, and remove them with --delete."""
    from flows.running.upkeep.leftovers import find_leftovers, remove_leftovers

    with errors_become_exit_codes():
        loaded = load_manifest(manifest)
        loaded = preview_of(loaded) if preview else loaded
        called = _spelled(earlier or ())
        if delete:
            told = Console(stderr=True, soft_wrap=True)
            found = remove_leftovers(
                loaded,
                earlier=called,
                note=lambda name: told.print(safe_text(f"deleted {name}"), markup=False, highlight=False),
            )
        else:
            found = find_leftovers(loaded, earlier=called)
        if as_json:
            print_json(_facts(found, deleted=delete))
            return
        again = ["--preview"] * preview + [word for path in earlier or () for word in ("--earlier", path)]
        for line in _lines(found, shlex.join(["stylize", "clean", manifest, *again]), deleted=delete):
            print_line(line)


def _spelled(earlier: Sequence[str]) -> set[str]:
    """The paths as records have them."""
    from flows.running.upkeep.leftovers import UNKNOWN
    from flows.storage.location import absolute_path

    return {path if path == UNKNOWN else absolute_path(path) for path in earlier}


def _facts(found: Leftovers, *, deleted: bool) -> dict[str, Any]:
    return {
        "output": found.output,
        "deleted": deleted,
        "leftovers": [asdict(one) for one in found.found],
        "bytes": found.bytes,
        "kept": [asdict(one) for one in found.kept],
        "foreign": found.foreign,
        "closed": found.closed,
        "doubt": found.doubt,
    }


def _lines(found: Leftovers, command: str, *, deleted: bool) -> Iterator[str]:
    files = sum(len(one.files) for one in found.found)
    said = f"{_counted(len(found.found), 'leftover')}, {_counted(files, 'file')}, {found.bytes / 1e6:.1f} MB"
    yield f"{said}{' deleted' if deleted else ''}, in {found.output}"
    yield from _first([f"  {one.kind}  {one.name}" for one in found.found])
    if found.kept:
        yield f"{_counted(len(found.kept), 'other')} of stylize that the manifest does not name, kept:"
        yield from _first([f"  {one.name}: {one.why}" for one in found.kept])
    if found.foreign:
        yield f"{_counted(found.foreign, 'file')} not of stylize, kept"
    if found.closed:
        yield f"{_counted(len(found.closed), 'folder')} that cannot be looked into, left alone:"
        yield from _first([f"  {folder}" for folder in found.closed])
    if found.found and not deleted:
        remove = f"to remove them: {command} --delete"
        yield f"nothing can be deleted now: {found.doubt}" if found.doubt else remove


def _first(lines: Sequence[str]) -> Iterator[str]:
    yield from lines[:ROWS_SHOWN]
    if (more := len(lines) - ROWS_SHOWN) > 0:
        yield f"  and {more} more; --json lists all"


def _counted(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"
