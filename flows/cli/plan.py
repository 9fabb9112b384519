"""The command `stylize plan`."""

from __future__ import annotations

from flows.cli.answers import print_json
from flows.cli.arguments import Force, Json, Limit, ManifestPath, Only, OnlyFailed, Preview, ShardText
from flows.cli.exits import errors_become_exit_codes
from flows.cli.tables import plan_facts, print_plan
from flows.manifest.load import load_manifest
from flows.manifest.model import Manifest
from flows.manifest.preview import preview_of
from flows.model.selection import Selection
from flows.model.shard import Shard
from flows.planning.plan import make_plan
from flows.running.options import selection_of
from flows.running.platforms import shard_of


# Why so many: each is an option of the command line.
def plan(
    manifest: ManifestPath,
    only: Only = None,
    limit: Limit = None,
    failed: OnlyFailed = False,
    force: Force = False,
    preview: Preview = False,
    shard: ShardText = None,
    as_json: Json = False,
) -> None:
    """Say what a run would do, and why, without doing it."""
    with errors_become_exit_codes():
        part = shard_of(shard)
        selection = selection_of(part, only=only, limit=limit, failed=failed, force=force)
        loaded = load_manifest(manifest)
        show_plan(preview_of(loaded) if preview else loaded, part, selection, as_json=as_json)


def show_plan(manifest: Manifest, shard: Shard, selection: Selection, *, as_json: bool) -> None:
    """Print what a run would do.

    Raises:
        BatchError: it could not even be planned.
    """
    planned = make_plan(manifest, shard=shard, selection=selection)
    if as_json:
        print_json(plan_facts(planned))
    else:
        print_plan(planned)
