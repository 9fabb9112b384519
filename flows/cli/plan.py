"""The command `stylize plan`."""

from __future__ import annotations

from flows.cli.answers import print_json
from flows.cli.arguments import Json, ManifestPath, ShardText
from flows.cli.exits import errors_become_exit_codes
from flows.cli.tables import plan_facts, print_plan
from flows.manifest.load import load_manifest
from flows.planning.plan import make_plan
from flows.running.platforms import shard_of


def plan(manifest: ManifestPath, shard: ShardText = None, as_json: Json = False) -> None:
    """Say what a run would do, and why, without doing it."""
    with errors_become_exit_codes():
        planned = make_plan(load_manifest(manifest), shard=shard_of(shard))
        if as_json:
            print_json(plan_facts(planned))
        else:
            print_plan(planned)
