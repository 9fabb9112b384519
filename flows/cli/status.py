"""The command `stylize status`."""

from __future__ import annotations

from rich.console import Console

from flows.cli.answers import print_json
from flows.cli.arguments import Json, ManifestPath, Only, Preview
from flows.cli.exits import errors_become_exit_codes
from flows.manifest.load import load_manifest
from flows.manifest.preview import preview_of
from flows.model.selection import Selection


def status(
    manifest: ManifestPath, only: Only = None, preview: Preview = False, as_json: Json = False
) -> None:
    """Say how far a manifest is: done, failed and to do, and who is working on it."""
    from flows.cli.tables import print_status
    from flows.running.status import look

    with errors_become_exit_codes():
        loaded = load_manifest(manifest)
        found = look(preview_of(loaded) if preview else loaded, Selection(tuple(only or ())))
        if as_json:
            print_json(found.facts())
        else:
            print_status(found, Console())
